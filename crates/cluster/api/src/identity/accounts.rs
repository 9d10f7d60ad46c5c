//! Tokens of service accounts: what they claim, and whether it still holds (`kubernetes/pkg/serviceaccount/claims.go`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::jwt::{BadToken, SigningKey};
use super::{CREDENTIAL_ID, UserInfo};
use crate::admission::objects::Objects;
use crate::{identifiers, limits};

/// How far clocks may be apart (go-jose `jwt.DefaultLeeway`).
const LEEWAY_SECONDS: i64 = 60;

/// Issues and checks tokens.
pub struct Tokens {
    key: SigningKey,
    issuer: String,
    objects: Arc<dyn Objects>,
    /// Claims by the hash of the token. What they claim is checked each time.
    known: Mutex<HashMap<[u8; 32], Arc<Value>>>,
}

/// What a token is for.
#[derive(Clone, Debug, Default)]
pub struct Grant<'a> {
    /// The ServiceAccount object.
    pub account: Value,
    /// For whom the token is meant.
    pub audiences: &'a [String],
    /// How long it lives.
    pub lifetime_seconds: i64,
    /// After how long clients are told to get another; 0 for never.
    pub warn_after_seconds: i64,
    /// The pod that must live for the token to hold.
    pub pod: Option<Value>,
    /// The secret that must live for the token to hold.
    pub secret: Option<Value>,
    /// The node of the pod; alone, the node that must live for the token to hold.
    pub node: Option<Value>,
}

/// A token that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The service account as a user, without `system:authenticated`.
    pub user: UserInfo,
    /// The audiences that were asked for and that the token has.
    pub audiences: Vec<String>,
}

impl Tokens {
    /// Tokens of this issuer, a URL; it is also the audience of the API server itself.
    pub fn new(key: SigningKey, issuer: &str, objects: Arc<dyn Objects>) -> Tokens {
        Tokens {
            key,
            issuer: issuer.to_owned(),
            objects,
            known: Mutex::default(),
        }
    }

    /// The key that signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Who issues, and the audience of the API server.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What tokens are checked against.
    pub fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    /// A signed token.
    pub fn issue(&self, grant: &Grant<'_>, now: i64) -> String {
        let reference = |object: &Value| {
            let mut fields = Map::new();
            for field in ["name", "uid"] {
                if let Some(text) = object["metadata"][field].as_str() {
                    fields.insert(field.to_owned(), text.into());
                }
            }
            Value::Object(fields)
        };
        let metadata = &grant.account["metadata"];
        let mut kubernetes = json!({
            "namespace": metadata["namespace"],
            "serviceaccount": reference(&grant.account),
        });
        for (name, object) in [
            ("pod", &grant.pod),
            ("secret", &grant.secret),
            ("node", &grant.node),
        ] {
            if let Some(object) = object {
                kubernetes[name] = reference(object);
            }
        }
        if grant.warn_after_seconds > 0 {
            kubernetes["warnafter"] = (now + grant.warn_after_seconds).into();
        }
        let text = |field: &str| metadata[field].as_str().unwrap_or_default();
        self.key.sign(&json!({
            "aud": grant.audiences,
            "exp": now + grant.lifetime_seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": identifiers::uuid(),
            "kubernetes.io": kubernetes,
            "nbf": now,
            "sub": username(text("namespace"), text("name")),
        }))
    }

    /// Who the bearer of a token is. `Ok(None)`: it is no token of ours. The error is for a TokenReview, never for a
    /// client that failed to authenticate.
    pub fn recognise(
        &self,
        token: &str,
        audiences: &[String],
        now: i64,
    ) -> Result<Option<Recognised>, String> {
        let claims = match self.claims(token) {
            Ok(claims) => claims,
            Err(BadToken::Foreign) => return Ok(None),
            Err(BadToken::UnknownKey) => return Err("invalid signature, no keys found".to_owned()),
            Err(BadToken::Forged) => {
                return Err("go-jose/go-jose: error in cryptographic primitive".to_owned());
            }
        };
        let held = audiences_of(&claims);
        let held = if held.is_empty() {
            vec![self.issuer.clone()]
        } else {
            held
        };
        let common: Vec<String> = held
            .iter()
            .filter(|audience| audiences.contains(audience))
            .cloned()
            .collect();
        if common.is_empty() {
            return Err(format!(
                "token audiences {} is invalid for the target audiences {}",
                go_list(&held),
                go_list(audiences)
            ));
        }
        check_times(&claims, now)?;
        let user = self.check_references(&claims, now)?;
        Ok(Some(Recognised {
            user,
            audiences: common,
        }))
    }

