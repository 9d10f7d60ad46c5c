//! From the words of a kustomization to patches and replacements that are ready to run: what is inline, what is in files.

use super::decode::{self, Mode};
use super::error::{Error, Result};
use super::kustomization::{Patch as PatchModel, PatchStrategicMerge, ReplacementField, Selector};
use super::loader::Loader;
use super::patch::parse_operations;
use super::read;
use super::replacements::Replacement;
use super::resource::Resource;
use super::transform::{Patch, PatchContent, Transformer};
use super::tree;
use super::world::World;

/// One entry of `patches`.
pub(super) fn patch(model: &PatchModel, loader: &Loader<'_>, world: &World<'_>) -> Result<Transformer> {
    let inline = model.patch.trim();
    let (text, source) = match (inline.is_empty(), model.path.is_empty()) {
        (true, true) => return Err(Error::invalid("must specify one of patch and path in")),
        (false, false) => return Err(Error::invalid("patch and path can't be set at the same time")),
        (false, true) => (inline.to_owned(), format!("[patch: {inline:?}]")),
        (true, false) => {
            let content = loader.load(&model.path).map_err(|error| {
                error.context(format!("failed to get the patch file from path({})", model.path))
            })?;
            let text = String::from_utf8_lossy(&content).into_owned();
            (text, format!("[path: {:?}]", model.path))
        }
    };
    let strategic = read::resources(text.as_bytes(), world);
    let operations = if text.is_empty() {
        Err(())
    } else {
        parse_operations(&text).map_err(|_| ())
    };
    let content = match (strategic, operations) {
        (Ok(patches), Ok(operations)) if !patches.is_empty() && !operations.is_empty() => {
            return Err(Error::invalid(format!(
                "illegally qualifies as both an SM and JSON patch: {source}"
            )));
        }
        (Err(_), Err(())) => {
            return Err(Error::invalid(format!(
                "unable to parse SM or JSON patch from {source}"
            )));
        }
        (Ok(mut patches), _) => {
            if let Some(options) = &model.options {
                for patch in &mut patches {
                    patch.allow_name_change |= options.allow_name_change;
                    patch.allow_kind_change |= options.allow_kind_change;
                    if options.allow_name_change || options.allow_kind_change {
                        // kustomize remembers it in the annotations, which it writes anew.
                        rewrite(patch, &["annotations"]);
                    }
                }
            }
            if patches.is_empty() {
                return Ok(Transformer::All(Vec::new()));
            }
            if model.target.is_some() {
                patches
                    .iter_mut()
                    .for_each(|patch| rewrite(patch, &["labels", "annotations"]));
            }
            PatchContent::Strategic(patches)
        }
        (Err(_), Ok(operations)) => PatchContent::Json(operations),
    };
    Ok(Transformer::Patch(Patch {
        content,
        source,
        target: model.target.clone(),
    }))
}

/// `patchesStrategicMerge`: each entry is a patch or the path of one.
pub(super) fn strategic_merge(
    paths: &[PatchStrategicMerge],
    inline: &str,
    loader: &Loader<'_>,
    world: &World<'_>,
) -> Result<Transformer> {
    if paths.is_empty() && inline.is_empty() {
        return Err(Error::invalid("empty file path and empty patch content"));
    }
    let mut patches: Vec<Resource> = Vec::new();
    for PatchStrategicMerge(path) in paths {
        match read::resources(path.as_bytes(), world) {
            Ok(more) => patches.extend(more),
            Err(_) => {
                let content = loader.load(path)?;
                let more = read::resources(&content, world).map_err(|error| in_file(error, path))?;
                patches.extend(more);
            }
        }
    }
    if !inline.is_empty() {
        patches.extend(read::resources(inline.as_bytes(), world)?);
    }
    if patches.is_empty() {
        let shown: Vec<&str> = paths.iter().map(|path| path.0.as_str()).collect();
        return Err(Error::invalid(format!(
            "patch appears to be empty; files=[{}], Patch={inline}",
            shown.join(" ")
        )));
    }
    patches
        .iter_mut()
        .for_each(|patch| rewrite(patch, &["labels", "annotations"]));
    Ok(Transformer::StrategicMerge(patches))
}

