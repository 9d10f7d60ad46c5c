//! Signed tokens: JSON Web Signatures with ES256 (RFC 7515, RFC 7518 3.4).
//!
//! One key, kept in the data folder. ES256 is what upstream takes for an ECDSA key on P-256, every JOSE library reads
//! it, and its key is made in a millisecond, where RSA takes a second.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

use super::files::{self, IdentityError};
use crate::limits;

/// The key that signs and checks tokens.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    point: Vec<u8>,
    id: String,
    random: SystemRandom,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadToken {
    /// It is no signed token of ours.
    Foreign,
    /// It says that it is ours, and names a key that we don't have.
    UnknownKey,
    /// It says that it is ours, and we did not sign it.
    Forged,
}

impl SigningKey {
    /// The key in this file; makes it where there is none.
    pub fn open(path: &Path) -> Result<SigningKey, IdentityError> {
        let malformed = |what: String| IdentityError::Malformed {
            path: path.to_owned(),
            what,
        };
        let pair = match files::read(path)? {
            Some(pem) => {
                let pem = String::from_utf8(pem).map_err(|e| malformed(e.to_string()))?;
                KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ECDSA_P256_SHA256)
                    .map_err(|e| malformed(e.to_string()))?
            }
            None => {
                let pair = KeyPair::generate().map_err(|e| IdentityError::Certificate(e.to_string()))?;
                files::write_secret(path, pair.serialize_pem().as_bytes())?;
                pair
            }
        };
        SigningKey::new(&pair).map_err(malformed)
    }

    fn new(pair: &KeyPair) -> Result<SigningKey, String> {
        let random = SystemRandom::new();
        let signing =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.serialized_der(), &random)
                .map_err(|e| e.to_string())?;
        // kubernetes/pkg/serviceaccount/jwt.go keyIDFromPublicKey: the hash of the public key in DER.
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, &pair.subject_public_key_info()));
        Ok(SigningKey {
            pair: signing,
            point: pair.public_key_raw().to_owned(),
            id,
            random,
        })
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "kid": self.id});
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self
            .pair
            .sign(&self.random, token.as_bytes())
            .expect("signing fails only where the system has no random numbers");
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// The claims of a token that this key signed for this issuer.
    pub fn verify(&self, token: &str, issuer: &str) -> Result<Value, BadToken> {
        if token.len() > limits::TOKEN_BYTES {
            return Err(BadToken::Foreign);
        }
        let mut parts = token.splitn(3, '.');
        let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadToken::Foreign);
        };
        let object = |text: &str| -> Option<Value> {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            serde_json::from_slice::<Value>(&bytes)
                .ok()
                .filter(Value::is_object)
        };
        let (Some(head), Some(body)) = (object(header), object(claims)) else {
            return Err(BadToken::Foreign);
        };
        if body["iss"] != issuer {
            return Err(BadToken::Foreign);
        }
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return Err(BadToken::Foreign);
        };
        if head
            .get("kid")
            .is_some_and(|kid| *kid != self.id.as_str() && *kid != "")
        {
            return Err(BadToken::UnknownKey);
        }
        // The algorithm is fixed: a token that chooses another ("none") is a forgery.
        let signed = &token[..header.len() + 1 + claims.len()];
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point);
        if head["alg"] != "ES256" || key.verify(signed.as_bytes(), &signature).is_err() {
            return Err(BadToken::Forged);
        }
        Ok(body)
    }

    /// The public key as a JSON Web Key (RFC 7517), in upstream's order of fields.
    pub fn public_jwk(&self) -> String {
        // An uncompressed point: 4, then 32 bytes each of x and y (SEC 1 2.3.3).
        let (x, y) = self.point[1..].split_at(32);
        format!(
            r#"{{"use":"sig","kty":"EC","kid":"{}","crv":"P-256","alg":"ES256","x":"{}","y":"{}"}}"#,
            self.id,
            URL_SAFE_NO_PAD.encode(x),
            URL_SAFE_NO_PAD.encode(y)
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// An empty folder of this test alone.
    pub(crate) fn folder(name: &str) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("deploy-identity-{}-{name}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A key that lives as long as the test.
    pub(crate) fn key() -> SigningKey {
        SigningKey::new(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_believed_by_the_key_that_signed_it_alone() {
        let (ours, other) = (key(), key());
        let token = ours.sign(&json!({"iss": "me", "n": 1}));
        assert_eq!(ours.verify(&token, "me").unwrap()["n"], 1);
        assert_eq!(ours.verify(&token, "you"), Err(BadToken::Foreign));
        assert_eq!(other.verify(&token, "me"), Err(BadToken::UnknownKey));
        for foreign in [
            "",
            "bad",
            "a.b.c",
            "....",
            &"x".repeat(20_000),
            &token[..token.len() - 3][..40],
        ] {
            assert_eq!(ours.verify(foreign, "me"), Err(BadToken::Foreign), "{foreign}");
        }
        let parts: Vec<&str> = token.split('.').collect();
        let forged = |header: Value, claims: Value, signature: &str| {
            let (header, claims) = (header.to_string(), claims.to_string());
            format!(
                "{}.{}.{signature}",
                URL_SAFE_NO_PAD.encode(header),
                URL_SAFE_NO_PAD.encode(claims)
            )
        };
        let claims = json!({"iss": "me", "n": 2});
        for (header, signature) in [
            (json!({"alg": "ES256", "kid": ours.id}), parts[2]),
            (json!({"alg": "none", "kid": ours.id}), ""),
            (json!({"alg": "HS256"}), parts[2]),
            (json!({}), ""),
        ] {
            let token = forged(header, claims.clone(), signature);
            assert_eq!(ours.verify(&token, "me"), Err(BadToken::Forged), "{token}");
        }
    }

    #[test]
    fn the_key_is_kept() {
        let folder = folder("jwt");
        let path = folder.join("accounts.key");
        let token = SigningKey::open(&path).unwrap().sign(&json!({"iss": "me"}));
        assert!(SigningKey::open(&path).unwrap().verify(&token, "me").is_ok());
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            SigningKey::open(&path),
            Err(IdentityError::Malformed { .. })
        ));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_public_key_says_what_a_verifier_needs() {
        let key = key();
        let jwk: Value = serde_json::from_str(&key.public_jwk()).unwrap();
        assert_eq!(jwk["kid"], key.id.as_str());
        for part in ["x", "y"] {
            assert_eq!(
                URL_SAFE_NO_PAD.decode(jwk[part].as_str().unwrap()).unwrap().len(),
                32
            );
        }
    }
}
