//! One rule of a role (`rbac/v1.PolicyRule`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Attributes;
use crate::identity::accounts::go_list;

/// Which verbs are allowed on which resources, or on which paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// API groups; `*` is all of them.
    pub groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale`, `*`.
    pub resources: Vec<String>,
    /// Names of objects; none is all of them.
    pub names: Vec<String>,
    /// `/healthz`, `/healthz/*`.
    pub paths: Vec<String>,
    /// `get`, `list` ...; `*` is all of them.
    pub verbs: Vec<String>,
}

impl Rule {
    /// Reads the `rules` of a role; what is malformed is empty.
    pub fn list(rules: &Value) -> Vec<Rule> {
        rules.as_array().into_iter().flatten().map(Rule::parse).collect()
    }

    fn parse(rule: &Value) -> Rule {
        let strings = |field: &str| {
            let list = rule[field].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Rule {
            groups: strings("apiGroups"),
            resources: strings("resources"),
            names: strings("resourceNames"),
            paths: strings("nonResourceURLs"),
            verbs: strings("verbs"),
        }
    }

    /// The rule as it is written in roles and reviews.
    pub fn value(&self) -> Value {
        let mut value = Map::new();
        let fields = [
            ("verbs", &self.verbs),
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.paths),
        ];
        for (field, list) in fields.into_iter().filter(|(_, list)| !list.is_empty()) {
            value.insert(field.to_owned(), list.as_slice().into());
        }
        value.into()
    }

    /// Whether this rule allows it.
    pub fn allows(&self, wanted: &Attributes<'_>) -> bool {
        if !has(&self.verbs, wanted.verb) {
            return false;
        }
        if !wanted.resource_request {
            return self
                .paths
                .iter()
                .any(|path| path_covers(path, wanted.path) || path == "*");
        }
        has(&self.groups, wanted.group)
            && self
                .resources
                .iter()
                .any(|resource| resource_matches(resource, wanted.resource, wanted.subresource))
            && (self.names.is_empty() || self.names.iter().any(|name| name == wanted.name))
    }

    /// The rules that this one consists of: one verb, one resource or path, at most one name each.
    fn parts(&self) -> Vec<Rule> {
        let one = |text: &String| vec![text.clone()];
        let mut parts = Vec::new();
        let names: Vec<Vec<String>> = if self.names.is_empty() {
            vec![Vec::new()]
        } else {
            self.names.iter().map(one).collect()
        };
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    parts.extend(names.iter().map(|names| Rule {
                        groups: one(group),
                        resources: one(resource),
                        names: names.clone(),
                        paths: Vec::new(),
                        verbs: one(verb),
                    }));
                }
            }
        }
        for path in &self.paths {
            parts.extend(self.verbs.iter().map(|verb| Rule {
                paths: one(path),
                verbs: one(verb),
                ..Rule::default()
            }));
        }
        parts
    }

    /// Whether this rule allows all that a part of another does.
    fn covers(&self, part: &Rule) -> bool {
        let all = |own: &[String], theirs: &[String]| theirs.iter().all(|item| has(own, item));
        let resource = |wanted: &String| {
            has(&self.resources, wanted)
                || wanted
                    .split_once('/')
                    .is_some_and(|(_, sub)| has_exactly(&self.resources, &format!("*/{sub}")))
        };
        let names = if part.names.is_empty() {
            self.names.is_empty()
        } else {
            self.names.is_empty() || part.names.iter().all(|name| has_exactly(&self.names, name))
        };
        all(&self.verbs, &part.verbs)
            && all(&self.groups, &part.groups)
            && part.resources.iter().all(resource)
            && names
            && part
                .paths
                .iter()
                .all(|path| self.paths.iter().any(|own| path_covers(own, path)))
    }

    /// As upstream prints a rule that is missing (`pkg/apis/rbac/v1.CompactString`).
    fn compact(&self) -> String {
        let fields = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.paths),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let fields = fields.into_iter().filter(|(_, list)| !list.is_empty());
        let fields: Vec<String> = fields
            .map(|(name, list)| format!("{name}:{}", go_list(list)))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }
}

/// What `wanted` allows and `owned` does not (`component-helpers/auth/rbac/validation.Covers` and `CompactRules`): rules
/// for one resource or path, those for one resource with all their verbs.
pub fn missing_rules(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let parts = wanted.iter().flat_map(Rule::parts);
    let mut together: BTreeMap<Rule, Vec<String>> = BTreeMap::new();
    for mut part in parts.filter(|part| !owned.iter().any(|own| own.covers(part))) {
        if part.paths.is_empty() {
            let verbs = std::mem::take(&mut part.verbs);
            together.entry(part).or_default().extend(verbs);
        } else {
            together.entry(part).or_default();
        }
    }
    let rules = together.into_iter().map(|(mut rule, verbs)| {
        rule.verbs.extend(verbs);
        rule
    });
    rules.collect()
}

