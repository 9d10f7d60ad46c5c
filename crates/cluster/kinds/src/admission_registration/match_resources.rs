//! What webhooks and policies have in common: which requests they match, and the defaults of that.

use serde_json::{Value, json};

use crate::edit::Edit;

/// The defaults of a `MatchResources`, and of the part of a webhook that says the same.
pub(super) fn default(matching: &mut Value) {
    matching.default_to("matchPolicy", "Equivalent");
    matching.default_to("namespaceSelector", json!({}));
    matching.default_to("objectSelector", json!({}));
}

/// The defaults of the rules in the field `name`.
pub(super) fn default_rules(holder: &mut Value, name: &str) {
    for rule in holder.each(name) {
        rule.default_to("scope", "*");
    }
}
