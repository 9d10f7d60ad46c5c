//! The definitions themselves: what their kind says of them, and what this server does not do.

use deploy_cluster_kinds::apiextensions::custom_resource_definition as kind;
use deploy_cluster_kinds::rules::Rules;

use super::status::unenforced;

/// What holds for a CustomResourceDefinition.
pub(crate) static RULES: Rules = Rules {
    warnings: |definition| {
        let mut texts = (kind::RULES.warnings)(definition);
        texts.extend(unenforced(definition));
        texts
    },
    update_warnings: |new, old| {
        let mut texts = (kind::RULES.update_warnings)(new, old);
        if new["spec"] != old["spec"] {
            texts.extend(unenforced(new));
        }
        texts
    },
    ..kind::RULES
};