    /// The claims of a token that we signed.
    fn claims(&self, token: &str) -> Result<Arc<Value>, BadToken> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = known().get(&hash) {
            return Ok(claims.clone());
        }
        let claims = Arc::new(self.key.verify(token, &self.issuer)?);
        let mut known = known();
        if known.len() >= limits::KNOWN_TOKENS {
            known.clear();
        }
        known.insert(hash, claims.clone());
        Ok(claims)
    }

    /// Holds the claims against what there is now: a token ends with what it is bound to.
    fn check_references(&self, claims: &Value, now: i64) -> Result<UserInfo, String> {
        let claim = &claims["kubernetes.io"];
        let namespace = claim["namespace"].as_str().unwrap_or_default();
        let (name, uid) = named(&claim["serviceaccount"]);
        let account = self.objects.get("/serviceaccounts", namespace, name);
        let account = account.ok_or_else(|| format!("serviceaccounts \"{name}\" not found"))?;
        let live_uid = account["metadata"]["uid"].as_str().unwrap_or_default();
        if live_uid != uid {
            return Err(format!(
                "service account UID ({live_uid}) does not match claim ({uid})"
            ));
        }
        if deleted_before(&account, now - LEEWAY_SECONDS) {
            return Err(format!("service account {namespace}/{name} has been deleted"));
        }
        let mut user = service_account_user(namespace, name, uid);
        let mut note = |key: &str, value: &str| {
            user.extra.insert(
                format!("authentication.kubernetes.io/{key}"),
                vec![value.to_owned()],
            );
        };
        let bound = |what: &str, resource: &str, namespace: &str| {
            self.check_bound(&claim[what], what, resource, namespace, now)
        };
        if claim["secret"].is_object() {
            bound("secret", "/secrets", namespace)?;
        }
        if claim["pod"].is_object() {
            bound("pod", "/pods", namespace)?;
            let (name, uid) = named(&claim["pod"]);
            note("pod-name", name);
            note("pod-uid", uid);
        }
        if claim["node"].is_object() {
            // For a pod's token the node is information only.
            if !claim["pod"].is_object() {
                bound("node", "/nodes", "")?;
            }
            let (name, uid) = named(&claim["node"]);
            note("node-name", name);
            if !uid.is_empty() {
                note("node-uid", uid);
            }
        }
        if let Some(id) = claims["jti"].as_str().filter(|id| !id.is_empty()) {
            user.extra
                .insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")]);
        }
        Ok(user)
    }

    fn check_bound(
        &self,
        claim: &Value,
        what: &str,
        resource: &str,
        namespace: &str,
        now: i64,
    ) -> Result<(), String> {
        let gone = || "service account token has been invalidated".to_owned();
        let (name, uid) = named(claim);
        let object = self.objects.get(resource, namespace, name).ok_or_else(gone)?;
        let live_uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        if live_uid != uid {
            return Err(format!(
                "{what} UID ({live_uid}) does not match service account {what} ref claim ({uid})"
            ));
        }
        if deleted_before(&object, now - LEEWAY_SECONDS) {
            return Err(gone());
        }
        Ok(())
    }
}

/// The user of a service account.
pub fn service_account_user(namespace: &str, name: &str, uid: &str) -> UserInfo {
    UserInfo {
        name: username(namespace, name),
        uid: uid.to_owned(),
        groups: groups(namespace),
        ..UserInfo::default()
    }
}

/// `system:serviceaccount:default:builder`
pub fn username(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The groups of the service accounts of a namespace.
pub fn groups(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ]
}

