//! A plain folder: the objects of its YAML and JSON files, as they are.

use std::collections::HashMap;
use std::fmt;

use deploy_yaml::node::{Content, Node, Position, Style};
use deploy_yaml::{Dialect, emit_kyaml, emit_sigs, node_to_json, parse};
use sha2::{Digest, Sha256};

use crate::inputs::{InputKind, Inputs};
use crate::limits::{PLAIN_DEPTH, PLAIN_OBJECTS};
use crate::source::{EntryKind, MemorySource, Source, SourceError};

/// What to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainOptions {
    /// Whether folders inside the folder are read too. Hidden ones never are.
    pub recursive: bool,
}

/// The objects of a folder.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    /// In the order of files by path, then of documents.
    pub objects: Vec<PlainObject>,
    /// The files and folders that were read.
    pub inputs: Inputs,
}

/// One object, and where it is written.
#[derive(Clone, Debug)]
pub struct PlainObject {
    /// Which object it is.
    pub id: ObjectId,
    /// The path of its file.
    pub file: String,
    /// The line on which it begins; 0 in a JSON file, whose parser does not tell.
    pub line: u32,
    /// The object, with its comments.
    pub node: Node,
}

/// Which object of a cluster is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// `apps/v1`, `v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// Empty where none is written.
    pub namespace: String,
    /// `metadata.name`, or `metadata.generateName`.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.api_version, self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// Why a folder cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PlainError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is not YAML, or not JSON.
    #[error("{file}: {message}")]
    Syntax {
        /// Its path.
        file: String,
        /// Line from 1, or 0 if unknown.
        line: u32,
        /// Column from 1, or 0 if unknown.
        column: u32,
        /// The parser's words.
        message: String,
    },
    /// A document is not a Kubernetes object.
    #[error("{file}:{line}: {what}")]
    NotAnObject {
        /// Its path.
        file: String,
        /// Line from 1, or 0 if unknown.
        line: u32,
        /// What it lacks.
        what: Lack,
    },
    /// Two documents describe the same object; applying both would keep whichever comes last.
    #[error("{file}:{line}: {id} is already in {other_file}:{other_line}")]
    Duplicate {
        /// The object.
        id: Box<ObjectId>,
        /// Where it is the second time.
        file: String,
        /// The line there.
        line: u32,
        /// Where it was first.
        other_file: String,
        /// The line there.
        other_line: u32,
    },
    /// A bound was met.
    #[error("{path}: more than {limit} {what}")]
    TooLarge {
        /// The folder.
        path: String,
        /// The bound.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
}

/// What a document lacks to be an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// It is a list or a scalar.
    #[error("the document is not a mapping")]
    Mapping,
    /// No `apiVersion`.
    #[error("apiVersion is missing")]
    ApiVersion,
    /// No `kind`.
    #[error("kind is missing")]
    Kind,
    /// Neither `metadata.name` nor `metadata.generateName`.
    #[error("metadata.name is missing")]
    Name,
}

impl Plain {
    /// All objects as one text, with `---` between them.
    pub fn output(&self) -> String {
        let documents: Vec<String> = self
            .objects
            .iter()
            .map(|object| emit_kyaml(&object.node))
            .collect();
        documents.join("---\n")
    }
}

/// Reads the objects of a folder, or of one file.
pub fn render(source: &dyn Source, path: &str, options: PlainOptions) -> Result<Plain, PlainError> {
    let mut reader = Reader {
        source,
        options,
        plain: Plain::default(),
        seen: HashMap::new(),
    };
    match source.kind(path)? {
        Some(EntryKind::Folder) => reader.folder(path, 0)?,
        // What is absent is the source's to say.
        Some(EntryKind::File) | None => reader.file(path)?,
    }
    Ok(reader.plain)
}

/// The objects of a text that a renderer printed; `name` stands for its file.
pub fn objects(name: &str, text: &str) -> Result<Vec<PlainObject>, PlainError> {
    let source = MemorySource::new([(name.to_owned(), text.as_bytes().to_vec())]);
    let mut reader = Reader {
        source: &source,
        options: PlainOptions::default(),
        plain: Plain::default(),
        seen: HashMap::new(),
    };
    reader.file(name)?;
    Ok(reader.plain.objects)
}

/// Whether a file of this name is read.
pub fn is_manifest(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    matches!(ending, Some("yaml" | "yml" | "json")) && !name.starts_with('.')
}

struct Reader<'a> {
    source: &'a dyn Source,
    options: PlainOptions,
    plain: Plain,
    /// The place of each object in `plain.objects`.
    seen: HashMap<ObjectId, usize>,
}

