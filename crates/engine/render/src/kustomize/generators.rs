//! ConfigMaps and Secrets from literals, files and environment files, and the service account of IAMPolicyGenerator.

use std::collections::BTreeMap;

use deploy_yaml::node::{Node, Style};

use super::error::{Context, Error, Result};
use super::kustomization::{ConfigMapArgs, GeneratorOptions, SecretArgs};
use super::loader::Loader;
use super::resource::{Behavior, Resource};
use super::tree;
use super::world::World;

/// A ConfigMap.
pub(super) fn config_map(args: &ConfigMapArgs, loader: &Loader<'_>, world: &World<'_>) -> Result<Resource> {
    let mut node = base("ConfigMap", &args.name, &args.namespace)?;
    let pairs = pairs(&args.name, &args.envs, &args.literals, &args.files, loader)?;
    for (key, value) in pairs {
        let (field, text) = match String::from_utf8(value) {
            Ok(text) => ("data", text),
            Err(error) => ("binaryData", base64_lines(error.as_bytes())),
        };
        tree::set(tree::mapping_mut(&mut node, field), &key, data_node(&text));
    }
    finish(node, args.options.as_ref(), &args.behavior, world)
}

/// A Secret.
pub(super) fn secret(args: &SecretArgs, loader: &Loader<'_>, world: &World<'_>) -> Result<Resource> {
    let mut node = base("Secret", &args.name, &args.namespace)?;
    let secret_type = if args.secret_type.is_empty() {
        "Opaque"
    } else {
        &args.secret_type
    };
    tree::set(&mut node, "type", tree::string(secret_type));
    let pairs = pairs(&args.name, &args.envs, &args.literals, &args.files, loader)?;
    let data = tree::mapping_mut(&mut node, "data");
    for (key, value) in pairs {
        tree::set(data, &key, data_node(&base64_lines(&value)));
    }
    finish(node, args.options.as_ref(), &args.behavior, world)
}

