//! The tree of paths and its algebra.

use std::cmp::Ordering;

use super::element::{Element, Path};
use crate::merge::Resolved;
use crate::types::{Schema, TypeRef};

/// A set of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Sorted by element; each is a member or has children.
    nodes: Vec<Node>,
}

/// What a set holds at and below one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The element.
    pub element: Element,
    /// Whether the path that ends here is in the set.
    pub member: bool,
    /// The paths that go on from here.
    pub children: Set,
}

impl Set {
    /// A set of these paths.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a [Element]>) -> Set {
        let mut set = Set::default();
        paths.into_iter().for_each(|path| set.insert(path));
        set
    }

    /// A set of paths of plain fields: `["status"]`, `["metadata", "labels"]`.
    pub fn of_fields(paths: &[&[&str]]) -> Set {
        let mut set = Set::default();
        for path in paths {
            set.insert(&path.iter().map(|name| Element::field(name)).collect::<Path>());
        }
        set
    }

    /// A set with these nodes, in any order; nodes of the same element become one.
    pub fn from_nodes(mut nodes: Vec<Node>) -> Set {
        nodes.retain(|node| node.member || !node.children.nodes.is_empty());
        if nodes.is_sorted_by(|a, b| a.element < b.element) {
            return Set { nodes };
        }
        nodes.sort_by(|a, b| a.element.cmp(&b.element));
        let mut merged: Vec<Node> = Vec::with_capacity(nodes.len());
        for node in nodes {
            match merged.last_mut() {
                Some(last) if last.element == node.element => {
                    last.member |= node.member;
                    last.children = std::mem::take(&mut last.children).union(node.children);
                }
                _ => merged.push(node),
            }
        }
        Set { nodes: merged }
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes, in order.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many paths are in the set.
    pub fn len(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| usize::from(node.member) + node.children.len())
            .sum()
    }

    /// Adds a path, not its parents. The empty path is the whole object, which nobody owns.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let place = match self.find(first) {
            Ok(place) => place,
            Err(place) => {
                let node = Node {
                    element: first.clone(),
                    member: false,
                    children: Set::default(),
                };
                self.nodes.insert(place, node);
                place
            }
        };
        let node = &mut self.nodes[place];
        if rest.is_empty() {
            node.member = true;
        } else {
            node.children.insert(rest);
        }
    }

    /// Whether the path is in the set.
    pub fn has(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.has_element(last),
            [first, rest @ ..] => self.children(first).is_some_and(|children| children.has(rest)),
        }
    }

    /// Whether the path of this one element is in the set.
    pub fn has_element(&self, element: &Element) -> bool {
        self.find(element).is_ok_and(|place| self.nodes[place].member)
    }

    /// What is at and below an element.
    pub fn node(&self, element: &Element) -> Option<&Node> {
        self.find(element).ok().map(|place| &self.nodes[place])
    }

    /// The paths below an element, if there are any.
    pub fn children(&self, element: &Element) -> Option<&Set> {
        let children = &self.node(element)?.children;
        (!children.is_empty()).then_some(children)
    }

    /// Calls `visit` with each path: first the members of a level, then what is below each of them.
    pub fn for_each(&self, visit: &mut dyn FnMut(&[Element])) {
        self.visit(&mut Path::new(), visit);
    }

    /// All paths, in the order of [`Set::for_each`].
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.for_each(&mut |path| paths.push(path.to_vec()));
        paths
    }

    /// The paths that are in one of the two.
    pub fn union(self, other: Set) -> Set {
        if self.is_empty() {
            return other;
        }
        if other.is_empty() {
            return self;
        }
        let mut nodes = Vec::with_capacity(self.nodes.len().max(other.nodes.len()));
        let mut others = other.nodes.into_iter().peekable();
        for mut node in self.nodes {
            while let Some(smaller) = others.next_if(|other| other.element < node.element) {
                nodes.push(smaller);
            }
            if let Some(same) = others.next_if(|other| other.element == node.element) {
                node.member |= same.member;
                node.children = node.children.union(same.children);
            }
            nodes.push(node);
        }
        nodes.extend(others);
        Set { nodes }
    }

    /// Whether all its paths are in the other.
    pub fn is_subset(&self, other: &Set) -> bool {
        let mut all = true;
        zip(&self.nodes, &other.nodes, |left, right| {
            all = all
                && right.is_some_and(|right| {
                    (right.member || !left.member) && left.children.is_subset(&right.children)
                });
        });
        all
    }

    /// The paths that are in both.
    pub fn intersection(&self, other: &Set) -> Set {
        let mut nodes = Vec::new();
        zip(&self.nodes, &other.nodes, |left, right| {
            let Some(right) = right else {
                return;
            };
            let member = left.member && right.member;
            let children = left.children.intersection(&right.children);
            if member || !children.is_empty() {
                nodes.push(Node {
                    element: left.element.clone(),
                    member,
                    children,
                });
            }
        });
        Set { nodes }
    }

    /// The paths that are not in `other`. A path stays even where a parent of it is in `other`.
    pub fn difference(self, other: &Set) -> Set {
        self.minus(other, false)
    }

    /// The paths that are not in `other`, nor below one of its paths.
    pub fn recursive_difference(self, other: &Set) -> Set {
        self.minus(other, true)
    }

    /// The paths that have no other path of the set below them.
    pub fn leaves(mut self) -> Set {
        for node in &mut self.nodes {
            node.member &= node.children.is_empty();
            node.children = std::mem::take(&mut node.children).leaves();
        }
        self
    }

    /// Each node made into another one of the same element.
    pub(crate) fn map_nodes(self, change: impl FnMut(Node) -> Node) -> Set {
        Set {
            nodes: self.nodes.into_iter().map(change).collect(),
        }
    }

    /// With the declared fields on the way to each path. Declared fields are normally left out of sets (`spec` has no
    /// owner where its fields have), but whoever removes what nobody owns must know them.
    #[must_use]
    pub fn with_named_parents(mut self, schema: &Schema, r#type: Option<TypeRef>) -> Set {
        let resolved = r#type
            .and_then(|r#type| Resolved::of(schema, r#type))
            .unwrap_or_default();
        for node in &mut self.nodes {
            if node.children.is_empty() {
                continue;
            }
            let below = match &node.element {
                Element::Field(name) => resolved.map.and_then(|map| {
                    let field = map.shape.field(name);
                    node.member |= field.is_some();
                    field.map_or(map.shape.element, |field| Some(field.r#type))
                }),
                Element::Key(_) => resolved.list.map(|list| list.shape.element),
                _ => None,
            };
            node.children = std::mem::take(&mut node.children).with_named_parents(schema, below);
        }
        self
    }

    fn find(&self, element: &Element) -> Result<usize, usize> {
        self.nodes.binary_search_by(|node| node.element.cmp(element))
    }

    fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&[Element])) {
        for node in self.nodes.iter().filter(|node| node.member) {
            path.push(node.element.clone());
            visit(path);
            path.pop();
        }
        for node in self.nodes.iter().filter(|node| !node.children.is_empty()) {
            path.push(node.element.clone());
            node.children.visit(path, visit);
            path.pop();
        }
    }

    fn minus(self, other: &Set, recursive: bool) -> Set {
        if other.is_empty() {
            return self;
        }
        let mut others = other.nodes.iter().peekable();
        let mut nodes = self.nodes;
        nodes.retain_mut(|node| {
            while others.next_if(|other| other.element < node.element).is_some() {}
            let Some(other) = others.next_if(|other| other.element == node.element) else {
                return true;
            };
            if recursive && other.member {
                return false;
            }
            node.member &= !other.member;
            node.children = std::mem::take(&mut node.children).minus(&other.children, recursive);
            node.member || !node.children.is_empty()
        });
        Set { nodes }
    }
}

