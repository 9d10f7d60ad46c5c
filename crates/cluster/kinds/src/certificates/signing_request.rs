//! CertificateSigningRequest (`pkg/registry/certificates/certificates/strategy.go`,
//! `pkg/apis/certificates/validation/validation.go`). Whether the request within its PEM block is well formed and
//! signed takes cryptography and is not looked at here.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::field::go_quote;
use crate::rules::{GENERIC_RULES, Rules, Selectable, SubresourceRules};
use crate::{cell, check, columns, names, pem, table};

/// The row of CertificateSigningRequest.
pub const RULES: Rules = Rules {
    group: "certificates.k8s.io",
    version: "v1",
    kind: "CertificateSigningRequest",
    // Upstream has no rule of its own for its name.
    name: names::path_segment_name,
    default: |object| {
        object.ensure("spec");
    },
    prepare_create: |object| object.set("status", json!({})),
    prepare_update: |new, old| {
        new.keep("spec", old);
        new.keep("status", old);
    },
    prepare_status: |new, old| {
        new.keep("spec", old);
        keep_decisions(new, old);
        stamp_conditions(new, old);
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object), None, &mut out);
        out
    },
    validate_update: |new, old| validate_update(new, old, Change::Main),
    validate_status: |new, old| validate_update(new, old, Change::Status),
    columns: columns::CERTIFICATE_SIGNING_REQUEST,
    cells: |object, now| {
        let root = Field::root(object);
        let spec = root.get("spec");
        let seconds = spec.get("expirationSeconds");
        let duration = seconds
            .opt_int()
            .map_or_else(|| "<none>".to_owned(), table::human_duration);
        vec![
            table::name(object),
            table::age(object, now),
            cell::text_or(&spec.get("signerName"), "<none>"),
            spec.get("username").str().into(),
            duration.into(),
            shown_status(&root.get("status")).into(),
        ]
    },
    selectable: &[Selectable {
        name: "spec.signerName",
        value: |object| Field::root(object).get("spec").get("signerName").str().to_owned(),
    }],
    subresources: &[SubresourceRules {
        name: "approval",
        prepare: |new, old| {
            new.keep("spec", old);
            let conditions = new.get("status").cloned().unwrap_or_default();
            new.keep("status", old);
            new.ensure("status").keep("conditions", &conditions);
            stamp_conditions(new, old);
        },
        validate: |new, old| validate_update(new, old, Change::Approval),
    }],
    ..GENERIC_RULES
};

/// Which part of the object an update may change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Main,
    Status,
    Approval,
}

const APPROVED: &str = "Approved";
const DENIED: &str = "Denied";
const FAILED: &str = "Failed";
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
const EXPIRATION_MIN_SECONDS: i64 = 600;
const DOMAIN_MAX: usize = 253;
/// A domain, a slash, and a path that has room for a label and a subdomain.
const SIGNER_MAX: usize = DOMAIN_MAX + (253 + 63 + 1) + 1;
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Approvals and denials stay as they are where a status update has as many of them.
fn keep_decisions(new: &mut Value, old: &Value) {
    for kind in [APPROVED, DENIED] {
        let kept: Vec<Value> = of_type(old, kind).cloned().collect();
        if of_type(new, kind).count() != kept.len() {
            continue;
        }
        let Some(status) = new.child("status") else {
            continue;
        };
        let places = status
            .each("conditions")
            .filter(|condition| condition["type"] == kind);
        places.zip(kept).for_each(|(place, value)| *place = value);
    }
}

/// A condition without a time of change has the one it had, if its status is the same.
fn stamp_conditions(new: &mut Value, old: &Value) {
    let Some(status) = new.child("status") else { return };
    for condition in status.each("conditions") {
        let kind = condition
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let before = of_type(old, &kind).find(|before| before.get("status") == condition.get("status"));
        if let Some(time) = before.and_then(|before| before.get("lastTransitionTime")) {
            condition.default_to("lastTransitionTime", time.clone());
        }
    }
}

fn of_type<'v>(object: &'v Value, kind: &'v str) -> impl Iterator<Item = &'v Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .filter(move |condition| condition["type"] == kind)
}

fn validate(object: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    let spec = object.get("spec");
    let (usages, signer, expiration) = (
        spec.get("usages"),
        spec.get("signerName"),
        spec.get("expirationSeconds"),
    );
    let known = |field: &Field<'_>| field.strings().all(|usage| USAGES.contains(&usage));
    let old_spec = old.map(|old| old.get("spec"));
    let request = spec.get("request");
    let pem = base64::engine::general_purpose::STANDARD
        .decode(request.str())
        .unwrap_or_default();
    if pem::blocks(&pem)
        .first()
        .is_none_or(|kind| kind != "CERTIFICATE REQUEST")
    {
        out.push(request.invalid("PEM block type must be CERTIFICATE REQUEST"));
    }
    check::required(&usages, out);
    if old_spec.as_ref().is_none_or(|old| known(&old.get("usages"))) {
        for usage in usages.list().filter(|usage| !USAGES.contains(&usage.str())) {
            out.push(usage.not_supported(&USAGES));
        }
    }
    let mut seen = Vec::new();
    for usage in usages.list() {
        if old.is_none() && seen.contains(&usage.str()) {
            out.push(usage.duplicate());
        }
        seen.push(usage.str());
    }
    let was_legacy = old_spec.is_some_and(|old| old.get("signerName").str() == LEGACY_SIGNER);
    if signer.str() == LEGACY_SIGNER && !was_legacy {
        out.push(signer.invalid("the legacy signerName is not allowed via this API version"));
    } else {
        validate_signer(&signer, out);
    }
    if expiration
        .opt_int()
        .is_some_and(|seconds| seconds < EXPIRATION_MIN_SECONDS)
    {
        out.push(expiration.invalid("may not specify a duration less than 600 seconds (10 minutes)"));
    }
    validate_conditions(&object.get("status").get("conditions"), old, out);
    let certificate = object.get("status").get("certificate");
    let before = old.map(|old| old.get("status").get("certificate"));
    if before.is_none_or(|before| before.str() != certificate.str())
        && let Some(why) = not_certificates(certificate.str())
    {
        out.push(certificate.invalid_value("<certificate data>", why));
    }
}

