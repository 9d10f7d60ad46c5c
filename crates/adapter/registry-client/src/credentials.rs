//! Who asks a registry.

use std::fmt;

/// A name and a password, or a token that stands for them. It has no text form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    username: String,
    password: String,
    identity_token: String,
}

impl Credentials {
    /// A name and a password (or an access token in the place of one).
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            identity_token: String::new(),
        }
    }

    /// An identity token, as `docker login` stores for some registries: it buys access tokens.
    pub fn identity(username: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: String::new(),
            identity_token: token.into(),
        }
    }

    /// The value of an `Authorization` header; none for an identity token.
    pub(crate) fn header(&self) -> Option<String> {
        use base64::Engine;
        if !self.identity_token.is_empty() {
            return None;
        }
        let pair = format!("{}:{}", self.username, self.password);
        Some(format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        ))
    }

    pub(crate) fn identity_token(&self) -> Option<&str> {
        (!self.identity_token.is_empty()).then_some(&*self.identity_token)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}
