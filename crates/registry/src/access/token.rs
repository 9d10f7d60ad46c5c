//! Tokens: JSON Web Tokens (RFC 7519) with a code of this process, HS256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SecureRandom;
use serde_json::{Value, json};

use super::rights::{Action, Grant, Rights};
use crate::{limits, name};

/// Something that a token is asked for: `repository:shop/web:pull,push`, `registry:catalog:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Actions on a repository.
    Repository {
        /// Its name.
        name: String,
        /// What is to be done there.
        actions: Vec<Action>,
    },
    /// The list of all repositories.
    Catalog,
}

impl Scope {
    /// The scopes of a text, which may hold several with blanks between them. What nobody knows is left out, as the
    /// specification of tokens asks: the token then does not hold it.
    pub fn parse_all(text: &str) -> Vec<Self> {
        text.split(' ')
            .filter_map(Self::parse)
            .take(limits::SCOPES)
            .collect()
    }

    fn parse(text: &str) -> Option<Self> {
        // The name may have a colon of its own, in the port of a host.
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        match kind {
            "repository" | "repository(plugin)" if name::is_repository(name) => {
                let actions = match actions {
                    "*" => Action::ALL.to_vec(),
                    listed => listed.split(',').filter_map(Action::parse).collect(),
                };
                Some(Self::Repository {
                    name: name.to_owned(),
                    actions,
                })
            }
            "registry" if name == "catalog" => Some(Self::Catalog),
            _ => None,
        }
    }

    /// As a challenge names what is needed.
    pub fn text(repository: &str, actions: &[Action]) -> String {
        let actions: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
        format!("repository:{repository}:{}", actions.join(","))
    }
}

/// What a token says.
pub(super) struct Claims {
    pub name: String,
    pub rights: Rights,
}

pub(super) struct Signer(hmac::Key);

impl Signer {
    pub fn new(random: &dyn SecureRandom) -> Result<Self, ring::error::Unspecified> {
        Ok(Self(hmac::Key::generate(hmac::HMAC_SHA256, random)?))
    }

    pub fn sign(&self, name: &str, rights: &Rights, now: u64, life: u64) -> String {
        let mut access: Vec<Value> = rights
            .grants()
            .iter()
            .map(|grant| {
                let actions: Vec<&str> = grant.actions.iter().map(|action| action.as_str()).collect();
                json!({"type": "repository", "name": grant.repositories, "actions": actions})
            })
            .collect();
        if rights.catalog() {
            access.push(json!({"type": "registry", "name": "catalog", "actions": ["*"]}));
        }
        let claims = json!({"sub": name, "iat": now, "exp": now + life, "access": access});
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let code = hmac::sign(&self.0, text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(code))
    }

    pub fn verify(&self, token: &str, now: u64) -> Option<Claims> {
        let (text, code) = token.rsplit_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        // Whatever its head says, it is checked as we sign.
        hmac::verify(&self.0, text.as_bytes(), &code).ok()?;
        let (_, claims) = text.split_once('.')?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        if now >= claims["exp"].as_u64()? {
            return None;
        }
        let mut grants = Vec::new();
        let mut catalog = false;
        for access in claims["access"].as_array()? {
            let named = access["name"].as_str()?.to_owned();
            if access["type"] == "registry" {
                catalog = true;
                continue;
            }
            let actions = access["actions"].as_array()?;
            grants.push(Grant {
                repositories: named,
                actions: actions
                    .iter()
                    .filter_map(|text| Action::parse(text.as_str()?))
                    .collect(),
            });
        }
        Some(Claims {
            name: claims["sub"].as_str()?.to_owned(),
            rights: Rights::of_token(grants, catalog),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new(&ring::rand::SystemRandom::new()).expect("randomness")
    }

    #[test]
    fn a_token_is_good_for_its_time_and_for_its_signer() {
        let signer = signer();
        let rights = Rights::read().within(&Scope::parse_all("repository:a/b:pull,push registry:catalog:*"));
        let token = signer.sign("ann", &rights, 100, 60);
        let claims = signer.verify(&token, 159).expect("good");
        assert_eq!((claims.name.as_str(), &claims.rights), ("ann", &rights));
        assert!(signer.verify(&token, 160).is_none());
        assert!(super::tests::signer().verify(&token, 100).is_none());
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            // The last digit of base64 has bits that mean nothing.
            let held = signer.verify(&changed, 100).is_some();
            assert!(!held || at == token.len() - 1 || changed == token, "{at}");
        }
        for text in ["", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(signer.verify(text, 0).is_none(), "{text}");
        }
    }

    #[test]
    fn scopes_of_clients() {
        let parsed =
            Scope::parse_all("repository:a/b:pull,push,none repository:A:pull x registry:catalog:* a:b");
        assert_eq!(
            parsed,
            [
                Scope::Repository {
                    name: "a/b".to_owned(),
                    actions: vec![Action::Pull, Action::Push],
                },
                Scope::Catalog,
            ]
        );
        assert_eq!(Scope::text("a", &Action::ALL), "repository:a:pull,push,delete");
    }
}
