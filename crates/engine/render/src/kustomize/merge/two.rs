//! The two-way merge: a patch into a target, in place.
//!
//! A place of the tree is in one of three states, and each has its function: both trees have it ([`Walk::combine`]), only
//! the target has it ([`Walk::settle`]), or the patch's node has become the target's ([`Walk::adopt`]).

use std::collections::BTreeSet;

use deploy_yaml::node::{Content, Node};

use super::directive::{self, Directive};
use super::elements::{self, Arena, Lists};
use super::{Error, Options, Path, ROOT, Walk, tree};
use crate::kustomize::schema::{Schema, Type};

/// Merges `patch` into `target`; nothing is left where the patch deletes the target.
/// List keys come from the built-in kinds, from comments, and, if asked for, from the elements.
pub fn merge2(patch: &Node, target: Option<Node>, options: Options) -> Result<Option<Node>, Error> {
    let schema = Schema::built_in();
    let Some(mut target) = target else {
        let mut added = patch.clone();
        let walk = Walk {
            schema: &schema,
            options,
        };
        return Ok(match walk.add(&mut added, None, &ROOT)? {
            Fate::Cleared => None,
            _ => Some(added),
        });
    };
    Ok(match merge_into(&mut target, patch.clone(), &schema, options)? {
        Fate::Kept => Some(target),
        Fate::Replaced(node) => Some(node).filter(|node| !tree::is_null(node)),
        Fate::Cleared => None,
    })
}

/// What becomes of a place in the target.
pub(crate) enum Fate {
    /// The node that is there stays, changed or not.
    Kept,
    /// Another node takes its place.
    Replaced(Node),
    /// The place is empty.
    Cleared,
}

/// Merges a patch into a target with the schema at hand.
pub(crate) fn merge_into(
    target: &mut Node,
    patch: Node,
    schema: &Schema,
    options: Options,
) -> Result<Fate, Error> {
    Walk { schema, options }.combine(target, patch, None, &ROOT)
}

/// A null that was written out and stays when only the target has it: `null` or `~`, but not an empty value.
fn persistent_null(node: &Node) -> Option<Node> {
    let text = tree::text(node).filter(|text| !text.is_empty())?;
    Some(tree::scalar(text))
}

