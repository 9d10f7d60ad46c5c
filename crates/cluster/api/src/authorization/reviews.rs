//! SubjectAccessReview and its kin: objects that are answered and not kept (`pkg/registry/authorization`).

use deploy_cluster_kinds::field::{Finding, FindingKind};
use serde_json::{Map, Value, json};

use super::rbac::Rbac;
use super::{Attributes, Authorizer, Decision};
use crate::identity::UserInfo;
use crate::status::{About, StatusError};

/// Answers a create of a SubjectAccessReview.
pub fn subject_access_review(authorizer: &dyn Authorizer, mut review: Value) -> Result<Value, StatusError> {
    let mut findings = check_spec(&review["spec"], true);
    check_metadata(&review, "", &mut findings);
    refuse(&findings)?;
    review["status"] = answer(authorizer, &subject(&review["spec"]), &review["spec"]);
    Ok(review)
}

/// Answers a create of a LocalSubjectAccessReview in `namespace`.
pub fn local_subject_access_review(
    authorizer: &dyn Authorizer,
    mut review: Value,
    namespace: &str,
) -> Result<Value, StatusError> {
    let spec = &review["spec"];
    let mut findings = check_spec(spec, true);
    check_metadata(&review, "namespace", &mut findings);
    let own = text(&review["metadata"]["namespace"]);
    if spec["resourceAttributes"].is_object() {
        let wanted = text(&spec["resourceAttributes"]["namespace"]);
        if wanted != own {
            let path = "spec.resourceAttributes.namespace";
            findings.push(invalid(path, wanted.into(), "must match metadata.namespace"));
        }
    }
    if spec["nonResourceAttributes"].is_object() {
        let value = paths_in_go(&spec["nonResourceAttributes"]);
        findings.push(invalid(
            "spec.nonResourceAttributes",
            value,
            "disallowed on this kind of request",
        ));
    }
    refuse(&findings)?;
    if own != namespace {
        let message = format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
        return Err(StatusError::bad_request(message));
    }
    review["status"] = answer(authorizer, &subject(&review["spec"]), &review["spec"]);
    Ok(review)
}

/// Answers a create of a SelfSubjectAccessReview.
pub fn self_subject_access_review(
    authorizer: &dyn Authorizer,
    user: &UserInfo,
    mut review: Value,
) -> Result<Value, StatusError> {
    let mut findings = check_spec(&review["spec"], false);
    check_metadata(&review, "", &mut findings);
    refuse(&findings)?;
    review["status"] = answer(authorizer, user, &review["spec"]);
    Ok(review)
}

/// Answers a create of a SelfSubjectRulesReview.
pub fn self_subject_rules_review(rbac: &Rbac, user: &UserInfo, review: &Value) -> Result<Value, StatusError> {
    let namespace = text(&review["spec"]["namespace"]);
    if namespace.is_empty() {
        return Err(StatusError::bad_request("no namespace on request"));
    }
    let held = rbac.held(user, namespace);
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for rule in &held.rules {
        let value = rule.value();
        if !rule.resources.is_empty() {
            resources.push(without(&value, &["nonResourceURLs"]));
        }
        if !rule.paths.is_empty() {
            paths.push(without(&value, &["apiGroups", "resources", "resourceNames"]));
        }
    }
    let mut status = json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false});
    if !held.missing_roles.is_empty() {
        let texts = held.missing_roles.iter().map(super::rbac::RoleRef::not_found);
        status["evaluationError"] = crate::status::aggregate(texts).into();
    }
    Ok(json!({
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {},
        "status": status,
    }))
}

fn without(value: &Value, fields: &[&str]) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !fields.contains(&key.as_str()));
    }
    value
}