/// Namespace and name of the service account that has this user name.
pub fn split_username(name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let part = |text: &str, dots: bool| {
        let label = |label: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let ends =
                label.bytes().next().is_some_and(inner) && label.bytes().next_back().is_some_and(inner);
            ends && label.bytes().all(|b| inner(b) || b == b'-')
        };
        if dots {
            text.len() <= 253 && text.split('.').all(label)
        } else {
            text.len() <= 63 && label(text)
        }
    };
    (part(namespace, false) && part(name, true)).then_some((namespace, name))
}

/// Name and uid of a reference in the claims.
fn named(reference: &Value) -> (&str, &str) {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    (text("name"), text("uid"))
}

fn audiences_of(claims: &Value) -> Vec<String> {
    match &claims["aud"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn check_times(claims: &Value, now: i64) -> Result<(), String> {
    let time = |claim: &str| claims[claim].as_i64();
    let problem = if time("nbf").is_some_and(|nbf| now + LEEWAY_SECONDS < nbf) {
        "service account token is not valid yet"
    } else if time("exp").is_some_and(|exp| now - LEEWAY_SECONDS > exp) {
        "service account token has expired"
    } else if time("iat").is_some_and(|iat| now + LEEWAY_SECONDS < iat) {
        "service account token is issued in the future"
    } else {
        return Ok(());
    };
    Err(problem.to_owned())
}

fn deleted_before(object: &Value, time: i64) -> bool {
    let deleted = object["metadata"]["deletionTimestamp"].as_str();
    deleted
        .and_then(identifiers::parse_time)
        .is_some_and(|deleted| deleted < time)
}

/// A list as Go prints it with `%q`.
pub(crate) fn go_list(items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| Value::from(item.as_str()).to_string())
        .collect();
    format!("[{}]", items.join(" "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::admission::objects::Memory;
    use crate::identity::jwt::tests::key;

    pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";
    pub(crate) const NOW: i64 = 1_790_000_000;

    fn object(name: &str, uid: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "shop", "uid": uid}})
    }

    pub(crate) fn world() -> Memory {
        let mut world = Memory::default();
        world.put("/serviceaccounts", object("web", "u1"));
        world.put("/pods", {
            let mut pod = object("web-0", "u2");
            pod["spec"] = json!({"serviceAccountName": "web", "nodeName": "n1"});
            pod
        });
        world.put("/secrets", object("key", "u3"));
        world.put("/nodes", json!({"metadata": {"name": "n1", "uid": "u4"}}));
        world
    }

    #[derive(Clone, Copy)]
    enum Bound {
        Nothing,
        Pod,
        Secret,
        Node,
    }

    /// Issues a token in one world and shows it in another, later.
    fn shown(bound: Bound, after: i64, change: impl FnOnce(&mut Memory)) -> Result<UserInfo, String> {
        let mut objects = world();
        let audiences = [ISSUER.to_owned()];
        let mut grant = Grant {
            account: objects.get("/serviceaccounts", "shop", "web").unwrap(),
            audiences: &audiences,
            lifetime_seconds: 3600,
            ..Grant::default()
        };
        match bound {
            Bound::Nothing => {}
            Bound::Pod => {
                grant.pod = objects.get("/pods", "shop", "web-0");
                grant.node = objects.get("/nodes", "", "n1");
            }
            Bound::Secret => grant.secret = objects.get("/secrets", "shop", "key"),
            Bound::Node => grant.node = objects.get("/nodes", "", "n1"),
        }
        let tokens = Tokens::new(key(), ISSUER, Arc::new(objects.clone()));
        let token = tokens.issue(&grant, NOW);
        change(&mut objects);
        let tokens = Tokens::new(tokens.key, ISSUER, Arc::new(objects));
        tokens
            .recognise(&token, &audiences, NOW + after)
            .map(|found| found.expect("it is ours").user)
    }

    #[test]
    fn a_token_holds_as_long_as_what_it_is_bound_to() {
        let user = shown(Bound::Nothing, 0, |_| {}).unwrap();
        assert_eq!(user.name, "system:serviceaccount:shop:web");
        assert_eq!((user.uid.as_str(), user.groups.len()), ("u1", 2));
        assert!(user.extra[CREDENTIAL_ID][0].starts_with("JTI="));
        let user = shown(Bound::Pod, 3600, |_| {}).unwrap();
        assert_eq!(user.extra["authentication.kubernetes.io/pod-name"], ["web-0"]);
        assert_eq!(user.extra["authentication.kubernetes.io/node-uid"], ["u4"]);
        assert!(shown(Bound::Secret, 0, |_| {}).is_ok());
        assert!(shown(Bound::Node, 0, |_| {}).is_ok());
        assert!(shown(Bound::Pod, 0, |w| w.remove("/nodes", "", "n1")).is_ok());
    }

    #[test]
    fn tokens_that_no_longer_hold() {
        let invalidated = "service account token has been invalidated";
        let deleted = |resource: &'static str, name: &'static str| {
            move |world: &mut Memory| {
                let mut object = world.get(resource, "shop", name).unwrap();
                object["metadata"]["deletionTimestamp"] = identifiers::time_text(NOW - 100).into();
                world.put(resource, object);
            }
        };
        type Change = Box<dyn FnOnce(&mut Memory)>;
        let cases: Vec<(Bound, i64, Change, &str)> = vec![
            (
                Bound::Nothing,
                3661,
                Box::new(|_| {}),
                "service account token has expired",
            ),
            (
                Bound::Nothing,
                -61,
                Box::new(|_| {}),
                "service account token is not valid yet",
            ),
            (
                Bound::Nothing,
                0,
                Box::new(|w| w.remove("/serviceaccounts", "shop", "web")),
                "serviceaccounts \"web\" not found",
            ),
            (
                Bound::Nothing,
                0,
                Box::new(|w| w.put("/serviceaccounts", object("web", "new"))),
                "service account UID (new) does not match claim (u1)",
            ),
            (
                Bound::Nothing,
                0,
                Box::new(deleted("/serviceaccounts", "web")),
                "service account shop/web has been deleted",
            ),
            (
                Bound::Pod,
                0,
                Box::new(|w| w.remove("/pods", "shop", "web-0")),
                invalidated,
            ),
            (Bound::Pod, 0, Box::new(deleted("/pods", "web-0")), invalidated),
            (
                Bound::Pod,
                0,
                Box::new(|w| w.put("/pods", object("web-0", "new"))),
                "pod UID (new) does not match service account pod ref claim (u2)",
            ),
            (
                Bound::Secret,
                0,
                Box::new(|w| w.put("/secrets", object("key", "new"))),
                "secret UID (new) does not match service account secret ref claim (u3)",
            ),
            (
                Bound::Node,
                0,
                Box::new(|w| w.remove("/nodes", "", "n1")),
                invalidated,
            ),
        ];
        for (bound, after, change, expected) in cases {
            assert_eq!(shown(bound, after, change), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_token_is_for_its_audiences() {
        let tokens = Tokens::new(key(), ISSUER, Arc::new(world()));
        let audiences = ["a".to_owned(), "b".to_owned()];
        let grant = Grant {
            account: tokens.objects().get("/serviceaccounts", "shop", "web").unwrap(),
            audiences: &audiences,
            lifetime_seconds: 3600,
            ..Grant::default()
        };
        let token = tokens.issue(&grant, NOW);
        let found = tokens
            .recognise(&token, &["b".to_owned(), "c".to_owned()], NOW)
            .unwrap()
            .unwrap();
        assert_eq!(found.audiences, ["b"]);
        let error = tokens.recognise(&token, &[ISSUER.to_owned()], NOW).unwrap_err();
        assert_eq!(
            error,
            "token audiences [\"a\" \"b\"] is invalid for the target audiences [\"https://kubernetes.default.svc\"]"
        );
    }

    #[test]
    fn user_names_of_service_accounts() {
        assert_eq!(split_username("system:serviceaccount:a:b.c"), Some(("a", "b.c")));
        for name in [
            "alice",
            "system:serviceaccount:a",
            "system:serviceaccount:a:",
            "system:serviceaccount::b",
            "system:serviceaccount:a:b:c",
            "system:serviceaccount:A:b",
        ] {
            assert_eq!(split_username(name), None, "{name}");
        }
    }
}
