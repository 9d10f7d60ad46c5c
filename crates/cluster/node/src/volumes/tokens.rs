//! Tokens of service accounts for projected volumes: asked for through the API's TokenRequest, kept, and asked for again
//! before they end (`pkg/kubelet/token`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deploy_cluster_api::client::{Client, ResourceId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

static ACCOUNTS: ResourceId = ResourceId::new("", "v1", "serviceaccounts");

/// `ServiceAccountTokenProjection` names no other.
const DEFAULT_EXPIRATION_SECONDS: i64 = 3600;

/// However long it holds, a token is renewed after a day (`maxTTL`).
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What a volume asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asked {
    /// For whom the token is meant; empty for the API server.
    pub audience: String,
    /// How long it shall hold.
    pub expiration_seconds: i64,
}

/// The tokens that a pod's volumes have asked for, or why there is none.
pub type Granted = BTreeMap<Asked, Result<String, String>>;

impl Asked {
    /// What a `serviceAccountToken` source asks for.
    pub fn of(source: &Value) -> Asked {
        let seconds = source["expirationSeconds"].as_i64();
        Asked {
            audience: source["audience"].as_str().unwrap_or_default().to_owned(),
            expiration_seconds: seconds.unwrap_or(DEFAULT_EXPIRATION_SECONDS),
        }
    }

    /// All that a pod's volumes ask for.
    pub fn by(pod: &Value) -> BTreeSet<Asked> {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        let sources =
            volumes.flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten());
        sources
            .map(|source| &source["serviceAccountToken"])
            .filter(|source| source.is_object())
            .map(Asked::of)
            .collect()
    }

    fn request(&self, pod: &Value) -> Value {
        let audiences: Vec<&str> = Some(self.audience.as_str())
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": audiences,
                "expirationSeconds": self.expiration_seconds,
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": pod["metadata"]["name"],
                    "uid": pod["metadata"]["uid"],
                },
            },
        })
    }
}

/// The answer to a request, or the error's text.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;

/// Who makes tokens.
pub trait Issuer: Send + Sync {
    /// Answers a TokenRequest for a service account.
    fn issue<'a>(&'a self, namespace: &'a str, account: &'a str, request: Value) -> Answer<'a>;
}

impl Issuer for Client {
    fn issue<'a>(&'a self, namespace: &'a str, account: &'a str, request: Value) -> Answer<'a> {
        Box::pin(async move {
            let made = self.create_subresource(&ACCOUNTS, namespace, account, "token", request);
            made.await.map_err(|error| error.message)
        })
    }
}

/// The tokens of all pods of a node.
pub struct Tokens {
    issuer: Arc<dyn Issuer>,
    known: Mutex<HashMap<(String, Asked), Token>>,
}

#[derive(Clone)]
struct Token {
    text: String,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

impl Tokens {
    /// None yet.
    pub fn new(issuer: Arc<dyn Issuer>) -> Tokens {
        Tokens {
            issuer,
            known: Mutex::default(),
        }
    }

    /// The tokens that a pod's volumes ask for, and when the first of them is to be renewed. One that cannot be renewed is
    /// used as long as it holds.
    pub async fn granted(&self, pod: &Value, now: Timestamp) -> (Granted, Option<Timestamp>) {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let (mut granted, mut renew_at) = (Granted::new(), None::<Timestamp>);
        for asked in Asked::by(pod) {
            let key = (uid.to_owned(), asked.clone());
            let known = self.lock().get(&key).cloned();
            let token = match known.filter(|token| now < token.renew_at) {
                Some(token) => Ok(token),
                None => self.renewed(pod, key, now).await,
            };
            if let Ok(token) = &token {
                renew_at = Some(renew_at.map_or(token.renew_at, |first| first.min(token.renew_at)));
            }
            granted.insert(asked, token.map(|token| token.text));
        }
        (granted, renew_at)
    }

    /// A pod has ended.
    pub fn forget(&self, uid: &str) {
        self.lock().retain(|(owner, _), _| owner != uid);
    }

