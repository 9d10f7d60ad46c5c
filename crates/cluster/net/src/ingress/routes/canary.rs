//! A second version that gets some of the requests, as the canary annotations of nginx' ingress say.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::super::limits;
use super::Backend;
use super::options::annotation;

/// Another backend of a route, and who goes there.
#[derive(Debug)]
pub struct Canary {
    /// Where they go.
    pub backend: Backend,
    /// Who goes there.
    pub rule: Rule,
}

/// Who goes to a canary: the header decides before the cookie, and the cookie before the weight.
#[derive(Debug, Default)]
pub struct Rule {
    header: Option<String>,
    value: Option<Expected>,
    cookie: Option<String>,
    weight: u32,
    total: u32,
}

#[derive(Debug)]
enum Expected {
    Exactly(String),
    Like(Regex),
}

/// What a request says of itself.
pub trait Hints {
    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str>;
    /// The value of a cookie.
    fn cookie(&self, name: &str) -> Option<&str>;
}

impl Rule {
    /// The rule of an Ingress that says that it is a canary.
    pub fn of(ingress: &Value) -> Option<Rule> {
        if annotation(ingress, "canary") != Some("true") {
            return None;
        }
        let number = |name: &str| annotation(ingress, name).and_then(|text| text.trim().parse::<u32>().ok());
        let text = |name: &str| annotation(ingress, name).map(str::to_owned);
        let total = number("canary-weight-total")
            .filter(|total| *total > 0)
            .unwrap_or(100);
        let like = || {
            let pattern = annotation(ingress, "canary-by-header-pattern")?;
            let regex = RegexBuilder::new(pattern)
                .size_limit(limits::REGEX_BYTES_MAX)
                .build()
                .ok()?;
            Some(Expected::Like(regex))
        };
        Some(Rule {
            header: text("canary-by-header"),
            value: text("canary-by-header-value")
                .map(Expected::Exactly)
                .or_else(like),
            cookie: text("canary-by-cookie"),
            weight: number("canary-weight").unwrap_or_default().min(total),
            total,
        })
    }

    /// Whether a request goes there; `random` is any number.
    pub fn takes(&self, hints: &dyn Hints, random: u64) -> bool {
        let header = self.header.as_deref().and_then(|name| hints.header(name));
        match (header, &self.value) {
            (Some(header), Some(Expected::Exactly(value))) if header == value => return true,
            (Some(header), Some(Expected::Like(regex))) if regex.is_match(header) => return true,
            (Some("always"), None) => return true,
            (Some("never"), None) => return false,
            _ => {}
        }
        match self.cookie.as_deref().and_then(|name| hints.cookie(name)) {
            Some("always") => return true,
            Some("never") => return false,
            _ => {}
        }
        // Of a wide number: the remainder of a division favours nobody that one could see.
        random % u64::from(self.total.max(1)) < u64::from(self.weight)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Request<'a>(&'a str, &'a str);

    impl Hints for Request<'_> {
        fn header(&self, name: &str) -> Option<&str> {
            (name == "x-canary" && !self.0.is_empty()).then_some(self.0)
        }
        fn cookie(&self, name: &str) -> Option<&str> {
            (name == "canary" && !self.1.is_empty()).then_some(self.1)
        }
    }

    fn rule(annotations: &[(&str, &str)]) -> Rule {
        let mut ingress =
            json!({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}}});
        for (name, value) in annotations {
            ingress["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{name}")] =
                (*value).into();
        }
        Rule::of(&ingress).expect("a canary")
    }

    #[test]
    fn weights_are_shares() {
        let share = |rule: &Rule| (0..1000).filter(|n| rule.takes(&Request("", ""), *n)).count();
        assert_eq!(share(&rule(&[("canary-weight", "25")])), 250);
        assert_eq!(
            share(&rule(&[("canary-weight", "25"), ("canary-weight-total", "50")])),
            500
        );
        assert_eq!(share(&rule(&[("canary-weight", "900")])), 1000);
        assert_eq!(share(&rule(&[("canary-weight", "many")])), 0);
        assert_eq!(share(&rule(&[])), 0);
    }

    #[test]
    fn headers_come_before_cookies_and_weights() {
        let all = [
            ("canary-by-header", "x-canary"),
            ("canary-by-cookie", "canary"),
            ("canary-weight", "100"),
        ];
        let by = |request: Request<'_>| rule(&all).takes(&request, 0);
        assert!(by(Request("always", "never")));
        assert!(!by(Request("never", "always")));
        assert!(!by(Request("other", "never")));
        assert!(by(Request("", "")));
        let value = [
            ("canary-by-header", "x-canary"),
            ("canary-by-header-value", "yes"),
        ];
        assert!(rule(&value).takes(&Request("yes", ""), 0));
        assert!(!rule(&value).takes(&Request("always", ""), 0));
        let pattern = [
            ("canary-by-header", "x-canary"),
            ("canary-by-header-pattern", "^v[0-9]+$"),
        ];
        assert!(rule(&pattern).takes(&Request("v12", ""), 0));
        assert!(!rule(&pattern).takes(&Request("v", ""), 0));
    }

    #[test]
    fn only_those_that_say_so_are_canaries() {
        assert!(Rule::of(&json!({})).is_none());
        let off = json!({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "false"}}});
        assert!(Rule::of(&off).is_none());
    }
}