impl Reader<'_> {
    fn folder(&mut self, path: &str, depth: usize) -> Result<(), PlainError> {
        if depth > PLAIN_DEPTH {
            return Err(too_large(path, PLAIN_DEPTH, "levels of folders"));
        }
        let entries = self.source.list(path)?;
        let mut names = Sha256::new();
        for entry in &entries {
            names.update(entry.name.as_bytes());
            names.update([0]);
        }
        self.plain
            .inputs
            .record(InputKind::Folder, path, names.finalize().into());
        for entry in entries {
            let inside = format!("{}/{}", path.trim_end_matches('/'), entry.name);
            match entry.kind {
                EntryKind::File if is_manifest(&entry.name) => self.file(&inside)?,
                EntryKind::Folder if self.options.recursive && !entry.name.starts_with('.') => {
                    self.folder(&inside, depth + 1)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str) -> Result<(), PlainError> {
        let bytes = self.source.read(path)?;
        self.plain
            .inputs
            .record(InputKind::File, path, Sha256::digest(&bytes).into());
        let documents = if path.ends_with(".json") {
            json_documents(path, &bytes)?
        } else {
            yaml(path, &bytes)?
        };
        for mut document in documents {
            unfold(&mut document);
            // Nothing between two separators, or only comments.
            if !document.is_null() {
                self.document(path, document)?;
            }
        }
        Ok(())
    }

    /// An object, or a `List` of objects, which may be lists themselves.
    fn document(&mut self, file: &str, document: Node) -> Result<(), PlainError> {
        let mut pending = vec![document];
        while let Some(node) = pending.pop() {
            match items_of_list(&node) {
                Some(_) => pending.extend(taken_apart(file, node)?.into_iter().rev()),
                None => self.object(file, node)?,
            }
        }
        Ok(())
    }

    fn object(&mut self, file: &str, node: Node) -> Result<(), PlainError> {
        let Position { line, .. } = node.position;
        let lacks = |what| PlainError::NotAnObject {
            file: file.to_owned(),
            line,
            what,
        };
        let id = identify(&node).map_err(lacks)?;
        if self.plain.objects.len() == PLAIN_OBJECTS {
            return Err(too_large(file, PLAIN_OBJECTS, "objects"));
        }
        // A generated name is different each time.
        let is_generated = node
            .get("metadata")
            .and_then(|metadata| metadata.get("name"))
            .is_none();
        if let Some(first) = self
            .seen
            .insert(id.clone(), self.plain.objects.len())
            .filter(|_| !is_generated)
        {
            let first = &self.plain.objects[first];
            return Err(PlainError::Duplicate {
                id: Box::new(id),
                file: file.to_owned(),
                line,
                other_file: first.file.clone(),
                other_line: first.line,
            });
        }
        self.plain.objects.push(PlainObject {
            id,
            file: file.to_owned(),
            line,
            node,
        });
        Ok(())
    }
}

fn yaml(file: &str, bytes: &[u8]) -> Result<Vec<Node>, PlainError> {
    parse(bytes).map_err(|error| PlainError::Syntax {
        file: file.to_owned(),
        line: error.position.line,
        column: error.position.column,
        message: error.to_string(),
    })
}

/// One value after the other, as `kubectl` reads them.
fn json_documents(file: &str, bytes: &[u8]) -> Result<Vec<Node>, PlainError> {
    let values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    values
        .map(|value| {
            value
                .map(|value| written_out(&value))
                .map_err(|error| PlainError::Syntax {
                    file: file.to_owned(),
                    line: number(error.line()),
                    column: number(error.column()),
                    message: error.to_string(),
                })
        })
        .collect()
}

/// The items, if this is a list of objects: `kind: List`, or `ConfigMapList` with `items`.
fn items_of_list(node: &Node) -> Option<&[Node]> {
    let kind = node.get("kind")?.as_str()?;
    if kind.ends_with("List") {
        node.get("items")?.items()
    } else {
        None
    }
}

/// The items of a list. An alias in one may mean an anchor in another, so where there is one, all are written out.
fn taken_apart(file: &str, list: Node) -> Result<Vec<Node>, PlainError> {
    let mut list = list;
    if has_alias(&list) {
        let line = list.position.line;
        let json = node_to_json(&list, Dialect::GoYaml11).map_err(|error| PlainError::Syntax {
            file: file.to_owned(),
            line: error.position.line,
            column: error.position.column,
            message: error.to_string(),
        })?;
        list = written_out(&json);
        // The lines are gone; that of the list leads there.
        for item in list
            .get_mut("items")
            .and_then(Node::items_mut)
            .into_iter()
            .flatten()
        {
            item.position = Position { line, column: 1 };
        }
    }
    Ok(list
        .get_mut("items")
        .and_then(Node::items_mut)
        .map(std::mem::take)
        .unwrap_or_default())
}

/// The node that reads back as this value in every version of YAML: the string `on` is a boolean to Kubernetes' reader
/// unless it is quoted, and the text that sigs.k8s.io/yaml writes has the quotes.
fn written_out(value: &serde_json::Value) -> Node {
    let documents = parse(emit_sigs(value).as_bytes()).unwrap_or_default();
    documents
        .into_iter()
        .next()
        .map_or_else(Node::null, without_positions)
}

fn without_positions(mut node: Node) -> Node {
    node.position = Position::default();
    node
}

/// Writes folded text (`>`) as literal text (`|`), which is the same value: go-yaml's writer, which ours equals, adds an
/// empty line where folded text has an indented one, and kustomize's users know it; here nothing may change.
fn unfold(node: &mut Node) {
    match &mut node.content {
        Content::Scalar(_) if node.style == Style::Folded => node.style = Style::Literal,
        Content::Scalar(_) | Content::Alias(_) => {}
        Content::Sequence(items) => items.iter_mut().for_each(unfold),
        Content::Mapping(entries) => entries.iter_mut().for_each(|(key, value)| {
            unfold(key);
            unfold(value);
        }),
    }
}

fn has_alias(node: &Node) -> bool {
    match &node.content {
        Content::Alias(_) => true,
        Content::Scalar(_) => false,
        Content::Sequence(items) => items.iter().any(has_alias),
        Content::Mapping(entries) => entries
            .iter()
            .any(|(key, value)| has_alias(key) || has_alias(value)),
    }
}

fn identify(node: &Node) -> Result<ObjectId, Lack> {
    if !node.is_mapping() {
        return Err(Lack::Mapping);
    }
    let text = |node: Option<&Node>| {
        node.and_then(Node::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let metadata = node.get("metadata");
    let of_metadata = |name| text(metadata.and_then(|metadata| metadata.get(name)));
    Ok(ObjectId {
        api_version: text(node.get("apiVersion")).ok_or(Lack::ApiVersion)?,
        kind: text(node.get("kind")).ok_or(Lack::Kind)?,
        namespace: of_metadata("namespace").unwrap_or_default(),
        name: of_metadata("name")
            .or_else(|| of_metadata("generateName"))
            .ok_or(Lack::Name)?,
    })
}

fn too_large(path: &str, limit: usize, what: &'static str) -> PlainError {
    PlainError::TooLarge {
        path: path.to_owned(),
        limit,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> MemorySource {
        MemorySource::new(
            files
                .iter()
                .map(|(name, text)| (format!("/app/{name}"), text.as_bytes().to_vec())),
        )
    }

    fn ids(files: &[(&str, &str)], recursive: bool) -> Result<Vec<String>, String> {
        let plain = render(&folder(files), "/app", PlainOptions { recursive }).map_err(|e| e.to_string())?;
        Ok(plain.objects.iter().map(|object| object.id.to_string()).collect())
    }

    fn object(kind: &str, name: &str) -> String {
        format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n")
    }

    #[test]
    fn files_are_read_in_order() {
        let b = object("Secret", "b");
        let two = format!(
            "# first\n---\n{}---\n{}---\n",
            object("ConfigMap", "a"),
            object("ConfigMap", "c")
        );
        let json = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","namespace":"n"}}"#;
        let files = [
            ("z.yml", b.as_str()),
            ("a.yaml", &two),
            ("d.json", json),
            ("README.md", "no"),
            ("sub/x.yaml", &b),
        ];
        assert_eq!(
            ids(&files, false).unwrap(),
            [
                "v1 ConfigMap a",
                "v1 ConfigMap c",
                "apps/v1 Deployment n/d",
                "v1 Secret b"
            ]
        );
    }

    #[test]
    fn folders_inside_are_read_when_asked() {
        let (a, b, c) = (
            object("Secret", "a"),
            object("Secret", "b"),
            object("Secret", "c"),
        );
        let files = [("b.yaml", b.as_str()), ("a/x.yaml", &a), (".git/x.yaml", &c)];
        assert_eq!(ids(&files, false).unwrap(), ["v1 Secret b"]);
        assert_eq!(ids(&files, true).unwrap(), ["v1 Secret a", "v1 Secret b"]);
    }

    #[test]
    fn lists_are_taken_apart() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- &x {apiVersion: v1, kind: Secret, metadata: {name: a}}\n\
            - apiVersion: v1\n  kind: SecretList\n  items:\n  - {apiVersion: v1, kind: Secret, metadata: {name: b}}\n\
            - {apiVersion: v1, kind: Secret, metadata: {name: c}}\n";
        assert_eq!(
            ids(&[("l.yaml", list)], false).unwrap(),
            ["v1 Secret a", "v1 Secret b", "v1 Secret c"]
        );
        let aliased = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a, labels: &l {k: v}}\n\
            - {apiVersion: v1, kind: Secret, metadata: {name: b, labels: *l}}\n";
        let plain = render(&folder(&[("l.yaml", aliased)]), "/app", PlainOptions::default()).unwrap();
        assert_eq!(plain.objects.len(), 2);
        assert!(
            plain.output().ends_with("  labels:\n    k: v\n  name: b\n"),
            "{}",
            plain.output()
        );
    }

    #[test]
    fn mistakes_name_their_place() {
        let twice = format!("{}---\n{}", object("Secret", "a"), object("Secret", "a"));
        for (text, expected) in [
            ("a: b\n", "/app/x.yaml:1: apiVersion is missing"),
            ("\n- 1\n", "/app/x.yaml:2: the document is not a mapping"),
            ("apiVersion: v1\n---\n", "/app/x.yaml:1: kind is missing"),
            (
                "---\n# c\napiVersion: v1\nkind: X\n",
                "/app/x.yaml:3: metadata.name is missing",
            ),
            (&twice, "/app/x.yaml:6: v1 Secret a is already in /app/x.yaml:1"),
        ] {
            assert_eq!(ids(&[("x.yaml", text)], false).unwrap_err(), expected);
        }
        let generated = "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n";
        assert_eq!(
            ids(&[("x.yaml", &format!("{generated}---\n{generated}"))], false)
                .unwrap()
                .len(),
            2
        );
        let error = render(
            &folder(&[("x.json", "{\n\"a\": }")]),
            "/app",
            PlainOptions::default(),
        )
        .unwrap_err();
        assert!(matches!(error, PlainError::Syntax { line: 2, .. }), "{error}");
        let error = render(&folder(&[("x.yaml", "a: b: c")]), "/app", PlainOptions::default()).unwrap_err();
        assert!(matches!(error, PlainError::Syntax { line: 1, .. }), "{error}");
        let error = render(&folder(&[("x.yaml", "")]), "/other", PlainOptions::default()).unwrap_err();
        assert!(
            matches!(error, PlainError::Source(SourceError::NotFound { .. })),
            "{error}"
        );
    }

    #[test]
    fn strings_stay_strings() {
        let json = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"stringData":{"a":"on","b":"1e3","c":"x"}}"#;
        let plain = render(&folder(&[("x.json", json)]), "/app", PlainOptions::default()).unwrap();
        assert!(
            plain.output().ends_with("  a: \"on\"\n  b: \"1e3\"\n  c: x\n"),
            "{}",
            plain.output()
        );
        let back = node_to_json(&plain.objects[0].node, Dialect::GoYaml11).unwrap();
        assert_eq!(back, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }

    #[test]
    fn folded_text_stays_the_same() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  t: >-\n    one\n    two\n     three\n    four\n";
        let plain = render(&folder(&[("x.yaml", text)]), "/app", PlainOptions::default()).unwrap();
        let again = objects("/x.yaml", &plain.output()).unwrap();
        let value = |object: &PlainObject| node_to_json(&object.node, Dialect::GoYaml11).unwrap();
        assert_eq!(value(&again[0])["data"]["t"], "one two\n three\nfour");
        assert_eq!(value(&again[0]), value(&plain.objects[0]));
    }

    #[test]
    fn comments_stay_and_inputs_are_named() {
        let text = "# why\napiVersion: v1\nkind: Secret\nmetadata:\n  name: a # here\n";
        let plain = render(&folder(&[("x.yaml", text)]), "/app", PlainOptions::default()).unwrap();
        assert_eq!(plain.output(), text);
        let inputs: Vec<_> = plain
            .inputs
            .iter()
            .map(|(kind, name, _)| (kind.clone(), name.to_owned()))
            .collect();
        assert_eq!(
            inputs,
            [
                (InputKind::File, "/app/x.yaml".to_owned()),
                (InputKind::Folder, "/app".to_owned())
            ]
        );
    }
}