/// Why a text in base64 is not a list of certificates; whether each can be read takes more than this crate knows.
fn not_certificates(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let kinds = pem::blocks(&bytes);
    if let Some(other) = kinds.iter().find(|kind| *kind != "CERTIFICATE") {
        let other = go_quote(other);
        return Some(format!("only CERTIFICATE PEM blocks are allowed, found {other}"));
    }
    let none = kinds.is_empty() && !bytes.is_empty();
    none.then(|| "must contain at least one CERTIFICATE PEM block".to_owned())
}

/// `pkg/apis/core/validation ValidateSignerName`
fn validate_signer(signer: &Field<'_>, out: &mut Findings) {
    if signer.is_empty() {
        out.push(signer.required(""));
        return;
    }
    let segments: Vec<&str> = signer.str().split('/').collect();
    let [domain, path] = segments[..] else {
        out.push(
            signer.invalid("must be a fully qualified domain and path of the form 'example.com/signer-name'"),
        );
        return;
    };
    if domain.len() > DOMAIN_MAX {
        out.push(signer.too_long(DOMAIN_MAX));
    }
    segment(signer, domain, names::dns_label, out);
    if !domain.contains('.') {
        out.push(signer.invalid_value(
            domain,
            "should be a domain with at least two segments separated by dots",
        ));
    }
    segment(signer, path, names::dns_subdomain, out);
    if signer.len() > SIGNER_MAX {
        out.push(signer.too_long(SIGNER_MAX));
    }
}

/// The first part between dots that does not follow the rule is reported.
fn segment(signer: &Field<'_>, text: &str, rule: fn(&str) -> Vec<String>, out: &mut Findings) {
    let bad = text.split('.').find(|part| !rule(part).is_empty());
    if let Some(part) = bad {
        for error in rule(part) {
            out.push(signer.invalid_value(text, format!("validating label {}: {error}", go_quote(part))));
        }
    }
}

fn validate_conditions(conditions: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    let before: Vec<&str> = old
        .map(|old| old.get("status").get("conditions"))
        .into_iter()
        .flat_map(|conditions| conditions.list().map(|c| c.get("type").str()).collect::<Vec<_>>())
        .collect();
    let both_before = before.contains(&APPROVED) && before.contains(&DENIED);
    let twice_before = (1..before.len()).any(|index| before[..index].contains(&before[index]));
    let mut seen: Vec<&str> = Vec::new();
    for condition in conditions.list() {
        let (kind, status) = (condition.get("type"), condition.get("status"));
        if kind.is_empty() && !before.contains(&"") {
            out.push(kind.required(""));
        }
        let allowed: &[&str] = match kind.str() {
            APPROVED | DENIED | FAILED => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        check::required_one_of(&status, allowed, out);
        let opposite = match kind.str() {
            APPROVED => DENIED,
            DENIED => APPROVED,
            _ => "",
        };
        if !both_before && !opposite.is_empty() && seen.contains(&opposite) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            out.push(conditions.invalid_value(kind.str(), detail));
        }
        if !twice_before && seen.contains(&kind.str()) {
            out.push(kind.duplicate_value(kind.str()));
        }
        seen.push(kind.str());
    }
}

fn validate_update(new: &Value, old: &Value, change: Change) -> Findings {
    let (root, old_root) = (Field::root(new), Field::root(old));
    let mut out = Vec::new();
    validate(&root, Some(&old_root), &mut out);
    let conditions = root.get("status").get("conditions");
    let count = |object, kind| of_type(object, kind).count();
    for kind in [APPROVED, DENIED, FAILED] {
        if count(new, kind) < count(old, kind) {
            out.push(conditions.forbidden(format!("updates may not remove a condition of type \"{kind}\"")));
        }
    }
    for kind in [APPROVED, DENIED] {
        if change != Change::Approval && count(new, kind) > count(old, kind) {
            out.push(conditions.forbidden(format!("updates may not add a condition of type \"{kind}\"")));
        }
    }
    let certificate = root.get("status").get("certificate");
    let before = old_root.get("status").get("certificate");
    if certificate.str() != before.str() {
        if change != Change::Status {
            out.push(certificate.forbidden("updates may not set certificate content"));
        } else if !before.is_empty() {
            out.push(certificate.forbidden("updates may not modify existing certificate content"));
        }
    }
    out
}

fn shown_status(status: &Field<'_>) -> String {
    let kinds: Vec<&str> = status
        .items("conditions")
        .map(|condition| condition.get("type").str())
        .collect();
    let mut shown = if kinds.contains(&DENIED) {
        DENIED.to_owned()
    } else if kinds.contains(&APPROVED) {
        APPROVED.to_owned()
    } else {
        "Pending".to_owned()
    };
    if kinds.contains(&FAILED) {
        shown.push_str(",Failed");
    }
    if !status.get("certificate").is_empty() {
        shown.push_str(",Issued");
    }
    shown
}