fn answer(authorizer: &dyn Authorizer, user: &UserInfo, spec: &Value) -> Value {
    let paths = &spec["nonResourceAttributes"];
    let wanted = &spec["resourceAttributes"];
    let version = text(&wanted["version"]);
    let attributes = if paths.is_object() {
        Attributes {
            user: Some(user),
            verb: text(&paths["verb"]),
            path: text(&paths["path"]),
            ..Attributes::default()
        }
    } else {
        Attributes {
            user: Some(user),
            verb: text(&wanted["verb"]),
            group: text(&wanted["group"]),
            version: if version.is_empty() { "*" } else { version },
            resource: text(&wanted["resource"]),
            subresource: text(&wanted["subresource"]),
            namespace: text(&wanted["namespace"]),
            name: text(&wanted["name"]),
            resource_request: true,
            path: "",
        }
    };
    let (allowed, reason) = match authorizer.authorize(&attributes) {
        Decision::Allow(reason) => (true, reason),
        Decision::NoOpinion(reason) => (false, reason),
    };
    let mut status = json!({"allowed": allowed});
    if !reason.is_empty() {
        status["reason"] = reason.into();
    }
    status
}

/// The user that a review asks about.
fn subject(spec: &Value) -> UserInfo {
    let strings = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let extra = spec["extra"].as_object().into_iter().flatten();
    UserInfo {
        name: text(&spec["user"]).to_owned(),
        uid: text(&spec["uid"]).to_owned(),
        groups: strings(&spec["groups"]),
        extra: extra
            .map(|(key, values)| (key.clone(), strings(values)))
            .collect(),
    }
}

/// `pkg/apis/authorization/validation`
fn check_spec(spec: &Value, names_user: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    match (resource.is_object(), path.is_object()) {
        (true, true) => findings.push(invalid(
            "spec.nonResourceAttributes",
            paths_in_go(path),
            "cannot be specified in combination with resourceAttributes",
        )),
        (false, false) => findings.push(invalid(
            "spec.resourceAttributes",
            Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )),
        _ => {}
    }
    let no_groups = spec["groups"].as_array().is_none_or(Vec::is_empty);
    if names_user && text(&spec["user"]).is_empty() && no_groups {
        findings.push(invalid(
            "spec.user",
            "".into(),
            "at least one of user or group must be specified",
        ));
    }
    for selector in ["fieldSelector", "labelSelector"] {
        check_selector(
            &resource[selector],
            &format!("spec.resourceAttributes.{selector}"),
            &mut findings,
        );
    }
    findings
}

fn check_selector(selector: &Value, path: &str, findings: &mut Vec<Finding>) {
    if !selector.is_object() {
        return;
    }
    let raw = text(&selector["rawSelector"]);
    let requirements = selector["requirements"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if !raw.is_empty() && requirements {
        let detail = "may not specified at the same time as requirements";
        findings.push(invalid(&format!("{path}.rawSelector"), raw.into(), detail));
    }
    if raw.is_empty() && !requirements {
        findings.push(Finding {
            kind: FindingKind::Required,
            path: format!("{path}.requirements"),
            value: None,
            shown: None,
            detail: format!("when {path} is specified, requirements or rawSelector is required"),
        });
    }
}

fn check_metadata(review: &Value, allowed: &str, findings: &mut Vec<Finding>) {
    let metadata: Map<String, Value> = review["metadata"].as_object().cloned().unwrap_or_default();
    let mut rest = metadata.iter().filter(|(key, value)| {
        *key != allowed && *key != "managedFields" && !value.is_null() && *value != "" && **value != json!({})
    });
    if rest.next().is_some() {
        let detail = if allowed.is_empty() {
            "must be empty"
        } else {
            "must be empty except for namespace"
        };
        findings.push(invalid("metadata", Value::Object(metadata), detail));
    }
}

/// As upstream prints the attributes: by the names that the fields have in Go.
fn paths_in_go(attributes: &Value) -> Value {
    json!({"Path": text(&attributes["path"]), "Verb": text(&attributes["verb"])})
}

/// The kind is empty in upstream's text: it forgets to fill it in.
fn refuse(findings: &[Finding]) -> Result<(), StatusError> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(StatusError::invalid(
        About::new("authorization.k8s.io", ""),
        "",
        findings,
    ))
}

