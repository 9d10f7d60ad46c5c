//! Fields that nobody comes to manage by a request, because the API resets them: `status` on the object itself.

use crate::fields::{Element, Node, Set};

/// Which fields of a request count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All but these and what is below them.
    Exclude(Set),
    /// Only what is below one of these prefixes.
    Include(Vec<Vec<Step>>),
}

/// A step of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This field.
    Field(String),
    /// Any field or item.
    Any,
}

impl Filter {
    /// What counts of a set.
    pub fn apply(&self, set: Set) -> Set {
        match self {
            Filter::Exclude(fields) => set.recursive_difference(fields),
            Filter::Include(prefixes) => {
                include(set, &prefixes.iter().map(Vec::as_slice).collect::<Vec<_>>())
            }
        }
    }
}

impl Step {
    fn matches(&self, element: &Element) -> bool {
        match (self, element) {
            (Step::Any, _) => true,
            (Step::Field(name), Element::Field(field)) => name.as_str() == &**field,
            _ => false,
        }
    }
}

fn include(set: Set, prefixes: &[&[Step]]) -> Set {
    if prefixes.iter().any(|prefix| prefix.is_empty()) {
        return set;
    }
    let nodes = set.into_nodes().into_iter().filter_map(|node| {
        let below: Vec<&[Step]> = prefixes
            .iter()
            .filter(|prefix| prefix[0].matches(&node.element))
            .map(|prefix| &prefix[1..])
            .collect();
        (!below.is_empty()).then(|| Node {
            children: include(node.children, &below),
            ..node
        })
    });
    Set::from_nodes(nodes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_a_prefix_is_included() {
        let step = |name: &str| Step::Field(name.to_owned());
        let filter = Filter::Include(vec![
            vec![step("spec"), step("containers"), Step::Any, step("resources")],
            vec![step("status")],
        ]);
        let text = r#"{"f:metadata":{},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:resources":{"f:limits":{}}}},"f:x":{}},"f:status":{"f:phase":{}}}"#;
        let set = Set::parse(text).expect("the text of a test is a set");
        assert_eq!(
            filter.apply(set).to_text(),
            r#"{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:resources":{"f:limits":{}}}}},"f:status":{"f:phase":{}}}"#
        );
    }
}
