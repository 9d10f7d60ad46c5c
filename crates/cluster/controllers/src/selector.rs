//! Which objects a selector in an object means.

use deploy_cluster_kinds::selector::LabelSelector;
use serde_json::Value;

use crate::kind::{Kind, REPLICATION_CONTROLLER};

/// A LabelSelector, ready to match.
#[derive(Clone, Debug)]
pub struct Selector(LabelSelector);

impl Selector {
    /// Reads a LabelSelector. `None` where there is none, or one that does not parse: it selects nothing. An empty one
    /// selects everything.
    pub fn of(selector: &Value) -> Option<Selector> {
        if !selector.is_object() {
            return None;
        }
        LabelSelector::from_object(Some(selector)).ok().map(Selector)
    }

    /// What an owner of pods selects: ReplicationControllers have a plain map, all others a LabelSelector.
    pub fn of_owner(kind: &Kind, owner: &Value) -> Option<Selector> {
        let selector = &owner["spec"]["selector"];
        if *kind == REPLICATION_CONTROLLER {
            Selector::of_map(selector)
        } else {
            Selector::of(selector)
        }
    }

    /// A plain map of labels, as Services have; `None` where it is empty or missing, which selects nothing.
    pub fn of_map(labels: &Value) -> Option<Selector> {
        labels.as_object().filter(|labels| !labels.is_empty())?;
        Some(Selector(LabelSelector::from_map(Some(labels))))
    }

    /// It selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_everything()
    }

    /// Whether the labels of this object match.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.matches(object.pointer("/metadata/labels"))
    }
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
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                false,
            ),
        ];
        for (selector, expected) in cases {
            let parsed = Selector::of(&selector).expect("it is in order");
            assert_eq!(parsed.matches(&pod), expected, "{selector}");
        }
        assert!(Selector::of(&json!(null)).is_none());
        assert!(
            Selector::of_map(&json!({})).is_none(),
            "a Service without a selector selects nothing"
        );
    }
}
