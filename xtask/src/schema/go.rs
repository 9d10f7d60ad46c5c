//! As much of Go as the API types are written in: imports, types, fields with their tags, the comments before them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Modules;

/// The packages that hold types of the API, by import path.
pub struct Packages {
    /// By import path.
    pub by_path: BTreeMap<String, Package>,
}

/// One package.
#[derive(Default)]
pub struct Package {
    /// The name in its package clause (`v1`).
    pub name: String,
    /// `Some` for packages of API kinds: the group and version of `register.go`.
    pub group_version: Option<(String, String)>,
    /// Its types by name.
    pub types: BTreeMap<String, Declaration>,
    /// Its string constants, for `+default=ref(NAME)`.
    pub constants: HashMap<String, String>,
    /// The values of its constants by their type, for `+enum`.
    pub enums: HashMap<String, Vec<String>>,
}

/// A declared type.
pub struct Declaration {
    /// What it is.
    pub body: Body,
    /// The markers (`+listType=map`) above it.
    pub markers: Vec<String>,
}

/// What a declared type is.
pub enum Body {
    /// A structure.
    Struct(Vec<GoField>),
    /// Another type under a new name.
    Alias(GoType),
}

/// A field of a structure.
pub struct GoField {
    /// What it is called; none for an embedded structure.
    pub name: Option<String>,
    /// Its type.
    pub r#type: GoType,
    /// Its tags by key.
    pub tags: HashMap<String, String>,
    /// The markers above it.
    pub markers: Vec<String>,
}

/// The use of a type.
#[derive(Clone, Debug)]
pub enum GoType {
    /// `string`, `int32` ...
    Builtin(String),
    /// A declared type: import path and name.
    Named(String, String),
    /// A pointer.
    Pointer(Box<GoType>),
    /// A list.
    Slice(Box<GoType>),
    /// A map: key, element.
    Map(Box<GoType>, Box<GoType>),
}

/// Stands before the name of a constant of the core group whose value another one has.
pub const REFERENCE: char = '@';

const META: &str = "k8s.io/apimachinery/pkg/apis/meta/v1";

const OTHERS: &[(&str, &str)] = &[
    ("k8s.io/apimachinery", "pkg/apis/meta/v1"),
    ("k8s.io/apimachinery", "pkg/runtime"),
    ("k8s.io/apimachinery", "pkg/types"),
    ("k8s.io/apimachinery", "pkg/util/intstr"),
    ("k8s.io/apimachinery", "pkg/api/resource"),
    ("k8s.io/apiextensions-apiserver", "pkg/apis/apiextensions/v1"),
    ("k8s.io/kube-aggregator", "pkg/apis/apiregistration/v1"),
];

impl Packages {
    /// Reads all packages of the API from the module cache.
    pub fn read(modules: &Modules) -> Result<Packages, String> {
        let mut by_path = BTreeMap::new();
        for (module, folder) in OTHERS {
            let package = Package::read(
                &modules.folder(module).join(folder),
                &format!("{module}/{folder}"),
            )?;
            by_path.insert(format!("{module}/{folder}"), package);
        }
        let api = modules.folder("k8s.io/api");
        for group in folders(&api)? {
            for version in folders(&api.join(&group))? {
                let folder = format!("{group}/{version}");
                let package = Package::read(&api.join(&folder), &format!("k8s.io/api/{folder}"))?;
                by_path.insert(format!("k8s.io/api/{folder}"), package);
            }
        }
        let meta = by_path.get_mut(META).ok_or("no package meta/v1")?;
        meta.group_version = Some(("meta.k8s.io".to_owned(), "v1".to_owned()));
        Ok(Packages { by_path })
    }

    /// A declared type.
    pub fn find(&self, path: &str, name: &str) -> Option<&Declaration> {
        self.by_path.get(path)?.types.get(name)
    }
}

fn folders(path: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != "testdata" && name != "docs")
        .collect();
    names.sort();
    Ok(names)
}

impl Package {
    fn read(folder: &Path, path: &str) -> Result<Package, String> {
        let mut package = Package::default();
        let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut files: Vec<_> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
        files.sort();
        for file in files {
            let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let generated = name.starts_with("zz_") || name.contains("generated");
            if !name.ends_with(".go") || name.ends_with("_test.go") || generated {
                continue;
            }
            let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            let mut reader = Reader {
                path,
                imports: HashMap::new(),
                package: &mut package,
            };
            reader
                .file(&text)
                .map_err(|e| format!("{}: {e}", file.display()))?;
            if name == "register.go" {
                package.group_version = group_version(&text);
            }
        }
        Ok(package)
    }
}

fn group_version(text: &str) -> Option<(String, String)> {
    let quoted = |after: &str| {
        let rest = &text[text.find(after)? + after.len()..];
        Some(rest.split('"').next()?.to_owned())
    };
    Some((quoted("const GroupName = \"")?, quoted("Version: \"")?))
}

struct Reader<'a> {
    path: &'a str,
    imports: HashMap<String, String>,
    package: &'a mut Package,
}

