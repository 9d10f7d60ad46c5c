//! The three-way merge: what changed from an origin to an update, into a target that has changes of its own.

use std::collections::BTreeSet;

use deploy_yaml::node::{Content, Node, Style};

use super::elements::{self, Arena, Lists};
use super::{Error, Options, Path, ROOT, Walk, tree};
use crate::kustomize::schema::{Schema, Type};

/// Brings what changed between `origin` and `update` into `dest`; nothing is left where all of it was deleted.
/// `infer` merges lists of unknown types by `name` where each element has one.
pub fn merge3(origin: &Node, update: &Node, dest: Node, infer: bool) -> Result<Option<Node>, Error> {
    let schema = Schema::built_in();
    let walk = Walk {
        schema: &schema,
        options: Options {
            infer,
            ..Options::default()
        },
    };
    walk.merge(
        Place {
            dest: Some(dest),
            origin: Some(origin),
            update: Some(update),
        },
        None,
        &ROOT,
    )
}

/// The same place in the three trees.
struct Place<'n> {
    dest: Option<Node>,
    origin: Option<&'n Node>,
    update: Option<&'n Node>,
}

impl Place<'_> {
    fn nodes(&self) -> [Option<&Node>; 3] {
        [self.dest.as_ref(), self.origin, self.update]
    }

    /// Whether the target or the update has a null here, which clears it.
    fn is_cleared(&self) -> bool {
        [self.dest.as_ref(), self.update]
            .into_iter()
            .flatten()
            .any(tree::is_null)
    }
}

fn missing(node: Option<&Node>) -> bool {
    node.is_none_or(tree::is_null)
}

impl Walk<'_> {
    fn merge(&self, place: Place<'_>, of: Option<Type<'_>>, path: &Path<'_>) -> Result<Option<Node>, Error> {
        let comment = self.comment_schema(place.nodes().map(|node| node.filter(|n| !tree::is_null(n))));
        let of = comment
            .as_ref()
            .map(|c| c.resolve(self.schema))
            .or(of)
            .or_else(|| self.kind_schema(place.nodes()));
        let first = place.nodes().into_iter().flatten().find(|n| !tree::is_null(n));
        let Some(kind) = first.map(tree::kind) else {
            return self.merge_maps(place, of, path);
        };
        for node in place.nodes().into_iter().flatten() {
            tree::expect(node, kind)?;
        }
        match kind {
            tree::Kind::Mapping => self.merge_maps(place, of, path),
            tree::Kind::Sequence if self.is_associative(of, &place.nodes()) => {
                self.merge_lists(place, of, path)
            }
            tree::Kind::Sequence | tree::Kind::Scalar => Ok(choose(place)),
            tree::Kind::Alias => Ok(None),
        }
    }

    fn merge_maps(
        &self,
        place: Place<'_>,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<Option<Node>, Error> {
        if place.is_cleared() || (place.dest.is_none() && place.update.is_none()) {
            return Ok(None);
        }
        let (origin, update) = (place.origin, place.update);
        let mut dest = place.dest.unwrap_or_else(|| Node::mapping(Vec::new()));
        let names: BTreeSet<String> = [Some(&dest), origin, update]
            .into_iter()
            .flatten()
            .flat_map(tree::entries)
            .filter_map(|(key, _)| tree::text(key).map(str::to_owned))
            .collect();
        for name in names {
            self.merge_field(&mut dest, origin, update, &name, of, path)?;
        }
        Ok(Some(dest))
    }

    fn merge_field(
        &self,
        dest: &mut Node,
        origin: Option<&Node>,
        update: Option<&Node>,
        name: &str,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        let Content::Mapping(entries) = &mut dest.content else {
            return Ok(());
        };
        let theirs = |node: Option<&'_ Node>| -> Option<(Node, Node)> {
            let entries = tree::entries(node?);
            Some(entries[tree::position(entries, name)?].clone())
        };
        let (origin, update) = (theirs(origin), theirs(update));
        let place = tree::position(entries, name);
        let (dest_key, dest_value) = match place {
            Some(at) => {
                let (key, value) = &mut entries[at];
                (
                    Some(key.clone()),
                    Some(std::mem::replace(value, tree::scalar(""))),
                )
            }
            None => (None, None),
        };
        let key_of = |side: &Option<(Node, Node)>| side.as_ref().map(|(key, _)| key.clone());
        let (origin_key, update_key) = (key_of(&origin), key_of(&update));
        let comment = self.comment_schema([dest_key.as_ref(), origin_key.as_ref(), update_key.as_ref()]);
        let of = comment
            .as_ref()
            .map(|c| c.resolve(self.schema))
            .or_else(|| of.and_then(|of| of.field(name)));
        let key = choose(Place {
            dest: dest_key.clone(),
            origin: origin_key.as_ref(),
            update: update_key.as_ref(),
        });
        let style = dest_value.as_ref().map(|value| value.style);
        let value = self.merge(
            Place {
                dest: dest_value,
                origin: origin.as_ref().map(|(_, value)| value),
                update: update.as_ref().map(|(_, value)| value),
            },
            of,
            &Path {
                parent: Some(path),
                name,
            },
        )?;
        let Some(mut value) = value.filter(|value| !tree::is_null(value)) else {
            if let Some(at) = place {
                entries.remove(at);
            }
            return Ok(());
        };
        tree::quote_ambiguous(&mut value);
        match place {
            Some(at) => {
                if let Some(style) = style {
                    tree::restyle(&mut value, style);
                }
                let (there, slot) = &mut entries[at];
                if let Some(key) = key {
                    copy_comments(&key, there);
                }
                *slot = value;
            }
            None => {
                let mut new_key = tree::scalar(name);
                // A map that was made for this field has no key whose style it could take.
                new_key.style = match value.position.line {
                    0 => Style::Plain,
                    _ => update_key.as_ref().map_or(Style::Plain, |key| key.style),
                };
                if let Some(key) = key {
                    copy_comments(&key, &mut new_key);
                }
                entries.push((new_key, value));
            }
        }
        Ok(())
    }

    fn merge_lists(
        &self,
        place: Place<'_>,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<Option<Node>, Error> {
        if missing(place.update) && !missing(place.origin) {
            return Ok(None);
        }
        let (origin, update) = (place.origin, place.update);
        let mut dest = place
            .dest
            .filter(|dest| !tree::is_null(dest))
            .unwrap_or_else(|| Node::sequence(Vec::new()));
        let keys = self.keys(of, &[Some(&dest), origin, update], path)?;
        let Content::Sequence(list) = &mut dest.content else {
            return Ok(Some(dest));
        };
        let of = of.and_then(Type::elements);
        let mut arena = Arena::default();
        let ids = arena.adopt(std::mem::take(list));
        let mut sources = vec![Some(ids)];
        for side in [origin, update] {
            sources.push(side.map(|node| arena.adopt(tree::elements(node).iter().cloned())));
        }
        let lists = Lists {
            sources,
            keys: &keys,
            increase: self.options.list_increase,
        };
        let merged = elements::merge(&mut arena, lists, &mut |arena, found| {
            self.merge_element(arena, found, of)
        })?;
        *list = arena.release(&merged);
        Ok(Some(dest))
    }

    fn merge_element(
        &self,
        arena: &mut Arena,
        found: &[Option<usize>],
        of: Option<Type<'_>>,
    ) -> Result<Option<usize>, Error> {
        let copy = |at: usize| found[at].map(|id| arena.nodes[id].clone());
        let (dest, origin, update) = (copy(0), copy(1), copy(2));
        let place = Place {
            dest,
            origin: origin.as_ref(),
            update: update.as_ref(),
        };
        let Some(node) = self.merge(place, of, &ROOT)? else {
            return Ok(None);
        };
        // The target's element is changed where it stands, so that its place in the list is kept.
        match found[0] {
            Some(id) => {
                arena.nodes[id] = node;
                Ok(Some(id))
            }
            None => Ok(arena.adopt([node]).first().copied()),
        }
    }
}

