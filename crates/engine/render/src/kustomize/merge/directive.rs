//! `$patch`: what a patch says about itself.

use deploy_yaml::node::{Content, Node};

use super::{Error, elements, tree};

const DIRECTIVE: &str = "$patch";

/// What to do with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    fn named(name: &str) -> Result<Directive, Error> {
        match name {
            "merge" => Ok(Directive::Merge),
            "replace" => Ok(Directive::Replace),
            "delete" => Ok(Directive::Delete),
            other => Err(Error::UnknownStrategy(other.to_owned())),
        }
    }
}

/// Reads a patch's directive and takes it out.
pub(super) fn take(patch: &mut Node) -> Result<Directive, Error> {
    match patch.content {
        Content::Mapping(_) => of_map(patch),
        Content::Sequence(_) => of_list(patch),
        _ => Err(Error::NoStrategy {
            tag: tree::resolved_tag(patch).to_owned(),
            contents: deploy_yaml::emit_kyaml(patch),
        }),
    }
}

fn of_map(patch: &mut Node) -> Result<Directive, Error> {
    let Some(name) = tree::field(patch, DIRECTIVE) else {
        return Ok(Directive::Merge);
    };
    let directive = Directive::named(tree::text(name).unwrap_or_default())?;
    tree::remove_field(patch, DIRECTIVE);
    Ok(directive)
}

/// A list's directive is an element of its own that holds nothing else.
fn of_list(patch: &mut Node) -> Result<Directive, Error> {
    let first = tree::elements(patch)
        .iter()
        .find(|element| tree::field(element, DIRECTIVE).is_some());
    let Some([(_, name)]) = first.map(tree::entries) else {
        return Ok(Directive::Merge);
    };
    let name = tree::text(name).unwrap_or_default().to_owned();
    let directive = Directive::named(&name)?;
    if let Content::Sequence(list) = &mut patch.content {
        elements::remove(list, DIRECTIVE, &name)?;
    }
    Ok(directive)
}
