//! What annotations of an Ingress say: those of nginx' ingress that charts use most.

use std::time::Duration;

use serde_json::Value;

/// The prefix of all of them.
const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// How requests of a route are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteOptions {
    /// The path that the endpoint sees; `$1` is what a group has matched.
    pub rewrite: Option<String>,
    /// Paths are regular expressions.
    pub regex: bool,
    /// When clients are sent to https.
    pub redirect: Redirect,
    /// The largest body of a request in bytes; `None` is any.
    pub body_max: Option<u64>,
    /// How long an endpoint may take until its answer begins, if not as usual.
    pub answer: Option<Duration>,
}

/// When clients that come without TLS are sent to https.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirect {
    /// Never.
    Never,
    /// Where the host has a certificate.
    #[default]
    WithTls,
    /// Always.
    Always,
}

/// An annotation, by its name without the prefix.
pub fn annotation<'a>(ingress: &'a Value, name: &str) -> Option<&'a str> {
    let annotations = ingress["metadata"]["annotations"].as_object()?;
    annotations.get(&format!("{PREFIX}{name}"))?.as_str()
}

impl RouteOptions {
    /// Those of an Ingress.
    pub fn of(ingress: &Value) -> RouteOptions {
        let is = |name: &str, value: &str| annotation(ingress, name) == Some(value);
        let rewrite = annotation(ingress, "rewrite-target").filter(|target| !target.is_empty());
        let redirect = if is("force-ssl-redirect", "true") {
            Redirect::Always
        } else if is("ssl-redirect", "false") {
            Redirect::Never
        } else {
            Redirect::WithTls
        };
        let seconds = annotation(ingress, "proxy-read-timeout").and_then(|text| text.trim().parse().ok());
        RouteOptions {
            rewrite: rewrite.map(str::to_owned),
            // A target with groups makes paths regular expressions, as in nginx' ingress.
            regex: is("use-regex", "true") || rewrite.is_some_and(|target| target.contains('$')),
            redirect,
            body_max: annotation(ingress, "proxy-body-size").and_then(bytes),
            answer: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        }
    }
}

/// A size as nginx writes it: `8m`; zero is no bound.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let (digits, factor) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 1 << 10),
        'm' => (&text[..text.len() - 1], 1 << 20),
        'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (&*text, 1_u64),
    };
    let size = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    (size > 0).then_some(size)
}

/// `target` with what the groups have matched in place of `$1` ... `$9`.
pub fn rewritten(target: &str, groups: &[String]) -> String {
    let mut path = String::with_capacity(target.len());
    let mut rest = target.chars().peekable();
    while let Some(next) = rest.next() {
        let group = rest
            .peek()
            .and_then(|digit| digit.to_digit(10))
            .filter(|_| next == '$');
        match group {
            Some(number) => {
                rest.next();
                let group = groups.get(usize::try_from(number).unwrap_or_default());
                path.push_str(group.map_or("", String::as_str));
            }
            None => path.push(next),
        }
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_are_those_of_nginx() {
        assert_eq!(bytes("8m"), Some(8 << 20));
        assert_eq!(bytes("512K"), Some(512 << 10));
        assert_eq!(bytes("1g"), Some(1 << 30));
        assert_eq!(bytes("100"), Some(100));
        for none in ["0", "", "m", "-1m", "99999999999999999999g", "8mb"] {
            assert_eq!(bytes(none), None, "{none}");
        }
    }

    #[test]
    fn groups_are_put_in() {
        let groups = ["/api/v1".to_owned(), "/".to_owned(), "v1".to_owned()];
        assert_eq!(rewritten("/$2", &groups), "/v1");
        assert_eq!(rewritten("/x$1y/$9", &groups), "/x/y/");
        assert_eq!(rewritten("$2", &groups), "/v1");
        assert_eq!(rewritten("/cost$", &groups), "/cost$");
    }

    #[test]
    fn annotations_are_read() {
        let ingress = json!({"metadata": {"annotations": {
            "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
            "nginx.ingress.kubernetes.io/ssl-redirect": "false",
            "nginx.ingress.kubernetes.io/proxy-body-size": "8m",
            "nginx.ingress.kubernetes.io/proxy-read-timeout": "300",
        }}});
        let options = RouteOptions::of(&ingress);
        assert!(options.regex);
        assert_eq!(options.redirect, Redirect::Never);
        assert_eq!(options.body_max, Some(8 << 20));
        assert_eq!(options.answer, Some(Duration::from_secs(300)));
        assert_eq!(RouteOptions::of(&json!({})), RouteOptions::default());
    }
}
