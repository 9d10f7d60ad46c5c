//! Signatures of webhooks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderMap;
use jiff::Timestamp;
use ring::hmac;

use super::{Provider, WebhookError};
use crate::limits;

pub fn check(
    provider: Provider,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    now: Timestamp,
) -> Result<(), WebhookError> {
    if secret.is_empty() {
        return Err(WebhookError::NoSecret);
    }
    let header = match provider {
        Provider::GitHub => "x-hub-signature-256",
        Provider::GitLab => "x-gitlab-token",
        Provider::Gitee => "x-gitee-token",
        Provider::Gitea => "x-gitea-signature",
        Provider::Gogs => "x-gogs-signature",
    };
    let given = headers
        .get(header)
        .map(|value| value.as_bytes())
        .filter(|value| !value.is_empty())
        .ok_or(WebhookError::Unsigned { header })?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let fits = match provider {
        Provider::GitHub => given
            .strip_prefix(b"sha256=")
            .is_some_and(|digits| is_mac(&key, body, digits)),
        Provider::Gitea | Provider::Gogs => is_mac(&key, body, given),
        Provider::GitLab => is_secret(&key, secret, given),
        Provider::Gitee => is_secret(&key, secret, given) || is_signed_time(&key, headers, secret, given),
    };
    if !fits {
        return Err(WebhookError::WrongSignature { header });
    }
    match provider {
        Provider::Gitee if !is_secret(&key, secret, given) => is_recent(headers, now),
        _ => Ok(()),
    }
}

/// All comparisons take as long for a wrong value as for one that is nearly right.
fn is_mac(key: &hmac::Key, message: &[u8], digits: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(digits) else {
        return false;
    };
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [_, _] if pair.iter().all(u8::is_ascii_hexdigit) => {
                u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
            }
            _ => None,
        })
        .collect();
    bytes.is_some_and(|bytes| hmac::verify(key, message, &bytes).is_ok())
}

fn is_secret(key: &hmac::Key, secret: &str, given: &[u8]) -> bool {
    let tag = hmac::sign(key, secret.as_bytes());
    hmac::verify(key, given, tag.as_ref()).is_ok()
}

/// Gitee: the HMAC of `<milliseconds>\n<secret>` with the secret, in base64.
fn is_signed_time(key: &hmac::Key, headers: &HeaderMap, secret: &str, given: &[u8]) -> bool {
    let Some(time) = headers
        .get("x-gitee-timestamp")
        .and_then(|time| time.to_str().ok())
    else {
        return false;
    };
    let message = format!("{time}\n{secret}");
    STANDARD
        .decode(given)
        .is_ok_and(|tag| hmac::verify(key, message.as_bytes(), &tag).is_ok())
}

fn is_recent(headers: &HeaderMap, now: Timestamp) -> Result<(), WebhookError> {
    let milliseconds: i64 = headers
        .get("x-gitee-timestamp")
        .and_then(|time| time.to_str().ok()?.parse().ok())
        .ok_or(WebhookError::Unsigned {
            header: "x-gitee-timestamp",
        })?;
    let seconds = now.as_millisecond().abs_diff(milliseconds) / 1_000;
    if seconds <= limits::WEBHOOK_AGE.as_secs() {
        return Ok(());
    }
    Err(WebhookError::Stale { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = hyper::header::HeaderName::from_static(name);
                (name, value.parse().expect("a value"))
            })
            .collect()
    }

    /// GitHub's own example: docs.github.com, "Validating webhook deliveries".
    #[test]
    fn the_documented_value_of_github() {
        let secret = "It's a Secret to Everybody";
        let value = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let now = Timestamp::UNIX_EPOCH;
        let body = b"Hello, World!";
        let signed = headers(&[("x-hub-signature-256", value)]);
        assert_eq!(check(Provider::GitHub, &signed, body, secret, now), Ok(()));
        let wrong = WebhookError::WrongSignature {
            header: "x-hub-signature-256",
        };
        assert_eq!(
            check(Provider::GitHub, &signed, b"Hello, World", secret, now),
            Err(wrong.clone())
        );
        assert_eq!(
            check(Provider::GitHub, &signed, body, "other", now),
            Err(wrong.clone())
        );
        for bad in [
            "sha256=",
            "sha256=7",
            "757107ea",
            "sha256=zz",
            "sha1=757107ea",
            &value[..70],
            "sha256=+1",
        ] {
            let signed = headers(&[("x-hub-signature-256", bad)]);
            assert_eq!(
                check(Provider::GitHub, &signed, body, secret, now),
                Err(wrong.clone()),
                "{bad}"
            );
        }
        let unsigned = check(Provider::GitHub, &HeaderMap::new(), body, secret, now);
        assert!(matches!(unsigned, Err(WebhookError::Unsigned { .. })));
        assert_eq!(
            check(Provider::GitHub, &signed, body, "", now),
            Err(WebhookError::NoSecret)
        );
    }

    #[test]
    fn the_signed_time_of_gitee() {
        let now = Timestamp::from_second(1_600_000_000).expect("a time");
        let time = now.as_millisecond().to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let sign = STANDARD.encode(hmac::sign(&key, format!("{time}\nsecret").as_bytes()));
        let signed = headers(&[("x-gitee-token", &sign), ("x-gitee-timestamp", &time)]);
        let ask = |headers: &HeaderMap, now| check(Provider::Gitee, headers, b"{}", "secret", now);
        assert_eq!(ask(&signed, now), Ok(()));
        let later = Timestamp::from_second(1_600_004_000).expect("a time");
        assert_eq!(ask(&signed, later), Err(WebhookError::Stale { seconds: 4_000 }));
        let moved = headers(&[("x-gitee-token", &sign), ("x-gitee-timestamp", "1600004000000")]);
        assert!(matches!(
            ask(&moved, later),
            Err(WebhookError::WrongSignature { .. })
        ));
        assert_eq!(ask(&headers(&[("x-gitee-token", "secret")]), later), Ok(()));
        assert!(ask(&headers(&[("x-gitee-token", "secret2")]), now).is_err());
    }
}