/// Calls `visit` with each node of `left` and the node of the same element in `right`.
fn zip<'a>(left: &'a [Node], right: &'a [Node], mut visit: impl FnMut(&'a Node, Option<&'a Node>)) {
    let mut place = 0;
    for node in left {
        while right
            .get(place)
            .is_some_and(|other| other.element.cmp(&node.element) == Ordering::Less)
        {
            place += 1;
        }
        visit(
            node,
            right.get(place).filter(|other| other.element == node.element),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Set {
        Set::parse(text).expect("the text of a test is a set")
    }

    #[test]
    fn algebra_keeps_parents_and_children_apart() {
        let left = r#"{"f:a":{".":{},"f:b":{},"f:c":{}},"f:d":{}}"#;
        let right = r#"{"f:a":{},"f:d":{"f:e":{}}}"#;
        let cases = [
            (
                "union",
                set(left).union(set(right)),
                r#"{"f:a":{".":{},"f:b":{},"f:c":{}},"f:d":{".":{},"f:e":{}}}"#,
            ),
            (
                "intersection",
                set(left).intersection(&set(right)),
                r#"{"f:a":{}}"#,
            ),
            (
                "difference",
                set(left).difference(&set(right)),
                r#"{"f:a":{"f:b":{},"f:c":{}},"f:d":{}}"#,
            ),
            (
                "recursive",
                set(left).recursive_difference(&set(right)),
                r#"{"f:d":{}}"#,
            ),
            (
                "leaves",
                set(left).leaves(),
                r#"{"f:a":{"f:b":{},"f:c":{}},"f:d":{}}"#,
            ),
        ];
        for (name, got, want) in cases {
            assert_eq!(got.to_text(), want, "{name}");
        }
    }

    #[test]
    fn nodes_in_any_order_become_a_set() {
        let node = |name: &str, member, children| Node {
            element: Element::field(name),
            member,
            children,
        };
        let child = Set::of_fields(&[&["x"]]);
        let nodes = vec![
            node("b", true, Set::default()),
            node("a", false, child.clone()),
            node("b", false, child),
            node("c", false, Set::default()),
        ];
        assert_eq!(
            Set::from_nodes(nodes).to_text(),
            r#"{"f:a":{"f:x":{}},"f:b":{".":{},"f:x":{}}}"#
        );
    }
}
