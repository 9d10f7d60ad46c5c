//! What other programs need to check our tokens (OpenID Connect discovery; `pkg/serviceaccount/openidmetadata.go`).

use super::jwt::SigningKey;

/// `/.well-known/openid-configuration`; `address` is `host:port` of this server. Content type `application/json`.
pub fn configuration(issuer: &str, address: &str) -> String {
    format!(
        r#"{{"issuer":"{issuer}","jwks_uri":"https://{address}{JWKS_PATH}","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256"]}}"#
    )
}

/// `/openid/v1/jwks`. Content type `application/jwk-set+json`.
pub fn keys(key: &SigningKey) -> String {
    format!(r#"{{"keys":[{}]}}"#, key.public_jwk())
}

/// Where the configuration is found.
pub const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";
/// Where the keys are found.
pub const JWKS_PATH: &str = "/openid/v1/jwks";
/// The `Cache-Control` of both.
pub const CACHE_CONTROL: &str = "public, max-age=3600";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::identity::jwt::tests::key;

    #[test]
    fn both_documents_are_json() {
        let configuration: Value =
            serde_json::from_str(&configuration("https://i", "127.0.0.1:6443")).unwrap();
        assert_eq!(configuration["jwks_uri"], "https://127.0.0.1:6443/openid/v1/jwks");
        let keys: Value = serde_json::from_str(&keys(&key())).unwrap();
        assert_eq!(keys["keys"][0]["alg"], "ES256");
    }
}