/// What `generatorOptions` says, under what a generator says itself.
pub(super) fn merge_options(
    own: Option<GeneratorOptions>,
    global: Option<&GeneratorOptions>,
) -> Option<GeneratorOptions> {
    let Some(global) = global else {
        return own;
    };
    let mut merged = own.unwrap_or_default();
    for (own, global) in [
        (&mut merged.labels, &global.labels),
        (&mut merged.annotations, &global.annotations),
    ] {
        for (key, value) in global {
            own.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
    merged.immutable |= global.immutable;
    Some(merged)
}

/// The service account that IAMPolicyGenerator makes for Google's cloud.
pub(super) fn iam_service_account(
    account: &str,
    project: &str,
    name: &str,
    namespace: &str,
    world: &World<'_>,
) -> Resource {
    let mut node = tree::mapping();
    tree::set(&mut node, "apiVersion", tree::scalar("v1"));
    tree::set(&mut node, "kind", tree::scalar("ServiceAccount"));
    let metadata = tree::mapping_mut(&mut node, "metadata");
    tree::set(
        tree::mapping_mut(metadata, "annotations"),
        "iam.gke.io/gcp-service-account",
        tree::scalar(&format!("{account}@{project}.iam.gserviceaccount.com")),
    );
    tree::set(metadata, "name", tree::scalar(name));
    if !namespace.is_empty() {
        tree::set(metadata, "namespace", tree::scalar(namespace));
    }
    Resource::read(node, world)
}

fn base(kind: &str, name: &str, namespace: &str) -> Result<Node> {
    if name.is_empty() {
        return Err(Error::invalid("a configmap must have a name"));
    }
    let mut node = tree::mapping();
    tree::set(&mut node, "apiVersion", tree::scalar("v1"));
    tree::set(&mut node, "kind", tree::scalar(kind));
    let metadata = tree::mapping_mut(&mut node, "metadata");
    tree::set(metadata, "name", tree::string(name));
    if !namespace.is_empty() {
        tree::set(metadata, "namespace", tree::string(namespace));
    }
    Ok(node)
}

fn data_node(text: &str) -> Node {
    let mut node = tree::string(text);
    if text.contains('\n') {
        node.style = Style::Literal;
    }
    node
}

fn finish(
    mut node: Node,
    options: Option<&GeneratorOptions>,
    behavior: &str,
    world: &World<'_>,
) -> Result<Resource> {
    if let Some(options) = options {
        for (field, entries) in [("labels", &options.labels), ("annotations", &options.annotations)] {
            for (key, value) in entries {
                let metadata = tree::mapping_mut(&mut node, "metadata");
                tree::set(tree::mapping_mut(metadata, field), key, tree::string(value));
            }
        }
        if options.immutable {
            tree::set(&mut node, "immutable", tree::tagged("true", "!!bool"));
        }
    }
    let mut resource = Resource::read(node, world);
    resource.needs_hash = !options.is_some_and(|options| options.disable_name_suffix_hash);
    resource.behavior = Behavior::parse(behavior);
    Ok(resource)
}

fn pairs(
    name: &str,
    envs: &[String],
    literals: &[String],
    files: &[String],
    loader: &Loader<'_>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let shown = |list: &[String]| format!("[{}]", list.join(" "));
    let mut all = from_env_files(envs, loader)
        .context(|| format!("env source files: {}", shown(envs)))
        .context(|| "loading KV pairs")?;
    for literal in literals {
        all.push(
            from_literal(literal)
                .context(|| format!("literal sources {}", shown(literals)))
                .context(|| "loading KV pairs")?,
        );
    }
    for file in files {
        all.push(
            from_file(file, loader)
                .context(|| format!("file sources: {}", shown(files)))
                .context(|| "loading KV pairs")?,
        );
    }
    let mut known = BTreeMap::new();
    for (key, value) in all {
        if known.contains_key(&key) {
            return Err(Error::invalid(format!(
                "configmap {name} illegally repeats the key `{key}`"
            )));
        }
        known.insert(key, value);
    }
    Ok(known)
}

fn from_env_files(paths: &[String], loader: &Loader<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    // The longest line that Go's scanner takes; it stops there without a word.
    const MAX_LINE: usize = 64 * 1024;
    let mut pairs = Vec::new();
    for path in paths {
        let content = loader.load(path)?;
        for (number, line) in content.split(|byte| *byte == b'\n').enumerate() {
            if line.len() >= MAX_LINE {
                break;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let text = std::str::from_utf8(line).map_err(|_| {
                let bytes: Vec<String> = line.iter().map(u8::to_string).collect();
                Error::invalid(format!(
                    "line [{}] has invalid utf8 bytes : {}",
                    bytes.join(" "),
                    String::from_utf8_lossy(line)
                ))
            })?;
            let text = if number == 0 {
                text.trim_start_matches('\u{feff}')
            } else {
                text
            };
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            if !key.is_empty() {
                pairs.push((key.to_owned(), value.as_bytes().to_vec()));
            }
        }
    }
    Ok(pairs)
}

fn from_literal(literal: &str) -> Result<(String, Vec<u8>)> {
    let (key, value) = literal
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| Error::invalid(format!("invalid literal source {literal}, expected key=value")))?;
    let quoted = ['"', '\''].iter().find_map(|quote| {
        value
            .strip_prefix(*quote)
            .and_then(|rest| rest.strip_suffix(*quote))
    });
    Ok((key.to_owned(), quoted.unwrap_or(value).as_bytes().to_vec()))
}

fn from_file(source: &str, loader: &Loader<'_>) -> Result<(String, Vec<u8>)> {
    let (key, path) = match source.split_once('=') {
        None => (base_name(source), source),
        Some(("", path)) if !path.contains('=') => {
            return Err(Error::invalid(format!(
                "missing key name for file path {path:?} in source {source:?}"
            )));
        }
        Some((key, "")) => {
            return Err(Error::invalid(format!(
                "missing file path for key name {key:?} in source {source:?}"
            )));
        }
        Some((_, path)) if path.contains('=') => {
            return Err(Error::invalid(format!(
                "source {source:?} key name or file path contains '='"
            )));
        }
        Some((key, path)) => (key, path),
    };
    Ok((key.to_owned(), loader.load(path)?))
}

fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit('/').next() {
        Some("") | None if path.is_empty() => ".",
        Some("") | None => "/",
        Some(name) => name,
    }
}

/// Base64, in lines of 70 where it is longer than one.
fn base64_lines(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let length = bytes.len().div_ceil(3) * 4;
    let wraps = length >= LINE;
    let mut out = String::with_capacity(length + length / LINE + 1);
    let mut column = 0;
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .chain([&0, &0])
            .take(3)
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        for place in 0..4 {
            out.push(if place <= chunk.len() {
                char::from(DIGITS[(word >> (18 - 6 * place) & 63) as usize])
            } else {
                '='
            });
            column += 1;
            if wraps && column == LINE {
                out.push('\n');
                column = 0;
            }
        }
    }
    if wraps && column > 0 {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_wrapped_like_that_of_kustomize() {
        assert_eq!(base64_lines(b""), "");
        assert_eq!(base64_lines(b"f"), "Zg==");
        assert_eq!(base64_lines(b"foobar"), "Zm9vYmFy");
        // 51 bytes are 68 digits, 54 are 72.
        assert_eq!(base64_lines(&[0; 51]), "A".repeat(68));
        assert_eq!(base64_lines(&[0; 54]), format!("{}\nAA\n", "A".repeat(70)));
    }

    #[test]
    fn literals_lose_one_pair_of_quotes() {
        let cases = [
            ("a=b", "b"),
            ("a='b'", "b"),
            ("a=\"b\"", "b"),
            ("a='b", "'b"),
            ("a='", "'"),
            ("a=b=c", "b=c"),
            ("a=", ""),
        ];
        for (literal, value) in cases {
            let (key, got) = from_literal(literal).expect("the literal has a key");
            assert_eq!(
                (key.as_str(), got.as_slice()),
                ("a", value.as_bytes()),
                "{literal}"
            );
        }
        assert!(from_literal("a").is_err());
        assert!(from_literal("=a").is_err());
    }
}
