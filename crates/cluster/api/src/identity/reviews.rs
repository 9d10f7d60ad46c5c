//! TokenRequest, TokenReview and SelfSubjectReview: objects that are answered and not kept.

use deploy_cluster_kinds::field::{Finding, FindingKind};
use serde_json::{Map, Value, json};

use super::UserInfo;
use super::accounts::{Grant, Tokens};
use super::authenticator::Authenticator;
use crate::identifiers;
use crate::status::{About, StatusError};

const GROUP: &str = "authentication.k8s.io";
const DEFAULT_EXPIRATION_SECONDS: i64 = 3600;
/// `pkg/apis/authentication/validation`
const MIN_EXPIRATION_SECONDS: i64 = 600;
const MAX_EXPIRATION_SECONDS: i64 = 1 << 32;
/// What the ServiceAccount admission asks for: such a pod's token lives for a year, as upstream has it by default, for
/// clients that do not read it again (`--service-account-extend-token-expiration`).
const PROJECTED_EXPIRATION_SECONDS: i64 = 3607;
const EXTENDED_EXPIRATION_SECONDS: i64 = 365 * 24 * 3600;

/// Fills in what is known before anything is looked up (`pkg/apis/authentication/v1/defaults.go`).
pub fn default_token_request(request: &mut Value) {
    if request["spec"]["expirationSeconds"].is_null() {
        if !request["spec"].is_object() {
            set(request, "spec", json!({}));
        }
        request["spec"]["expirationSeconds"] = DEFAULT_EXPIRATION_SECONDS.into();
    }
}

/// Answers a create of `serviceaccounts/NAME/token` with the request, filled in
/// (`pkg/registry/core/serviceaccount/storage/token.go`).
pub fn token_request(
    tokens: &Tokens,
    namespace: &str,
    name: &str,
    mut request: Value,
    now: i64,
) -> Result<Value, StatusError> {
    let about = About::new(GROUP, "TokenRequest");
    for (field, own, what) in [("name", name, "name"), ("namespace", namespace, "namespace")] {
        let given = request["metadata"][field].as_str().unwrap_or_default();
        if !given.is_empty() && given != own {
            let path = format!("metadata.{field}");
            let detail = format!("must match the service account {what} if specified");
            return Err(StatusError::invalid(
                about,
                name,
                &[invalid(path, given.into(), detail)],
            ));
        }
    }
    let account = get(tokens, "/serviceaccounts", "serviceaccounts", namespace, name)?;
    let account_uid = text(&account["metadata"]["uid"]);
    let given_uid = text(&request["metadata"]["uid"]);
    if !given_uid.is_empty() && given_uid != account_uid {
        let why = format!(
            "the UID in the token request ({given_uid}) does not match the UID of the service account ({account_uid})"
        );
        return Err(StatusError::conflict(about, name, &why));
    }
    let metadata = json!({
        "name": name,
        "namespace": namespace,
        "uid": account_uid,
        "creationTimestamp": identifiers::time_text(now),
    });
    set(&mut request, "metadata", metadata);
    default_token_request(&mut request);
    let spec = complete_spec(&request["spec"], tokens.issuer());
    let expiration = spec["expirationSeconds"].as_i64().unwrap_or_default();
    let problem = if expiration < MIN_EXPIRATION_SECONDS {
        "may not specify a duration less than 10 minutes"
    } else if expiration > MAX_EXPIRATION_SECONDS {
        "may not specify a duration larger than 2^32 seconds"
    } else {
        ""
    };
    if !problem.is_empty() {
        let finding = invalid(
            "spec.expirationSeconds".to_owned(),
            expiration.into(),
            problem.to_owned(),
        );
        return Err(StatusError::invalid(about, "", &[finding]));
    }
    let audiences: Vec<String> = strings(&spec["audiences"]);
    let mut grant = Grant {
        account,
        audiences: &audiences,
        lifetime_seconds: expiration,
        ..Grant::default()
    };
    bind(tokens, namespace, name, &spec["boundObjectRef"], &mut grant)?;
    let ours = audiences.iter().all(|audience| audience == tokens.issuer());
    if grant.pod.is_some() && expiration == PROJECTED_EXPIRATION_SECONDS && ours {
        grant.warn_after_seconds = expiration;
        grant.lifetime_seconds = EXTENDED_EXPIRATION_SECONDS;
    }
    let status = json!({
        "token": tokens.issue(&grant, now),
        "expirationTimestamp": identifiers::time_text(now + expiration),
    });
    set(&mut request, "spec", spec);
    set(&mut request, "status", status);
    set(&mut request, "kind", "TokenRequest".into());
    set(&mut request, "apiVersion", "authentication.k8s.io/v1".into());
    Ok(request)
}

