//! The syntax of names, keys and values, with upstream's texts
//! (`k8s.io/apimachinery/pkg/util/validation/validation.go`, `pkg/api/validation/{generic.go,path/name.go}`).
//!
//! Each function takes a text and tells what is wrong with it; an empty answer means nothing is.

use crate::limits::{LABEL_MAX, LABEL_VALUE_MAX, PORT_NAME_MAX, QUALIFIED_NAME_MAX, SUBDOMAIN_MAX};

/// The rule of a kind for `metadata.name`; the flag says that the name is a `generateName`, which is only a start.
pub type NameRule = fn(&str, bool) -> Vec<String>;

const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_UNDERSCORE: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// A DNS subdomain, as most kinds are named: `a.b-c`.
pub fn dns_subdomain_name(name: &str, prefix: bool) -> Vec<String> {
    dns_subdomain(&masked(name, prefix))
}

/// A DNS label, as namespaces and services-like kinds are named: `a-b`.
pub fn dns_label_name(name: &str, prefix: bool) -> Vec<String> {
    dns_label(&masked(name, prefix))
}

/// A DNS label that starts with a letter.
pub fn dns_1035_label_name(name: &str, prefix: bool) -> Vec<String> {
    dns_1035_label(&masked(name, prefix))
}

/// Anything that can be a segment of a path: what roles are named, and what every kind is held to besides its own
/// rule.
pub fn path_segment_name(name: &str, prefix: bool) -> Vec<String> {
    if !prefix && (name == "." || name == "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| name.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// A trailing dash of a `generateName` is fine: it is judged as if a letter stood there. (Upstream drops the
/// character before the dash too.)
fn masked(name: &str, prefix: bool) -> std::borrow::Cow<'_, str> {
    if prefix && name.len() > 1 && name.ends_with('-') {
        let bytes = &name.as_bytes()[..name.len() - 2];
        format!("{}a", String::from_utf8_lossy(bytes)).into()
    } else {
        name.into()
    }
}

/// RFC 1123 subdomain.
pub fn dns_subdomain(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_MAX);
    if !is_dns_subdomain(value) {
        errors.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character",
            SUBDOMAIN,
            &["example.com"],
        ));
    }
    errors
}

/// RFC 1123 subdomain in which underscores are allowed too (`setHostnameAsFQDN`, DNS searches).
pub fn dns_subdomain_with_underscore(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_MAX);
    let label = |label: &str| {
        let rest = label.strip_prefix('_').unwrap_or(label).as_bytes();
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        is_bounded(rest, lower_alphanumeric) && rest.iter().all(inner)
    };
    if !value.split('.').all(label) {
        let form = SUBDOMAIN_UNDERSCORE.replace(
            "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
            "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?",
        );
        errors.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and \
             must start and end with an alphanumeric character",
            &form,
            &["example.com"],
        ));
    }
    errors
}

