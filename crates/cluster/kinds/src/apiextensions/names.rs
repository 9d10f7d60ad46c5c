//! The names of a custom resource (`ValidateCustomResourceDefinitionNames`).

use crate::cursor::{Field, Findings};
use crate::names::dns_1035_label;

/// Checks `spec.names` or `status.acceptedNames`; what is empty is fine here.
pub fn validate(names: &Field<'_>, out: &mut Findings) {
    for name in ["plural", "singular"] {
        label(&names.get(name), "", out);
    }
    for name in ["kind", "listKind"] {
        label(
            &names.get(name),
            "may have mixed case, but should otherwise match: ",
            out,
        );
    }
    for short in names.items("shortNames") {
        item(&short, out);
    }
    let (kind, list) = (names.get("kind"), names.get("listKind"));
    if !kind.is_empty() && kind.str() == list.str() {
        out.push(list.invalid("kind and listKind may not be the same"));
    }
    for category in names.items("categories") {
        item(&category, out);
    }
}

fn label(name: &Field<'_>, start: &str, out: &mut Findings) {
    if name.is_empty() {
        return;
    }
    let lower = name.str().to_lowercase();
    let texts = dns_1035_label(if start.is_empty() { name.str() } else { &lower });
    if !texts.is_empty() {
        out.push(name.invalid(format!("{start}{}", texts.join(","))));
    }
}

fn item(name: &Field<'_>, out: &mut Findings) {
    let texts = dns_1035_label(name.str());
    if !texts.is_empty() {
        out.push(name.invalid(texts.join(",")));
    }
}