fn invalid(path: &str, value: Value, detail: &str) -> Finding {
    Finding {
        kind: FindingKind::Invalid,
        path: path.to_owned(),
        value: Some(value),
        shown: None,
        detail: detail.to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::rbac::tests::world;

    fn message(result: Result<Value, StatusError>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn access_is_reviewed() {
        let rbac = world();
        let ann = UserInfo::named("ann", &["developers"]);
        let spec = json!({"resourceAttributes": {"verb": "list", "resource": "pods", "namespace": "shop"}});
        let review = json!({"kind": "SelfSubjectAccessReview", "spec": spec});
        let answer = self_subject_access_review(&rbac, &ann, review).unwrap();
        let reason = "RBAC: allowed by ClusterRoleBinding \"readers\" of ClusterRole \"reader\" to Group \"developers\"";
        assert_eq!(answer["status"], json!({"allowed": true, "reason": reason}));
        let mut other = spec.clone();
        other["user"] = "nobody".into();
        let answer = subject_access_review(&rbac, json!({"spec": other})).unwrap();
        assert_eq!(answer["status"], json!({"allowed": false}));
        other["groups"] = json!(["developers"]);
        let local = json!({"metadata": {"namespace": "shop"}, "spec": other});
        let answer = local_subject_access_review(&rbac, local, "shop").unwrap();
        assert_eq!(answer["status"]["allowed"], true);
        let path = json!({"spec": {"groups": ["system:masters"], "nonResourceAttributes": {"path": "/x", "verb": "get"}}});
        assert_eq!(
            subject_access_review(&rbac, path).unwrap()["status"],
            json!({"allowed": true})
        );
    }

    #[test]
    fn reviews_that_are_refused() {
        // Recorded from kube-apiserver 1.34.2.
        let rbac = world();
        let ann = UserInfo::named("ann", &[]);
        let both = json!({"spec": {
            "resourceAttributes": {"verb": "list", "resource": "pods"},
            "nonResourceAttributes": {"path": "/version", "verb": "get"},
        }});
        let prefix = ".authorization.k8s.io \"\" is invalid: ";
        let cases = [
            (
                json!({"spec": {}}),
                "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
            ),
            (
                both,
                "spec.nonResourceAttributes: Invalid value: {\"Path\":\"/version\",\"Verb\":\"get\"}: cannot be specified in combination with resourceAttributes",
            ),
        ];
        for (review, expected) in cases {
            let found = message(self_subject_access_review(&rbac, &ann, review));
            assert_eq!(found, format!("{prefix}{expected}"));
        }
        let nobody = json!({"spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}}});
        let found = message(subject_access_review(&rbac, nobody));
        assert_eq!(
            found,
            format!(
                "{prefix}spec.user: Invalid value: \"\": at least one of user or group must be specified"
            )
        );
        let elsewhere = json!({"metadata": {"namespace": "a"}, "spec": {"user": "x", "resourceAttributes": {"namespace": "other"}}});
        let found = message(local_subject_access_review(&rbac, elsewhere, "a"));
        let expected =
            "spec.resourceAttributes.namespace: Invalid value: \"other\": must match metadata.namespace";
        assert_eq!(found, format!("{prefix}{expected}"));
        assert_eq!(
            message(self_subject_rules_review(&rbac, &ann, &json!({}))),
            "no namespace on request"
        );
    }

    #[test]
    fn rules_are_listed() {
        let ann = UserInfo::named("ann", &["developers"]);
        let review =
            self_subject_rules_review(&world(), &ann, &json!({"spec": {"namespace": "shop"}})).unwrap();
        let rule = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]});
        assert_eq!(
            review["status"],
            json!({"resourceRules": [rule], "nonResourceRules": [], "incomplete": false})
        );
        let bob = UserInfo::named("bob", &[]);
        let review =
            self_subject_rules_review(&world(), &bob, &json!({"spec": {"namespace": "shop"}})).unwrap();
        let error = "clusterrole.rbac.authorization.k8s.io \"nobind\" not found";
        assert_eq!(review["status"]["evaluationError"], error);
    }
}