/// RFC 1123 label.
pub fn dns_label(value: &str) -> Vec<String> {
    let mut errors = too_long(value, LABEL_MAX);
    if !is_dns_label(value) {
        errors.push(if is_dns_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            pattern(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                 and end with an alphanumeric character",
                LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    errors
}

/// RFC 1035 label: it starts with a letter.
pub fn dns_1035_label(value: &str) -> Vec<String> {
    let mut errors = too_long(value, LABEL_MAX);
    if !is_dns_label(value) || !value.as_bytes().first().is_some_and(u8::is_ascii_lowercase) {
        errors.push(pattern(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            LABEL_1035,
            &["my-name", "abc-123"],
        ));
    }
    errors
}

/// `*.` and a subdomain.
pub fn wildcard_dns_subdomain(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_MAX);
    if !value.strip_prefix("*.").is_some_and(is_dns_subdomain) {
        errors.push(pattern(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist \
             of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &format!(r"\*\.{SUBDOMAIN}"),
            &["*.example.com"],
        ));
    }
    errors
}

/// A qualified name: the key of a label, an annotation, a finalizer, a resource: `[prefix/]name`.
pub fn qualified_name(value: &str) -> Vec<String> {
    let form = |part: &str| {
        pattern(
            &format!(
                "{part} must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                 alphanumeric character"
            ),
            QUALIFIED,
            &["MyName", "my.name", "123-abc"],
        )
    };
    let mut errors = Vec::new();
    let parts: Vec<&str> = value.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(
                    dns_subdomain(prefix)
                        .into_iter()
                        .map(|text| format!("prefix part {text}")),
                );
            }
            name
        }
        _ => {
            let text = form("a qualified name");
            return vec![format!(
                "{text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > QUALIFIED_NAME_MAX {
        errors.push(format!(
            "name part must be no more than {QUALIFIED_NAME_MAX} characters"
        ));
    }
    if !is_qualified_part(name) {
        errors.push(form("name part"));
    }
    errors
}

/// The value of a label.
pub fn label_value(value: &str) -> Vec<String> {
    let mut errors = too_long(value, LABEL_VALUE_MAX);
    if !value.is_empty() && !is_qualified_part(value) {
        errors.push(pattern(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            &format!("({QUALIFIED})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

/// A C identifier.
pub fn c_identifier(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let starts = bytes
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    if starts && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return Vec::new();
    }
    vec![pattern(
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric \
         characters or '_'",
        "[A-Za-z_][A-Za-z0-9_]*",
        &["my_name", "MY_NAME", "MyName"],
    )]
}

/// The name of an environment variable: printable ASCII without `=` (RelaxedEnvironmentVariableValidation is on).
pub fn env_var_name(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.is_empty() {
        errors.push("environment variable name must be non-empty".to_owned());
    }
    if value.chars().any(|c| !(' '..='~').contains(&c) || c == '=') {
        errors.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    errors
}

/// A key of a ConfigMap or Secret.
pub fn config_map_key(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_MAX);
    if value.is_empty() || !value.bytes().all(is_qualified_byte) {
        errors.push(pattern(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match value {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if value.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// The name of a port.
pub fn port_name(value: &str) -> Vec<String> {
    let mut errors = too_long(value, PORT_NAME_MAX);
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if value.is_empty() || !value.bytes().all(allowed) {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !value.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// The number of a port.
pub fn port_number(value: i64) -> Vec<String> {
    in_range(value, 1, 65535)
}

/// A number between two others, both included.
pub fn in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&value) {
        Vec::new()
    } else {
        vec![range_text(low, high)]
    }
}

/// `must be between 1 and 65535, inclusive`
pub fn range_text(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// A user or group id.
pub fn user_id(value: i64) -> Vec<String> {
    in_range(value, 0, i64::from(i32::MAX))
}

/// `25%`
pub fn percent(value: &str) -> Vec<String> {
    let digits = value.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    vec![pattern(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// The name of an HTTP header.
pub fn http_header_name(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Vec::new();
    }
    vec![pattern(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// `TEXT (e.g. 'A',  or 'B', regex used for validation is 'FORM')`
pub fn pattern(text: &str, form: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{text} (regex used for validation is '{form}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!(
        "{text} (e.g. {}regex used for validation is '{form}')",
        examples.join(" or ")
    )
}

/// Whether this is an RFC 1123 label, its length aside.
pub fn is_dns_label(value: &str) -> bool {
    let bytes = value.as_bytes();
    is_bounded(bytes, lower_alphanumeric) && bytes.iter().all(|b| lower_alphanumeric(*b) || *b == b'-')
}

/// Whether this is an RFC 1123 subdomain, its length aside.
pub fn is_dns_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns_label)
}

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_qualified_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_qualified_part(value: &str) -> bool {
    is_bounded(value.as_bytes(), |b| b.is_ascii_alphanumeric()) && value.bytes().all(is_qualified_byte)
}

fn is_bounded(bytes: &[u8], edge: fn(u8) -> bool) -> bool {
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if edge(*first) && edge(*last))
}

fn too_long(value: &str, max: usize) -> Vec<String> {
    if value.len() > max {
        vec![format!("must be no more than {max} characters")]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (
        fn(&str) -> Vec<String>,
        &'static [&'static str],
        &'static [&'static str],
    );

    #[test]
    fn names_are_judged_as_upstream_does() {
        let rows: &[Case] = &[
            (
                dns_subdomain,
                &["a", "a.b", "0-9", "a--b.c"],
                &["", "A", "a.", ".a", "a..b", "-a", "a_b"],
            ),
            (dns_label, &["a", "0", "a-b"], &["a.b", "-a", "a-", ""]),
            (dns_1035_label, &["a", "a0"], &["0a", "a.b", ""]),
            (wildcard_dns_subdomain, &["*.a.b"], &["*", "a.b", "*.*.a"]),
            (
                qualified_name,
                &["a", "A_b", "a.b/C"],
                &["", "/a", "a/", "a/b/c", "A/b", "-a"],
            ),
            (label_value, &["", "A.b_c-9"], &["-", "a b", "a/b"]),
            (env_var_name, &["a b", "1", "~"], &["", "a=b", "é", "a\n"]),
            (config_map_key, &[".a", "A_b"], &["", ".", "..", "..a", "a/b"]),
            (
                port_name,
                &["http", "1a"],
                &["", "1", "a--b", "-a", "HTTP", "abcdefghijklmnop"],
            ),
            (percent, &["1%"], &["%", "1", "-1%"]),
        ];
        for (rule, good, bad) in rows {
            for text in *good {
                assert_eq!(rule(text), Vec::<String>::new(), "{text:?}");
            }
            for text in *bad {
                assert!(!rule(text).is_empty(), "{text:?}");
            }
        }
    }

    #[test]
    fn a_label_with_dots_gets_its_own_text() {
        assert_eq!(dns_label("a.b"), ["must not contain dots"]);
        assert_eq!(
            dns_label("A"),
            [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
              end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
    }

    #[test]
    fn a_generate_name_may_end_with_a_dash_and_any_text_is_survived() {
        assert!(dns_subdomain_name("a-", true).is_empty());
        assert!(!dns_subdomain_name("a-", false).is_empty());
        assert!(!dns_subdomain_name("é-", true).is_empty());
        assert!(path_segment_name("a/b%", false).len() == 2);
        assert!(path_segment_name("..", true).is_empty());
    }
}
