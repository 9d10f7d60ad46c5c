//! A request becomes a user.

use std::sync::Arc;

use super::UserInfo;
use super::accounts::Tokens;
use crate::status::{StatusError, aggregate};

/// Knows users by certificate and token.
pub struct Authenticator {
    tokens: Arc<Tokens>,
}

/// The bearer of a token, and for which of the requested audiences he holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Who he is.
    pub user: UserInfo,
    /// The audiences that were asked for and that the token has.
    pub audiences: Vec<String>,
}

impl Authenticator {
    /// An authenticator for the tokens of service accounts, besides certificates.
    pub fn new(tokens: Arc<Tokens>) -> Authenticator {
        Authenticator { tokens }
    }

    /// The tokens that it knows.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Who sent a request: the user of his client certificate (see [`super::certificate::user`]), or the bearer of the
    /// token in the `Authorization` header, or, where there is neither, nobody: `system:anonymous`. A token that does
    /// not hold is an error, as upstream has it (`authenticator/union.NewFailOnError`).
    pub fn authenticate(
        &self,
        certificate: Option<&UserInfo>,
        authorization: &str,
        now: i64,
    ) -> Result<UserInfo, StatusError> {
        if let Some(user) = certificate {
            return Ok(user.clone());
        }
        match bearer_token(authorization) {
            None => Ok(UserInfo::anonymous()),
            Some(token) => {
                let audience = [self.tokens.issuer().to_owned()];
                let bearer = self.bearer(token, &audience, now);
                bearer
                    .map(|bearer| bearer.user)
                    .map_err(|_| StatusError::unauthorized())
            }
        }
    }

    /// The bearer of a token. The error is what a TokenReview says.
    pub fn bearer(&self, token: &str, audiences: &[String], now: i64) -> Result<Bearer, String> {
        let invalid = "invalid bearer token".to_owned();
        match self.tokens.recognise(token, audiences, now) {
            Ok(Some(found)) => {
                let mut user = found.user;
                user.recognised();
                Ok(Bearer {
                    user,
                    audiences: found.audiences,
                })
            }
            Ok(None) => Err(invalid),
            Err(why) => Err(aggregate([invalid, why].into_iter())),
        }
    }
}

/// The token of an `Authorization` header (`apiserver/pkg/authentication/request/bearertoken`).
pub fn bearer_token(header: &str) -> Option<&str> {
    let mut parts = header.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::accounts::Grant;
    use crate::identity::accounts::tests::{ISSUER, NOW, world};
    use crate::identity::jwt::tests::key;

    #[test]
    fn certificates_come_before_tokens_and_tokens_before_nobody() {
        let tokens = Arc::new(Tokens::new(key(), ISSUER, Arc::new(world())));
        let token = tokens.issue(
            &Grant {
                account: tokens.objects().get("/serviceaccounts", "shop", "web").unwrap(),
                audiences: &[ISSUER.to_owned()],
                lifetime_seconds: 600,
                ..Grant::default()
            },
            NOW,
        );
        let authenticator = Authenticator::new(tokens);
        let alice = UserInfo::named("alice", &[]);
        let name = |certificate, header: &str| {
            authenticator
                .authenticate(certificate, header, NOW)
                .map(|u| u.name)
        };
        assert_eq!(name(Some(&alice), "Bearer x").unwrap(), "alice");
        assert_eq!(name(None, "").unwrap(), "system:anonymous");
        for header in ["Basic YTpi", "Bearer", "Bearer "] {
            assert_eq!(name(None, header).unwrap(), "system:anonymous", "{header}");
        }
        let error = name(None, "Bearer x").unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (401, "Unauthorized"));
        let user = authenticator
            .authenticate(None, &format!(" bearer {token}"), NOW)
            .unwrap();
        assert!(user.is_in("system:authenticated") && user.is_in("system:serviceaccounts:shop"));
        assert_eq!(
            authenticator
                .authenticate(None, &format!("Bearer {token}"), NOW + 700)
                .unwrap_err()
                .code,
            401
        );
    }
}
