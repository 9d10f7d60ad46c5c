//! What differs from run to run and from machine to machine is replaced by markers.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Each kind of text with its marker, in the order in which they are replaced.
static MARKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let marks = [
        (
            r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\.[0-9]+)?(Z|[+-][0-9][0-9]:[0-9][0-9])",
            "TIME",
        ),
        // A container, with the runtime whose it is.
        (r"(containerd|deploy)://[^ )]+", "CONTAINER"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
        (r"(deploy\.test/[a-z-]+@)?sha256:[0-9a-f]{64}", "IMAGE"),
        (r"(?-u:\b)[0-9]{1,3}(\.[0-9]{1,3}){3}(?-u:\b)", "ADDRESS"),
        // The port that a client was given.
        (r"ADDRESS:[0-9]{5}->", "ADDRESS:PORT->"),
        (r"kube-api-access-[a-z0-9]{5}", "TOKEN-VOLUME"),
        // Why a registry does not answer is the runtime's word.
        (r#"(ErrImagePull: |Failed to pull image "[^"]*": ).*"#, "${1}WHY"),
        // The machine's name here.
        ("(Successfully assigned [^ ]+ to ).*", "${1}NODE"),
        // How long something took.
        (r"(?-u:\b)in [0-9]+(\.[0-9]+)?m?s(?-u:\b)", "in SPAN"),
        (
            r"[0-9]+(\.[0-9]+)?m?s including waiting",
            "SPAN including waiting",
        ),
    ];
    let marks = marks.into_iter();
    marks
        .map(|(pattern, mark)| (Regex::new(pattern).expect("it is a pattern"), mark))
        .collect()
});

/// What the runtime of the recording (containerd 1.6) cannot say, and a newer one does.
const UNKNOWN_TO_THE_PEER: &[&str] = &["user"];

pub(super) fn marked(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text;
            for (pattern, mark) in MARKS.iter() {
                if pattern.is_match(&text) {
                    text = pattern.replace_all(&text, *mark).into_owned();
                }
            }
            Value::String(text)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(marked).collect()),
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| !UNKNOWN_TO_THE_PEER.contains(&name.as_str()))
            .map(|(name, value)| (name, marked(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::marked;

    #[test]
    fn what_differs_from_run_to_run_is_marked() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", "TIME"),
            ("containerd://0123456789abcdef", "CONTAINER"),
            ("deploy://uid.0/main.1", "CONTAINER"),
            (
                "pod=loop_ns(01234567-89ab-cdef-0123-456789abcdef)",
                "pod=loop_ns(UID)",
            ),
            (
                "dial tcp 10.1.2.3:9: connect: connection refused",
                "dial tcp ADDRESS:9: connect: connection refused",
            ),
            (
                "read tcp 10.0.0.1:43210->10.0.0.7:80",
                "read tcp ADDRESS:PORT->ADDRESS:80",
            ),
            ("back-off 10s restarting", "back-off 10s restarting"),
        ] {
            assert_eq!(marked(json!(text)), json!(expected));
        }
        assert_eq!(
            marked(json!({"user": {"linux": {}}, "ready": true})),
            json!({"ready": true})
        );
    }
}
