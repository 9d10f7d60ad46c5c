//! Images: other names, tags and digests for containers' images.

use deploy_yaml::node::{Content, Node};
use regex::Regex;

use super::Error;
use super::field_spec::{FieldSpecs, apply};
use crate::kustomize::limits::MAX_REGEX_BYTES;
use crate::kustomize::merge::tree::{self, Kind};

/// One entry of the field `images`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The image that is changed, without tag and digest; a regular expression in fact.
    pub name: String,
    /// The name that it gets; empty to keep its own.
    pub new_name: String,
    /// The tag that it gets.
    pub new_tag: String,
    /// What is put behind the tag that it has, where it gets neither a tag nor a digest.
    pub tag_suffix: String,
    /// The digest that it gets.
    pub digest: String,
}

/// An [`Image`] that is ready to be looked for.
#[derive(Clone, Debug)]
pub struct Compiled {
    image: Image,
    pattern: Regex,
}

/// The kind that is never touched: its schema may describe fields with the name `image`.
const UNTOUCHED: &str = "CustomResourceDefinition";

impl Compiled {
    /// Prepares an entry; its name must be a regular expression.
    pub fn new(image: Image) -> Result<Compiled, Error> {
        let pattern = format!(
            r"^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$",
            image.name
        );
        let pattern = regex::RegexBuilder::new(&pattern)
            .size_limit(MAX_REGEX_BYTES)
            .build()
            .map_err(|_| {
                Error::Invalid(format!(
                    "images: the name {:?} is no regular expression",
                    image.name
                ))
            })?;
        Ok(Compiled { image, pattern })
    }

    /// Changes the images of an object: those of any `containers` and `initContainers`, then those of the specs' fields.
    pub fn set(&self, object: &mut Node, specs: &FieldSpecs) -> Result<(), Error> {
        if tree::field(object, "kind").and_then(tree::text) == Some(UNTOUCHED) {
            return Ok(());
        }
        self.search(object)?;
        for spec in specs.of(object) {
            apply(object, spec, None, &mut |field| self.change(field))?;
        }
        Ok(())
    }

    fn search(&self, node: &mut Node) -> Result<(), Error> {
        match &mut node.content {
            Content::Mapping(entries) => {
                for (key, value) in entries {
                    self.search(value)?;
                    if matches!(tree::text(key), Some("containers" | "initContainers")) {
                        self.change_containers(value)?;
                    }
                }
            }
            Content::Sequence(elements) => {
                for element in elements {
                    self.search(element)?;
                }
            }
            Content::Scalar(_) | Content::Alias(_) => {}
        }
        Ok(())
    }

    fn change_containers(&self, list: &mut Node) -> Result<(), Error> {
        let Content::Sequence(containers) = &mut list.content else {
            return Ok(());
        };
        for container in containers {
            tree::expect(container, Kind::Mapping)?;
            if let Some(image) = tree::field_mut(container, "image") {
                self.change(image)?;
            }
        }
        Ok(())
    }

    fn change(&self, field: &mut Node) -> Result<(), Error> {
        tree::expect(field, Kind::Scalar)?;
        let Some(text) = tree::text(field).filter(|text| self.pattern.is_match(text)) else {
            return Ok(());
        };
        let new = self.image.of(text);
        Ok(tree::set_scalar(field, tree::scalar(&new))?)
    }
}

impl Image {
    /// The reference that takes the place of another. A tag or a digest replaces both.
    fn of(&self, reference: &str) -> String {
        let (name, tag, digest) = split(reference);
        let name = if self.new_name.is_empty() {
            name
        } else {
            &self.new_name
        };
        let (tag, digest) = match (!self.new_tag.is_empty(), !self.digest.is_empty()) {
            (true, true) => (self.new_tag.clone(), self.digest.as_str()),
            (true, false) => (self.new_tag.clone(), ""),
            (false, true) => (String::new(), self.digest.as_str()),
            (false, false) if !self.tag_suffix.is_empty() => (format!("{tag}{}", self.tag_suffix), ""),
            (false, false) => (tag.to_owned(), digest),
        };
        let mut new = name.to_owned();
        if !tag.is_empty() {
            new.push(':');
            new.push_str(&tag);
        }
        if !digest.is_empty() {
            new.push('@');
            new.push_str(digest);
        }
        new
    }
}

/// Name, tag, digest. A colon before the first slash belongs to a registry's port.
pub(crate) fn split(reference: &str) -> (&str, &str, &str) {
    let from = reference.find('/').unwrap_or_default();
    let find = |sign| reference[from..].find(sign).map(|at| at + from);
    match (find(':'), find('@')) {
        (None, None) => (reference, "", ""),
        (Some(colon), Some(at)) if colon < at => (
            &reference[..colon],
            &reference[colon + 1..at],
            &reference[at + 1..],
        ),
        (_, Some(at)) => (&reference[..at], "", &reference[at + 1..]),
        (Some(colon), None) => (&reference[..colon], &reference[colon + 1..], ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_split_at_tag_and_digest() {
        let rows = [
            ("nginx", ("nginx", "", "")),
            ("nginx:1.2", ("nginx", "1.2", "")),
            ("host:5000/a/b", ("host:5000/a/b", "", "")),
            ("host:5000/a/b:v1@sha256:ab", ("host:5000/a/b", "v1", "sha256:ab")),
            ("nginx@sha256:ab", ("nginx", "", "sha256:ab")),
        ];
        for (reference, parts) in rows {
            assert_eq!(split(reference), parts, "{reference}");
        }
    }

    #[test]
    fn tags_and_digests_replace_each_other() {
        let image = |new_name: &str, new_tag: &str, digest: &str, tag_suffix: &str| Image {
            name: "nginx".to_owned(),
            new_name: new_name.to_owned(),
            new_tag: new_tag.to_owned(),
            tag_suffix: tag_suffix.to_owned(),
            digest: digest.to_owned(),
        };
        let rows = [
            (image("", "2", "", ""), "nginx:1@sha256:ab", "nginx:2"),
            (image("", "", "sha256:cd", ""), "nginx:1", "nginx@sha256:cd"),
            (image("a:5000/b", "", "", ""), "nginx:1", "a:5000/b:1"),
            (image("", "", "", "-x"), "nginx:1", "nginx:1-x"),
            (image("", "2", "sha256:cd", ""), "nginx", "nginx:2@sha256:cd"),
        ];
        for (image, before, after) in rows {
            assert_eq!(image.of(before), after);
        }
    }
}