/// The value of a scalar, or of a list that is taken as a whole.
fn choose(place: Place<'_>) -> Option<Node> {
    let same = |a: &Node, b: &Node| same_text(a, b, true);
    if place.is_cleared() {
        return None;
    }
    match (place.update, place.origin.filter(|origin| !tree::is_null(origin))) {
        (None, None) => place.dest,
        (Some(update), Some(origin)) => match same(update, origin) {
            true => place.dest,
            false => {
                let unchanged = place.dest.as_ref().is_none_or(|dest| same(dest, origin));
                let is_list = tree::kind(update) == tree::Kind::Sequence;
                let other_value = tree::text(update) != tree::text(origin);
                match is_list || unchanged || other_value {
                    true => Some(update.clone()),
                    false => place.dest,
                }
            }
        },
        (update, _) => update.cloned(),
    }
}

fn copy_comments(from: &Node, to: &mut Node) {
    to.head_comment.clone_from(&from.head_comment);
    to.line_comment.clone_from(&from.line_comment);
    to.foot_comment.clone_from(&from.foot_comment);
}

/// Whether two nodes would be written alike, whatever the style of the outermost.
fn same_text(a: &Node, b: &Node, outermost: bool) -> bool {
    let alike = a.head_comment == b.head_comment
        && a.line_comment == b.line_comment
        && a.foot_comment == b.foot_comment
        && tree::resolved_tag(a) == tree::resolved_tag(b);
    alike
        && match (&a.content, &b.content) {
            (Content::Scalar(x), Content::Scalar(y)) => x == y && (outermost || a.style == b.style),
            (Content::Sequence(x), Content::Sequence(y)) => {
                x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same_text(x, y, false))
            }
            (Content::Mapping(x), Content::Mapping(y)) => {
                x.len() == y.len()
                    && x.iter()
                        .zip(y)
                        .all(|(x, y)| same_text(&x.0, &y.0, false) && same_text(&x.1, &y.1, false))
            }
            (Content::Alias(x), Content::Alias(y)) => x == y,
            _ => false,
        }
}