impl Walk<'_> {
    /// Merges `patch` into `dest`, which both exist.
    fn combine(
        &self,
        dest: &mut Node,
        patch: Node,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<Fate, Error> {
        let comment = self.comment_schema([Some(&*dest), Some(&patch)].into_iter().map(not_null));
        let from_comment = comment.as_ref().map(|c| c.resolve(self.schema));
        let of = from_comment
            .or(of)
            .or_else(|| self.kind_schema([Some(&*dest), Some(&patch)]));

        let (dest_null, patch_null) = (tree::is_null(dest), tree::is_null(&patch));
        let kind = if dest_null {
            tree::kind(&patch)
        } else {
            tree::kind(dest)
        };
        tree::expect(&patch, kind)?;
        if dest_null || patch_null {
            return self.combine_null(dest, patch, of, path);
        }
        take_comments(dest, &patch);
        match kind {
            tree::Kind::Mapping => self.combine_maps(dest, patch, of, path),
            tree::Kind::Sequence if self.is_associative(of, &[Some(dest), Some(&patch)]) => {
                self.combine_lists(dest, patch, of, path)
            }
            tree::Kind::Sequence => {
                take_style(dest, &patch);
                Ok(Fate::Replaced(patch))
            }
            tree::Kind::Scalar => Ok(Fate::Replaced(patch)),
            tree::Kind::Alias => Ok(Fate::Cleared),
        }
    }

    /// One of the two is null: the patch's value comes in, or its null takes the target's value out.
    fn combine_null(
        &self,
        dest: &Node,
        mut patch: Node,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<Fate, Error> {
        if tree::is_null(&patch) {
            return Ok(Fate::Cleared);
        }
        debug_assert!(tree::is_null(dest), "the caller saw a null");
        Ok(match self.add(&mut patch, of, path)? {
            Fate::Cleared => Fate::Cleared,
            _ => Fate::Replaced(patch),
        })
    }

    fn combine_maps(
        &self,
        dest: &mut Node,
        mut patch: Node,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<Fate, Error> {
        take_style(dest, &patch);
        match directive::take(&mut patch)? {
            Directive::Delete => Ok(Fate::Cleared),
            Directive::Replace => {
                self.adopt_fields(&mut patch, of, path)?;
                Ok(Fate::Replaced(patch))
            }
            Directive::Merge => {
                let Content::Mapping(theirs) = patch.content else {
                    return Ok(Fate::Kept);
                };
                self.combine_fields(dest, theirs, of, path)?;
                Ok(Fate::Kept)
            }
        }
    }

    fn combine_fields(
        &self,
        dest: &mut Node,
        patch: Vec<(Node, Node)>,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        let Content::Mapping(entries) = &mut dest.content else {
            return Ok(());
        };
        // What only the target has is settled where it stands; of a field given twice the first counts.
        let names: BTreeSet<&str> = patch.iter().filter_map(|(key, _)| tree::text(key)).collect();
        let mut error = None;
        entries.retain_mut(|(key, value)| {
            if error.is_some() || tree::text(key).is_none_or(|name| names.contains(name)) {
                return true;
            }
            let at = at(path, key);
            match self.settle_field(key, value, of, &at) {
                Ok(stays) => stays,
                Err(e) => {
                    error = Some(e);
                    true
                }
            }
        });
        if let Some(error) = error {
            return Err(error);
        }
        let mut patch: Vec<(Node, Node)> = patch;
        patch.sort_by(|a, b| tree::text(&a.0).cmp(&tree::text(&b.0)));
        patch.dedup_by(|later, first| tree::text(&later.0) == tree::text(&first.0));
        for (key, value) in patch {
            let Some(name) = tree::text(&key) else { continue };
            let at = at(path, &key);
            match tree::position(entries, name) {
                Some(place) => {
                    let (dest_key, dest_value) = &mut entries[place];
                    let comment = self.comment_schema([Some(&*dest_key), Some(&key)]);
                    let of = comment
                        .as_ref()
                        .map(|c| c.resolve(self.schema))
                        .or(of.and_then(|of| of.field(name)));
                    match self.combine(dest_value, value, of, &at)? {
                        Fate::Kept => tree::quote_ambiguous(dest_value),
                        Fate::Replaced(mut value) => {
                            tree::quote_ambiguous(&mut value);
                            tree::replace(dest_value, value);
                        }
                        Fate::Cleared => {
                            entries.remove(place);
                        }
                    }
                }
                None => {
                    let mut value = value;
                    let comment = self.comment_schema([Some(&key)]);
                    let of = comment
                        .as_ref()
                        .map(|c| c.resolve(self.schema))
                        .or(of.and_then(|of| of.field(name)));
                    if matches!(self.add(&mut value, of, &at)?, Fate::Cleared) {
                        continue;
                    }
                    tree::quote_ambiguous(&mut value);
                    let mut new_key = tree::scalar(name);
                    new_key.style = key.style;
                    entries.push((new_key, value));
                }
            }
        }
        Ok(())
    }

    /// A value that only the target has; whether it stays.
    fn settle_field(
        &self,
        key: &Node,
        value: &mut Node,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<bool, Error> {
        if tree::is_null(value) {
            let Some(null) = persistent_null(value) else {
                return Ok(false);
            };
            tree::replace(value, null);
            return Ok(true);
        }
        if tree::kind(value) == tree::Kind::Scalar {
            tree::quote_ambiguous(value);
            return Ok(true);
        }
        let comment = self.comment_schema([Some(key)]);
        let of = comment
            .as_ref()
            .map(|c| c.resolve(self.schema))
            .or_else(|| of.and_then(|of| of.field(tree::text(key)?)));
        self.settle(value, of, path)
    }

    /// What a walk does to a place that only the target has; whether it stays.
    fn settle(&self, dest: &mut Node, of: Option<Type<'_>>, path: &Path<'_>) -> Result<bool, Error> {
        let comment = self.comment_schema([Some(&*dest)]);
        let of = comment
            .as_ref()
            .map(|c| c.resolve(self.schema))
            .or(of)
            .or_else(|| self.kind_schema([Some(&*dest)]));
        let associative =
            matches!(dest.content, Content::Sequence(_)) && self.is_associative(of, &[Some(dest)]);
        match &mut dest.content {
            Content::Mapping(entries) => {
                let mut error = None;
                entries.retain_mut(|(key, value)| {
                    let at = at(path, key);
                    match error.is_some() {
                        true => true,
                        false => self.settle_field(key, value, of, &at).unwrap_or_else(|e| {
                            error = Some(e);
                            true
                        }),
                    }
                });
                error.map_or(Ok(true), Err)
            }
            Content::Sequence(_) if associative => {
                let keys = self.keys(of, &[Some(dest)], path)?;
                self.settle_list(dest, &keys, of)?;
                Ok(true)
            }
            Content::Sequence(_) | Content::Scalar(_) => Ok(true),
            Content::Alias(_) => Ok(false),
        }
    }

    fn settle_list(&self, dest: &mut Node, keys: &[String], of: Option<Type<'_>>) -> Result<(), Error> {
        let Content::Sequence(list) = &mut dest.content else {
            return Ok(());
        };
        let of = of.and_then(Type::elements);
        if elements::are_distinct(list, keys) {
            for element in list {
                self.settle(element, of, &ROOT)?;
            }
            return Ok(());
        }
        let mut arena = Arena::default();
        let ids = arena.adopt(std::mem::take(list));
        let lists = Lists {
            sources: vec![Some(ids), None],
            keys,
            increase: self.options.list_increase,
        };
        let merged = elements::merge(&mut arena, lists, &mut |arena, found| {
            let Some(id) = found[0] else { return Ok(None) };
            let stays = self.settle(&mut arena.nodes[id], of, &ROOT)?;
            Ok(stays.then_some(id))
        })?;
        *list = arena.release(&merged);
        Ok(())
    }

    fn combine_lists(
        &self,
        dest: &mut Node,
        mut patch: Node,
        of: Option<Type<'_>>,
        path: &Path<'_>,
    ) -> Result<Fate, Error> {
        take_style(dest, &patch);
        match directive::take(&mut patch)? {
            Directive::Delete => return Ok(Fate::Cleared),
            Directive::Replace => {
                self.adopt_list(&mut patch, of, path)?;
                return Ok(Fate::Replaced(patch));
            }
            Directive::Merge => {}
        }
        let keys = self.keys(of, &[Some(dest), Some(&patch)], path)?;
        let (Content::Sequence(ours), Content::Sequence(theirs)) = (&mut dest.content, patch.content) else {
            return Ok(Fate::Kept);
        };
        let of = of.and_then(Type::elements);
        let mut arena = Arena::default();
        let ids = arena.adopt(std::mem::take(ours));
        let patch_ids = arena.adopt(theirs);
        let lists = Lists {
            sources: vec![Some(ids), Some(patch_ids)],
            keys: &keys,
            increase: self.options.list_increase,
        };
        let merged = elements::merge(&mut arena, lists, &mut |arena, found| {
            self.combine_element(arena, found, of)
        })?;
        *ours = arena.release(&merged);
        Ok(Fate::Kept)
    }

    fn combine_element(
        &self,
        arena: &mut Arena,
        found: &[Option<usize>],
        of: Option<Type<'_>>,
    ) -> Result<Option<usize>, Error> {
        match *found {
            [Some(dest), Some(patch)] => {
                let patch_node = arena.nodes[patch].clone();
                match self.combine(&mut arena.nodes[dest], patch_node, of, &ROOT)? {
                    Fate::Kept => Ok(Some(dest)),
                    Fate::Replaced(node) => {
                        arena.nodes[patch] = node;
                        Ok(Some(patch))
                    }
                    Fate::Cleared => Ok(None),
                }
            }
            [Some(dest), None] => Ok(self.settle(&mut arena.nodes[dest], of, &ROOT)?.then_some(dest)),
            [None, Some(patch)] => match self.add(&mut arena.nodes[patch], of, &ROOT)? {
                Fate::Cleared => Ok(None),
                _ => Ok(Some(patch)),
            },
            _ => Ok(None),
        }
    }

    /// A place that only the patch has: its node comes in, unless it is null or asks to be deleted.
    fn add(&self, node: &mut Node, of: Option<Type<'_>>, path: &Path<'_>) -> Result<Fate, Error> {
        if tree::is_null(node) {
            return Ok(Fate::Cleared);
        }
        if let Content::Mapping(_) = node.content {
            // An unknown directive is no error here: nothing has to be decided.
            if matches!(directive::take(node), Ok(Directive::Delete)) {
                return Ok(Fate::Cleared);
            }
            self.adopt_fields(node, of, path)?;
            return Ok(Fate::Kept);
        }
        self.adopt_list(node, of, path)?;
        Ok(Fate::Kept)
    }

    /// A place below a node that came in: it is merged with itself. Whether it stays.
    fn adopt(&self, node: &mut Node, of: Option<Type<'_>>, path: &Path<'_>) -> Result<bool, Error> {
        if tree::is_null(node) {
            return Ok(false);
        }
        match node.content {
            Content::Mapping(_) => {
                if directive::take(node)? == Directive::Delete {
                    return Ok(false);
                }
                self.adopt_fields(node, of, path)?;
            }
            Content::Sequence(_) => {
                let comment = self.comment_schema([Some(&*node)]);
                let of = comment.as_ref().map(|c| c.resolve(self.schema)).or(of);
                if self.is_associative(of, &[Some(node)]) && directive::take(node)? == Directive::Delete {
                    return Ok(false);
                }
                self.adopt_list(node, of, path)?;
            }
            Content::Scalar(_) => {}
            Content::Alias(_) => return Ok(false),
        }
        Ok(true)
    }

    fn adopt_fields(&self, node: &mut Node, of: Option<Type<'_>>, path: &Path<'_>) -> Result<(), Error> {
        let comment = self.comment_schema([Some(&*node)]);
        let of = comment
            .as_ref()
            .map(|c| c.resolve(self.schema))
            .or(of)
            .or_else(|| self.kind_schema([Some(&*node)]));
        let Content::Mapping(entries) = &mut node.content else {
            return Ok(());
        };
        let mut error = None;
        entries.retain_mut(|(key, value)| {
            if error.is_some() {
                return true;
            }
            let at = at(path, key);
            let comment = self.comment_schema([Some(&*key)]);
            let of = comment
                .as_ref()
                .map(|c| c.resolve(self.schema))
                .or_else(|| of.and_then(|of| of.field(tree::text(key)?)));
            let stays = self.adopt(value, of, &at).unwrap_or_else(|e| {
                error = Some(e);
                true
            });
            if stays {
                tree::quote_ambiguous(value);
            }
            stays
        });
        error.map_or(Ok(()), Err)
    }

    fn adopt_list(&self, node: &mut Node, of: Option<Type<'_>>, path: &Path<'_>) -> Result<(), Error> {
        let comment = self.comment_schema([Some(&*node)]);
        let of = comment.as_ref().map(|c| c.resolve(self.schema)).or(of);
        if !matches!(node.content, Content::Sequence(_)) || !self.is_associative(of, &[Some(node)]) {
            return Ok(());
        }
        let keys = self.keys(of, &[Some(node)], path)?;
        let Content::Sequence(list) = &mut node.content else {
            return Ok(());
        };
        let of = of.and_then(Type::elements);
        let mut arena = Arena::default();
        let ids = arena.adopt(std::mem::take(list));
        let lists = Lists {
            sources: vec![Some(ids.clone()), Some(ids)],
            keys: &keys,
            increase: self.options.list_increase,
        };
        let merged = elements::merge(&mut arena, lists, &mut |arena, found| {
            let Some(id) = found[0] else { return Ok(None) };
            let stays = self.adopt(&mut arena.nodes[id], of, &ROOT)?;
            Ok(stays.then_some(id))
        })?;
        *list = arena.release(&merged);
        Ok(())
    }
}

fn at<'p>(parent: &'p Path<'p>, key: &'p Node) -> Path<'p> {
    Path {
        parent: Some(parent),
        name: tree::text(key).unwrap_or_default(),
    }
}

fn not_null(node: Option<&Node>) -> Option<&Node> {
    node.filter(|node| !tree::is_null(node))
}

/// The patch's comments win, where it has any.
fn take_comments(dest: &mut Node, patch: &Node) {
    for (ours, theirs) in [
        (&mut dest.head_comment, &patch.head_comment),
        (&mut dest.line_comment, &patch.line_comment),
        (&mut dest.foot_comment, &patch.foot_comment),
    ] {
        if !theirs.is_empty() {
            ours.clone_from(theirs);
        }
    }
}

/// An empty collection was written `{}` or `[]`; filled, it looks as the patch's does.
fn take_style(dest: &mut Node, patch: &Node) {
    let empty = match &dest.content {
        Content::Mapping(entries) => entries.is_empty(),
        Content::Sequence(list) => list.is_empty(),
        _ => false,
    };
    if empty {
        dest.style = patch.style;
    }
}
