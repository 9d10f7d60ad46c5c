//! LabelSelector objects: which labels they match.

use serde_json::{Map, Value};

/// A LabelSelector, ready to match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Reads a LabelSelector. `None` where there is none or it has an operator that does not exist; an empty one
    /// matches everything.
    pub fn of(selector: &Value) -> Option<Selector> {
        let selector = selector.as_object()?;
        let mut requirements = Vec::new();
        for (key, value) in selector
            .get("matchLabels")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let values = vec![value.as_str()?.to_owned()];
            requirements.push(Requirement {
                key: key.clone(),
                operator: Operator::In,
                values,
            });
        }
        for expression in selector
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            requirements.push(requirement(expression)?);
        }
        Some(Selector { requirements })
    }

    /// A plain map of labels, as Services have; `None` where it is empty or missing, which selects nothing.
    pub fn of_map(labels: &Value) -> Option<Selector> {
        let labels = labels.as_object().filter(|labels| !labels.is_empty())?;
        let requirements = labels.iter().map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.as_str().unwrap_or_default().to_owned()],
        });
        Some(Selector {
            requirements: requirements.collect(),
        })
    }

    /// It selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether the labels of this object match.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(object["metadata"]["labels"].as_object())
    }

    /// Whether these labels match.
    pub fn matches_labels(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.and_then(|labels| labels.get(&requirement.key)?.as_str());
            let among = || value.is_some_and(|value| requirement.values.iter().any(|wanted| wanted == value));
            match requirement.operator {
                Operator::In => among(),
                Operator::NotIn => !among(),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let operator = match expression["operator"].as_str()? {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        _ => return None,
    };
    let values = expression["values"].as_array().into_iter().flatten();
    Some(Requirement {
        key: expression["key"].as_str()?.to_owned(),
        operator,
        values: values
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_match() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        let cases = [
            (json!({}), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "db"}}), false),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "back"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
                true,
            ),
        ];
        for (selector, expected) in cases {
            let parsed = Selector::of(&selector).expect("it is in order");
            assert_eq!(parsed.matches(&pod), expected, "{selector}");
        }
        assert_eq!(Selector::of(&json!(null)), None);
        assert_eq!(
            Selector::of_map(&json!({})),
            None,
            "a Service without a selector selects nothing"
        );
    }
}