fn complete_spec(spec: &Value, issuer: &str) -> Value {
    let mut spec = spec.as_object().cloned().unwrap_or_default();
    if spec
        .get("audiences")
        .is_none_or(|a| a.as_array().is_none_or(Vec::is_empty))
    {
        spec.insert("audiences".to_owned(), json!([issuer]));
    }
    spec.entry("boundObjectRef").or_insert(Value::Null);
    Value::Object(spec)
}

/// Looks up what the token is to be bound to.
fn bind(
    tokens: &Tokens,
    namespace: &str,
    account: &str,
    reference: &Value,
    grant: &mut Grant<'_>,
) -> Result<(), StatusError> {
    if reference.is_null() {
        return Ok(());
    }
    let (kind, name) = (text(&reference["kind"]), text(&reference["name"]));
    let api_version = text(&reference["apiVersion"]);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let object = match (group, kind) {
        ("", "Pod") => {
            let pod = get(tokens, "/pods", "pods", namespace, name)?;
            if text(&pod["spec"]["serviceAccountName"]) != account {
                return Err(StatusError::bad_request(format!(
                    "cannot bind token for serviceaccount \"{account}\" to pod running with different serviceaccount name."
                )));
            }
            let node = text(&pod["spec"]["nodeName"]);
            if !node.is_empty() {
                let unknown = || json!({"metadata": {"name": node}});
                grant.node = Some(tokens.objects().get("/nodes", "", node).unwrap_or_else(unknown));
            }
            grant.pod.insert(pod)
        }
        ("", "Node") => grant.node.insert(get(tokens, "/nodes", "nodes", "", name)?),
        ("", "Secret") => grant
            .secret
            .insert(get(tokens, "/secrets", "secrets", namespace, name)?),
        _ => {
            let message = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(StatusError::bad_request(message));
        }
    };
    let (claimed, live) = (text(&reference["uid"]), text(&object["metadata"]["uid"]));
    if !claimed.is_empty() && claimed != live {
        let why = format!(
            "the UID in the bound object reference ({claimed}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(StatusError::conflict(About::new(group, kind), name, &why));
    }
    Ok(())
}

/// Answers a create of a TokenReview (`pkg/registry/authentication/tokenreview`).
pub fn token_review(
    authenticator: &Authenticator,
    mut review: Value,
    now: i64,
) -> Result<Value, StatusError> {
    let token = text(&review["spec"]["token"]);
    if token.is_empty() {
        return Err(StatusError::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let mut audiences = strings(&review["spec"]["audiences"]);
    if audiences.is_empty() {
        audiences.push(authenticator.tokens().issuer().to_owned());
    }
    let status = match authenticator.bearer(token, &audiences, now) {
        Ok(bearer) => json!({
            "authenticated": true,
            "user": user_value(&bearer.user),
            "audiences": bearer.audiences,
        }),
        Err(error) => json!({"user": {}, "error": error}),
    };
    set(&mut review, "status", status);
    Ok(review)
}

/// Answers a create of a SelfSubjectReview.
pub fn self_subject_review(user: &UserInfo, now: i64) -> Value {
    json!({
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": identifiers::time_text(now)},
        "status": {"userInfo": user_value(user)},
    })
}

/// A user as `authentication.k8s.io/v1.UserInfo`.
pub fn user_value(user: &UserInfo) -> Value {
    let mut value = Map::new();
    if !user.name.is_empty() {
        value.insert("username".to_owned(), user.name.as_str().into());
    }
    if !user.uid.is_empty() {
        value.insert("uid".to_owned(), user.uid.as_str().into());
    }
    if !user.groups.is_empty() {
        value.insert("groups".to_owned(), json!(user.groups));
    }
    if !user.extra.is_empty() {
        value.insert("extra".to_owned(), json!(user.extra));
    }
    value.into()
}

fn get(
    tokens: &Tokens,
    key: &str,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Result<Value, StatusError> {
    let object = tokens.objects().get(key, namespace, name);
    object.ok_or_else(|| StatusError::not_found(About::new("", resource), name))
}

fn invalid(path: String, value: Value, detail: String) -> Finding {
    Finding {
        kind: FindingKind::Invalid,
        path,
        value: Some(value),
        shown: None,
        detail,
    }
}

fn set(object: &mut Value, field: &str, value: Value) {
    if !object.is_object() {
        *object = json!({});
    }
    object[field] = value;
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::accounts::tests::{ISSUER, NOW, world};
    use crate::identity::jwt::tests::key;

    fn tokens() -> Arc<Tokens> {
        Arc::new(Tokens::new(key(), ISSUER, Arc::new(world())))
    }

    fn refusal(name: &str, request: Value) -> (u16, String) {
        let error = token_request(&tokens(), "shop", name, request, NOW).unwrap_err();
        (error.code, error.message)
    }

    #[test]
    fn token_requests_that_are_refused() {
        // Recorded from kube-apiserver 1.34.2.
        let prefix = "TokenRequest.authentication.k8s.io";
        let cases = [
            ("web", json!({"spec": {"expirationSeconds": 5}}), 422, format!("{prefix} \"\" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes")),
            ("web", json!({"spec": {"expirationSeconds": 4294967299_i64}}), 422, format!("{prefix} \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967299: may not specify a duration larger than 2^32 seconds")),
            ("web", json!({"metadata": {"name": "bob"}}), 422, format!("{prefix} \"web\" is invalid: metadata.name: Invalid value: \"bob\": must match the service account name if specified")),
            ("web", json!({"metadata": {"uid": "bob"}}), 409, format!("Operation cannot be fulfilled on {prefix} \"web\": the UID in the token request (bob) does not match the UID of the service account (u1)")),
            ("web", json!({"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "x"}}}), 404, "pods \"x\" not found".to_owned()),
            ("web", json!({"spec": {"boundObjectRef": {"kind": "Deployment", "apiVersion": "apps/v1", "name": "x"}}}), 400, "cannot bind token to object of type apps/v1, Kind=Deployment".to_owned()),
            ("web", json!({"spec": {"boundObjectRef": {"kind": "ConfigMap", "name": "x"}}}), 400, "cannot bind token to object of type /, Kind=ConfigMap".to_owned()),
            ("web", json!({"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "key", "uid": "xx"}}}), 409, "Operation cannot be fulfilled on Secret \"key\": the UID in the bound object reference (xx) does not match the UID in record. The object might have been deleted and then recreated".to_owned()),
            ("nobody", json!({}), 404, "serviceaccounts \"nobody\" not found".to_owned()),
        ];
        for (name, request, code, message) in cases {
            assert_eq!(refusal(name, request.clone()), (code, message), "{request}");
        }
    }

    #[test]
    fn a_granted_token_is_reviewed() {
        let tokens = tokens();
        let authenticator = Authenticator::new(tokens.clone());
        let reference = json!({"kind": "Pod", "apiVersion": "v1", "name": "web-0", "uid": "u2"});
        let request = json!({"spec": {"boundObjectRef": reference, "expirationSeconds": 3607}});
        let granted = token_request(&tokens, "shop", "web", request, NOW).unwrap();
        assert_eq!(granted["spec"]["audiences"], json!([ISSUER]));
        assert_eq!(granted["metadata"]["uid"], "u1");
        assert_eq!(
            granted["status"]["expirationTimestamp"],
            identifiers::time_text(NOW + 3607)
        );
        let review = json!({"kind": "TokenReview", "spec": {"token": granted["status"]["token"]}});
        // The token of a pod outlives what was asked for, for clients that do not read it again.
        let reviewed = token_review(&authenticator, review.clone(), NOW + 100 * 24 * 3600).unwrap();
        assert_eq!(reviewed["status"]["authenticated"], true);
        assert_eq!(reviewed["status"]["audiences"], json!([ISSUER]));
        assert_eq!(
            reviewed["status"]["user"]["username"],
            "system:serviceaccount:shop:web"
        );
        assert_eq!(reviewed["status"]["user"]["groups"][2], "system:authenticated");
        let error = |review: Value| token_review(&authenticator, review, NOW).unwrap()["status"].clone();
        let mut other = review.clone();
        other["spec"]["audiences"] = json!(["x"]);
        let text = "[invalid bearer token, token audiences [\"https://kubernetes.default.svc\"] is invalid for the target audiences [\"x\"]]";
        assert_eq!(error(other), json!({"user": {}, "error": text}));
        assert_eq!(
            error(json!({"spec": {"token": "bad"}})),
            json!({"user": {}, "error": "invalid bearer token"})
        );
        assert!(token_review(&authenticator, json!({"spec": {}}), NOW).is_err());
    }
}