/// [`missing_rules`] as upstream prints them, sorted; empty where everything is covered.
pub fn missing(owned: &[Rule], wanted: &[Rule]) -> Vec<String> {
    let texts: BTreeSet<String> = missing_rules(owned, wanted).iter().map(Rule::compact).collect();
    texts.into_iter().collect()
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|item| item == "*" || item == wanted)
}

fn has_exactly(list: &[String], wanted: &str) -> bool {
    list.iter().any(|item| item == wanted)
}

fn resource_matches(rule: &str, resource: &str, subresource: &str) -> bool {
    if rule == "*" {
        return true;
    }
    if subresource.is_empty() {
        return rule == resource;
    }
    match rule.split_once('/') {
        Some((own, sub)) => (own == "*" || own == resource) && sub == subresource,
        None => false,
    }
}

fn path_covers(own: &str, path: &str) -> bool {
    own == path || (own.ends_with('*') && path.starts_with(own.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(groups: &[&str], resources: &[&str], names: &[&str], verbs: &[&str]) -> Rule {
        Rule::parse(
            &json!({"apiGroups": groups, "resources": resources, "resourceNames": names, "verbs": verbs}),
        )
    }

    #[test]
    fn a_rule_allows_what_it_says() {
        let pods = rule(&[""], &["pods", "pods/log", "*/scale"], &[], &["get"]);
        let named = rule(&["*"], &["*"], &["a"], &["*"]);
        let paths = Rule::parse(&json!({"nonResourceURLs": ["/healthz", "/apis/*"], "verbs": ["get"]}));
        // rule, verb, group, resource, subresource, name => allowed
        let cases = [
            (&pods, ["get", "", "pods", "", ""], true),
            (&pods, ["list", "", "pods", "", ""], false),
            (&pods, ["get", "apps", "pods", "", ""], false),
            (&pods, ["get", "", "pods", "log", "x"], true),
            (&pods, ["get", "", "pods", "exec", "x"], false),
            (&pods, ["get", "", "anything", "scale", "x"], true),
            (&pods, ["get", "", "scale", "", "x"], false),
            (&named, ["delete", "apps", "deployments", "status", "a"], true),
            (&named, ["delete", "apps", "deployments", "", "b"], false),
            (&named, ["create", "apps", "deployments", "", ""], false),
        ];
        for (rule, [verb, group, resource, subresource, name], allowed) in cases {
            let wanted = Attributes {
                verb,
                group,
                resource,
                subresource,
                name,
                resource_request: true,
                ..Attributes::default()
            };
            assert_eq!(rule.allows(&wanted), allowed, "{wanted:?}");
        }
        for (verb, path, allowed) in [
            ("get", "/healthz", true),
            ("get", "/healthz/etcd", false),
            ("get", "/apis/apps", true),
            ("post", "/healthz", false),
        ] {
            let wanted = Attributes {
                verb,
                path,
                ..Attributes::default()
            };
            assert_eq!(paths.allows(&wanted), allowed, "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_named_as_upstream_does() {
        let wanted = [
            rule(&["", "apps"], &["pods", "secrets"], &["a", "b"], &["get", "list"]),
            Rule::parse(&json!({"nonResourceURLs": ["/x", "/y*"], "verbs": ["get"]})),
        ];
        // Recorded from kube-apiserver 1.34.2.
        let lines = "{APIGroups:[\"\"], Resources:[\"pods\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"\"], Resources:[\"pods\"], ResourceNames:[\"b\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"b\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"pods\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"pods\"], ResourceNames:[\"b\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"secrets\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"secrets\"], ResourceNames:[\"b\"], Verbs:[\"get\" \"list\"]}\n{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}\n{NonResourceURLs:[\"/y*\"], Verbs:[\"get\"]}";
        assert_eq!(missing(&[], &wanted).join("\n"), lines);
        let all = [
            rule(&["*"], &["*"], &[], &["*"]),
            Rule::parse(&json!({"nonResourceURLs": ["*"], "verbs": ["*"]})),
        ];
        assert!(missing(&all, &wanted).is_empty());
        assert!(!missing(&all[..1], &wanted).is_empty());
        let named = [rule(&["*"], &["*"], &["a"], &["*"])];
        assert_eq!(missing(&named, &[rule(&[""], &["pods"], &[], &["get"])]).len(), 1);
        assert!(missing(&named, &[rule(&[""], &["pods"], &["a"], &["get"])]).is_empty());
        let scale = [rule(&[""], &["*/scale"], &[], &["get"])];
        assert!(missing(&scale, &[rule(&[""], &["x/scale"], &[], &["get"])]).is_empty());
        assert_eq!(missing(&scale, &[rule(&[""], &["*"], &[], &["get"])]).len(), 1);
    }

    #[test]
    fn a_rule_is_written_as_it_was_read() {
        let value = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
        assert_eq!(Rule::parse(&value).value(), value);
        assert_eq!(Rule::list(&json!(null)), []);
    }
}