impl Reader<'_> {
    fn file(&mut self, text: &str) -> Result<(), String> {
        let text = without_block_comments(text);
        let mut lines = text.lines();
        let mut markers = Vec::new();
        let mut in_constants = false;
        while let Some(line) = lines.next() {
            let trimmed = line.trim();
            if let Some(comment) = trimmed.strip_prefix("//") {
                take_marker(comment, &mut markers);
                continue;
            }
            if let Some(name) = line.strip_prefix("package ") {
                self.package.name = name.trim().to_owned();
            } else if line.starts_with("import (") {
                for line in lines.by_ref().take_while(|line| !line.starts_with(')')) {
                    self.import(line);
                }
            } else if let Some(line) = line.strip_prefix("import ") {
                self.import(line);
            } else if line.starts_with("const (") {
                in_constants = true;
            } else if line.starts_with(')') {
                in_constants = false;
            } else if in_constants || line.starts_with("const ") {
                self.constant(trimmed);
            } else if let Some(rest) = line.strip_prefix("type ") {
                let (name, rest) = rest.split_once(' ').ok_or_else(|| format!("bad type: {line}"))?;
                let rest = rest.trim();
                let body = if rest == "struct {" {
                    Some(Body::Struct(self.fields(&mut lines)?))
                } else if rest.starts_with("struct{}") || rest.starts_with("struct {}") {
                    Some(Body::Struct(Vec::new()))
                } else if rest.starts_with("interface")
                    || rest.starts_with("func")
                    || rest.starts_with("struct")
                {
                    None
                } else {
                    let rest = rest.split("//").next().unwrap_or_default().trim();
                    Some(Body::Alias(self.parse(rest.trim_start_matches("= "))?))
                };
                if let Some(body) = body {
                    let markers = std::mem::take(&mut markers);
                    self.package
                        .types
                        .insert(name.to_owned(), Declaration { body, markers });
                }
            }
            if !trimmed.is_empty() {
                markers.clear();
            }
        }
        Ok(())
    }

    fn import(&mut self, line: &str) {
        let Some((before, path)) = line.trim().trim_end_matches('"').split_once('"') else {
            return;
        };
        let alias = match before.trim() {
            "" => path.rsplit('/').next().unwrap_or_default(),
            alias => alias,
        };
        self.imports.insert(alias.to_owned(), path.to_owned());
    }

    fn constant(&mut self, line: &str) {
        let line = line.strip_prefix("const ").unwrap_or(line);
        if let Some((left, right)) = line.split_once('=') {
            let mut words = left.split_whitespace();
            let name = words.next().unwrap_or_default();
            // `Name Type = "value"`, `Name = Type("value")`, or `Name = Type(package.Other)`.
            let converted = right.trim().trim_end_matches(')').split_once('(');
            let value = match (right.split('"').nth(1), converted) {
                (Some(value), _) => value.to_owned(),
                (None, Some((_, other))) => {
                    format!("{REFERENCE}{}", other.rsplit('.').next().unwrap_or_default())
                }
                (None, None) => String::new(),
            };
            if let Some(r#type) = words.next().or(converted.map(|(r#type, _)| r#type)) {
                let values = self.package.enums.entry(r#type.to_owned()).or_default();
                values.push(value.clone());
            }
            self.package.constants.insert(name.to_owned(), value);
        }
    }

    fn fields<'t>(&self, lines: &mut impl Iterator<Item = &'t str>) -> Result<Vec<GoField>, String> {
        let mut fields = Vec::new();
        let mut markers = Vec::new();
        for line in lines {
            let trimmed = line.trim();
            if line == "}" {
                return Ok(fields);
            }
            if trimmed.is_empty() {
                continue;
            }
            if let Some(comment) = trimmed.strip_prefix("//") {
                take_marker(comment, &mut markers);
                continue;
            }
            let mut parts = trimmed.splitn(3, '`');
            let declaration = parts.next().unwrap_or_default();
            let tags = tags(parts.next().unwrap_or_default());
            let declaration = declaration.split("//").next().unwrap_or_default().trim();
            let (name, r#type) = match declaration.split_once(char::is_whitespace) {
                Some((name, r#type)) => (Some(name.to_owned()), r#type.trim()),
                None => (None, declaration),
            };
            fields.push(GoField {
                name,
                r#type: self.parse(r#type)?,
                tags,
                markers: std::mem::take(&mut markers),
            });
        }
        Err("a structure has no end".to_owned())
    }

    fn parse(&self, text: &str) -> Result<GoType, String> {
        if let Some(rest) = text.strip_prefix('*') {
            return Ok(GoType::Pointer(Box::new(self.parse(rest)?)));
        }
        if let Some(rest) = text.strip_prefix("[]") {
            return Ok(GoType::Slice(Box::new(self.parse(rest)?)));
        }
        if let Some(rest) = text.strip_prefix("map[") {
            let (key, element) = rest.split_once(']').ok_or_else(|| format!("bad map: {text}"))?;
            return Ok(GoType::Map(
                Box::new(self.parse(key)?),
                Box::new(self.parse(element)?),
            ));
        }
        if let Some((package, name)) = text.split_once('.') {
            let path = self.imports.get(package).cloned().unwrap_or_default();
            return Ok(GoType::Named(path, name.to_owned()));
        }
        if text.starts_with(char::is_uppercase) {
            return Ok(GoType::Named(self.path.to_owned(), text.to_owned()));
        }
        Ok(GoType::Builtin(text.to_owned()))
    }
}

fn take_marker(comment: &str, markers: &mut Vec<String>) {
    let comment = comment.trim();
    if comment.starts_with('+') {
        markers.push(comment.to_owned());
    }
}

/// The tags of a field: ``json:"name,omitempty" protobuf:"..."``.
fn tags(mut text: &str) -> HashMap<String, String> {
    let mut tags = HashMap::new();
    while let Some((key, rest)) = text.trim_start().split_once(":\"") {
        let Some((value, rest)) = rest.split_once('"') else {
            break;
        };
        tags.insert(key.to_owned(), value.to_owned());
        text = rest;
    }
    tags
}

fn without_block_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside |= line.trim_start().starts_with("/*");
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= !line.contains("*/");
    }
    kept
}
