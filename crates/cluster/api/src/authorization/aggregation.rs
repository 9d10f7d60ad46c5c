//! Cluster roles that are made of others (`pkg/controller/clusterroleaggregation`).

use serde_json::Value;

/// The rules that a role with an aggregation rule should have: those of the roles that its selectors match, in the
/// order of the selectors and of `roles` (by name), each rule once. `None` where they are what the role has, or where
/// it has no aggregation rule.
pub fn aggregated(role: &Value, roles: &[Value]) -> Option<Value> {
    let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array()?;
    let own = role["metadata"]["name"].as_str();
    let mut rules: Vec<Value> = Vec::new();
    for selector in selectors {
        for other in roles {
            if other["metadata"]["name"].as_str() == own || !matches(selector, &other["metadata"]["labels"]) {
                continue;
            }
            for rule in other["rules"].as_array().into_iter().flatten() {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    let current = role["rules"].as_array().map_or(&[][..], Vec::as_slice);
    (current != rules).then_some(Value::Array(rules))
}

/// Whether a LabelSelector matches labels. One that cannot be understood matches nothing.
fn matches(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let wanted = selector["matchExpressions"].as_array().into_iter().flatten();
    equal
        .into_iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && wanted.into_iter().all(|expression| {
            let label = expression["key"].as_str().and_then(|key| labels.get(key));
            let values = expression["values"].as_array().map_or(&[][..], Vec::as_slice);
            match expression["operator"].as_str() {
                Some("In") => label.is_some_and(|label| values.contains(label)),
                Some("NotIn") => label.is_none_or(|label| !values.contains(label)),
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(name: &str, label: &str, verbs: &[&str]) -> Value {
        let rules: Vec<Value> = verbs.iter().map(|verb| json!({"verbs": [verb]})).collect();
        json!({"metadata": {"name": name, "labels": {"to": label}}, "rules": rules})
    }

    #[test]
    fn rules_are_gathered_once() {
        let mut target = role("target", "x", &[]);
        target["aggregationRule"] = json!({"clusterRoleSelectors": [
            {"matchLabels": {"to": "b"}},
            {"matchExpressions": [{"key": "to", "operator": "In", "values": ["a", "x"]}]},
        ]});
        let roles = [
            role("a", "a", &["get", "list"]),
            role("b", "b", &["watch", "get"]),
            role("c", "c", &["delete"]),
        ];
        let rules = aggregated(&target, &roles).unwrap();
        assert_eq!(
            rules,
            json!([{"verbs": ["watch"]}, {"verbs": ["get"]}, {"verbs": ["list"]}])
        );
        target["rules"] = rules;
        assert_eq!(aggregated(&target, &roles), None);
        assert_eq!(aggregated(&roles[0], &roles), None);
    }
}