/// Labels and annotations as text, those that are null too. kustomize does this to each copy that it makes of a patch for
/// its targets, and so such a patch removes no label; one without a target is not copied, and does.
fn rewrite(patch: &mut Resource, maps: &[&str]) {
    let Some(metadata) = tree::field_mut(&mut patch.node, "metadata") else {
        return;
    };
    for name in maps {
        let Some(map) = tree::remove(metadata, name) else {
            continue;
        };
        for (key, value) in tree::entries(&map) {
            if let Some(key) = tree::text(key) {
                let value = tree::string(tree::text(value).unwrap_or_default());
                tree::set(tree::mapping_mut(metadata, name), key, value);
            }
        }
    }
}

/// One entry of `patchesJson6902`.
pub(super) fn json6902(
    target: Option<&Selector>,
    path: &str,
    operations: &str,
    loader: &Loader<'_>,
) -> Result<Transformer> {
    let target = target
        .filter(|target| !target.name.is_empty())
        .ok_or_else(|| Error::invalid("must specify the target name"))?;
    let text = match (path.is_empty(), operations.is_empty()) {
        (true, true) => return Err(Error::invalid("empty file path and empty jsonOp")),
        (false, false) => return Err(Error::invalid("must specify a file path or jsonOp, not both")),
        (true, false) => operations.to_owned(),
        (false, true) => String::from_utf8_lossy(&loader.load(path)?).into_owned(),
    };
    if text.is_empty() {
        return Err(Error::invalid(format!(
            "patch file '{path}' empty seems to be empty"
        )));
    }
    let operations = parse_operations(&text).map_err(|error| Error::invalid(error.to_string()))?;
    if operations.is_empty() {
        return Err(Error::invalid(format!(
            "patch appears to be empty; file={path}, JsonOp={text}"
        )));
    }
    Ok(Transformer::Json6902 {
        operations,
        target: target.clone(),
    })
}

/// `replacements`, inline or each in a file with one or a list of them.
pub(super) fn replacements(fields: &[ReplacementField], loader: &Loader<'_>) -> Result<Transformer> {
    let mut all: Vec<Replacement> = Vec::new();
    for field in fields {
        if field.path.is_empty() {
            all.push(field.clone().into());
            continue;
        }
        let has_targets = field.targets.as_ref().is_some_and(|targets| !targets.is_empty());
        if field.source.is_some() || has_targets {
            return Err(Error::invalid("cannot specify both path and inline replacement"));
        }
        let content = loader.load(&field.path)?;
        let value = deploy_yaml::to_json(&content, deploy_yaml::Dialect::GoYaml11)
            .map_err(|error| Error::invalid(format!("error converting YAML to JSON: {error}")))?;
        let list = match &value {
            serde_json::Value::Array(list) => list.as_slice(),
            serde_json::Value::Object(_) => std::slice::from_ref(&value),
            other => {
                let kind = if other.is_null() { "invalid" } else { "string" };
                return Err(Error::invalid(format!(
                    "unsupported replacement type encountered within replacement path: {kind}"
                )));
            }
        };
        for item in list {
            let field: ReplacementField = decode::decode(item, Mode::Yaml).map_err(Error::invalid)?;
            all.push(field.into());
        }
    }
    Ok(Transformer::Replacements(all))
}

/// Names the file in an error of its syntax.
pub(super) fn in_file(error: Error, path: &str) -> Error {
    error.reworded(|text| {
        if text.contains("MalformedYAMLError") {
            format!("{text} in File: {path}")
        } else {
            text.to_owned()
        }
    })
}