    async fn renewed(&self, pod: &Value, key: (String, Asked), now: Timestamp) -> Result<Token, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let namespace = text(&pod["metadata"]["namespace"]);
        let account = text(&pod["spec"]["serviceAccountName"]);
        let answer = self.issuer.issue(&namespace, &account, key.1.request(pod)).await;
        let error = match answer.as_ref().map(token_of) {
            Ok(Some(token)) => {
                self.lock().insert(key, token.clone());
                return Ok(token);
            }
            Ok(None) => "the answer has no token".to_owned(),
            Err(error) => error.clone(),
        };
        match self.lock().get(&key) {
            None => Err(format!("failed to fetch token: {error}")),
            Some(token) if now > token.ends_at => Err(format!(
                "token of {namespace}/{account} expired and refresh failed: {error}"
            )),
            Some(token) => Ok(token.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, Asked), Token>> {
        // Every change under this lock is one call: a panicked holder left it sound.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a TokenRequest was answered with. It is renewed when a fifth of its time is left, or after a day.
fn token_of(answer: &Value) -> Option<Token> {
    let ends_at: Timestamp = answer["status"]["expirationTimestamp"].as_str()?.parse().ok()?;
    let holds = SignedDuration::from_secs(answer["spec"]["expirationSeconds"].as_i64()?);
    let fifth = holds.checked_div(5)?;
    let begin = ends_at.checked_sub(holds).ok()?;
    let renew_at = ends_at
        .checked_sub(fifth)
        .ok()?
        .min(begin.checked_add(AGE_MAX).ok()?);
    Some(Token {
        text: answer["status"]["token"].as_str()?.to_owned(),
        renew_at,
        ends_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Grants tokens `t0`, `t1` ... from a time on; negative: refuses.
    struct Clerk(AtomicI64, Mutex<Timestamp>);

    impl Issuer for Clerk {
        fn issue<'a>(&'a self, _: &'a str, account: &'a str, request: Value) -> Answer<'a> {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let seconds = request["spec"]["expirationSeconds"]
                .as_i64()
                .expect("it is asked for");
            let ends = *self.1.lock().expect("nobody panics") + SignedDuration::from_secs(seconds);
            let answer = if number < 0 {
                Err(format!("serviceaccounts {account:?} not found"))
            } else {
                let mut answer = request;
                answer["status"] =
                    json!({"token": format!("t{number}"), "expirationTimestamp": ends.to_string()});
                Ok(answer)
            };
            Box::pin(async move { answer })
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(1_800_000_000 + seconds, 0).expect("a time")
    }

    fn pod(seconds: i64) -> Value {
        json!({"metadata": {"uid": "u", "namespace": "shop", "name": "p"}, "spec": {"serviceAccountName": "web", "volumes": [
            {"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": seconds, "path": "t"}}]}}]}})
    }

    async fn token(tokens: &Tokens, pod: &Value, seconds: i64) -> Result<String, String> {
        let (granted, _) = tokens.granted(pod, at(seconds)).await;
        granted.into_values().next().expect("one is asked for")
    }

    #[tokio::test]
    async fn tokens_are_renewed_when_a_fifth_of_their_time_is_left() {
        let clerk = Arc::new(Clerk(AtomicI64::new(0), Mutex::new(at(0))));
        let tokens = Tokens::new(clerk.clone());
        let pod = pod(1000);
        let (_, renew_at) = tokens.granted(&pod, at(0)).await;
        assert_eq!(renew_at, Some(at(800)));
        assert_eq!(token(&tokens, &pod, 799).await, Ok("t0".to_owned()));
        clerk.0.store(-2, Ordering::Relaxed);
        assert_eq!(
            token(&tokens, &pod, 900).await,
            Ok("t0".to_owned()),
            "it still holds"
        );
        let error = token(&tokens, &pod, 1001).await.expect_err("it holds no more");
        assert!(
            error.ends_with("expired and refresh failed: serviceaccounts \"web\" not found"),
            "{error}"
        );
        *clerk.1.lock().expect("nobody panics") = at(1001);
        assert_eq!(token(&tokens, &pod, 1001).await, Ok("t0".to_owned()));
        clerk.0.store(7, Ordering::Relaxed);
        tokens.forget("u");
        assert_eq!(token(&tokens, &pod, 1001).await, Ok("t7".to_owned()));
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_had_is_an_error() {
        let tokens = Tokens::new(Arc::new(Clerk(AtomicI64::new(-1), Mutex::new(at(0)))));
        let error = token(&tokens, &pod(600), 0).await;
        assert_eq!(
            error,
            Err("failed to fetch token: serviceaccounts \"web\" not found".to_owned())
        );
    }

    #[test]
    fn long_tokens_are_renewed_daily() {
        let answer = json!({"spec": {"expirationSeconds": 1_000_000},
                            "status": {"token": "t", "expirationTimestamp": at(1_000_000).to_string()}});
        assert_eq!(token_of(&answer).map(|token| token.renew_at), Some(at(86_400)));
    }
}
