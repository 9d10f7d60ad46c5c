//! The values that a user gives beside a chart, and how files of values are read.

pub mod coalesce;
pub mod strvals;
pub mod table;

use deploy_model::Place;
use deploy_yaml::Dialect;
use serde_json::{Map, Value};

use self::strvals::{Kind, SetError};
use self::table::make_floats;

/// The options that set values, each in the order of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOptions {
    /// `-f`: names of files, for the reader to make sense of.
    pub files: Vec<String>,
    /// `--set-json`
    pub set_json: Vec<String>,
    /// `--set`
    pub set: Vec<String>,
    /// `--set-string`
    pub set_string: Vec<String>,
    /// `--set-file`: values are names of files.
    pub set_file: Vec<String>,
    /// `--set-literal`
    pub set_literal: Vec<String>,
}

/// Why a file of values is refused. The texts are helm's.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Something other than a comment behind `---`.
    #[error("error reading yaml document: invalid Yaml document separator: {0}")]
    Separator(String),
    /// Not YAML, or YAML that JSON cannot say.
    #[error("cannot unmarshal yaml document: error converting YAML to JSON: {0}")]
    Yaml(deploy_yaml::Error),
    /// A document that is no map.
    #[error(
        "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: \
         json: cannot unmarshal {0} into Go value of type map[string]interface {{}}"
    )]
    NoMap(&'static str),
}

/// Why the options give no values. The texts are helm's.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ValuesError {
    /// The reader could not give a file.
    #[error("{cause}")]
    File {
        /// The file.
        name: String,
        /// The reader's words.
        cause: String,
    },
    /// A file is not what helm reads.
    #[error("failed to parse {name}: {cause}")]
    BadFile {
        /// The file.
        name: String,
        /// What is wrong with it.
        cause: ReadError,
    },
    /// `--set-json '{...}'` is no JSON object.
    #[error("failed parsing --set-json data JSON: {0}")]
    BadObject(String),
    /// `--set-json name=...` is not right.
    #[error("failed parsing --set-json data {0}")]
    BadJson(String),
    /// One of the others is not right.
    #[error("failed parsing {option} data: {cause}")]
    BadSet {
        /// The option: `--set`, `--set-string`, `--set-file`, `--set-literal`.
        option: &'static str,
        /// What is wrong with it.
        cause: SetError,
    },
}

impl ValuesError {
    /// Where in a file it is wrong, if it is in a file.
    pub fn place(&self) -> Option<Place> {
        match self {
            ValuesError::BadFile {
                name,
                cause: ReadError::Yaml(error),
            } => Some(Place {
                file: name.clone(),
                line: error.position.line,
                column: error.position.column,
            }),
            ValuesError::BadFile { name, .. } | ValuesError::File { name, .. } => Some(Place::file(name)),
            _ => None,
        }
    }
}

impl ValueOptions {
    /// What all options together say: files in order, then `--set-json`, `--set`, `--set-string`, `--set-file`,
    /// `--set-literal`, whatever their order on the command line. `read` gives the content of a file, or why not.
    ///
    /// Numbers of files and of JSON are floats; those of `--set` are integers. Nulls stay: they act later.
    pub fn merged(
        &self,
        read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Map<String, Value>, ValuesError> {
        let mut values = Map::new();
        for name in &self.files {
            let text = read(name).map_err(|cause| ValuesError::File {
                name: name.clone(),
                cause,
            })?;
            let file = self::read(&text).map_err(|cause| ValuesError::BadFile {
                name: name.clone(),
                cause,
            })?;
            overlay(&mut values, file);
        }
        for line in &self.set_json {
            if line.trim_start().starts_with('{') {
                match serde_json::from_str(line) {
                    Ok(Value::Object(object)) => overlay(&mut values, floats_of(object)),
                    _ => return Err(ValuesError::BadObject(line.clone())),
                }
            } else {
                strvals::parse_into(line, &mut values, Kind::Json)
                    .map_err(|_| ValuesError::BadJson(line.clone()))?;
            }
        }
        let bad = |option| move |cause| ValuesError::BadSet { option, cause };
        for line in &self.set {
            strvals::parse_into(line, &mut values, Kind::Typed).map_err(bad("--set"))?;
        }
        for line in &self.set_string {
            strvals::parse_into(line, &mut values, Kind::Text).map_err(bad("--set-string"))?;
        }
        for line in &self.set_file {
            let mut text = |name: &str| read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            strvals::parse_into(line, &mut values, Kind::File(&mut text)).map_err(bad("--set-file"))?;
        }
        for line in &self.set_literal {
            strvals::parse_literal_into(line, &mut values).map_err(bad("--set-literal"))?;
        }
        Ok(values)
    }
}

/// Reads a file of values. Several documents are merged, later ones over earlier ones. Every number becomes a float.
pub fn read(source: &[u8]) -> Result<Map<String, Value>, ReadError> {
    let mut values = Map::new();
    for document in documents(source)? {
        let in_file = |error| ReadError::Yaml(in_whole_file(error, source, document));
        match deploy_yaml::to_json(document, Dialect::GoYaml11).map_err(in_file)? {
            Value::Null => {}
            Value::Object(map) if values.is_empty() => values = floats_of(map),
            Value::Object(map) => overlay(&mut values, floats_of(map)),
            Value::Bool(_) => return Err(ReadError::NoMap("bool")),
            Value::Number(_) => return Err(ReadError::NoMap("number")),
            Value::String(_) => return Err(ReadError::NoMap("string")),
            Value::Array(_) => return Err(ReadError::NoMap("array")),
        }
    }
    Ok(values)
}

/// The error of one document with its position counted from the start of the file; its text is go-yaml's and stays.
fn in_whole_file(mut error: deploy_yaml::Error, source: &[u8], document: &[u8]) -> deploy_yaml::Error {
    let before = document.as_ptr().addr() - source.as_ptr().addr();
    let lines = source[..before].iter().filter(|byte| **byte == b'\n').count();
    error.position.line += u32::try_from(lines).unwrap_or_default();
    error
}

/// Puts one map over another: `over` wins, maps in both are merged.
pub fn overlay(values: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (values.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(over)) => overlay(below, over),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                values.insert(key, value);
            }
        }
    }
}

fn floats_of(mut map: Map<String, Value>) -> Map<String, Value> {
    map.values_mut().for_each(make_floats);
    map
}

/// The documents between lines that begin with `---`, as Kubernetes' reader cuts them: by lines, before any parsing.
fn documents(source: &[u8]) -> Result<Vec<&[u8]>, ReadError> {
    let mut documents = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in source.split_inclusive(|b| *b == b'\n') {
        let end = at + line.len();
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if !rest.is_empty() && !rest.starts_with(b"#") {
                return Err(ReadError::Separator(String::from_utf8_lossy(rest).into_owned()));
            }
            // A separator at the very start stays part of its document.
            if at > start {
                documents.push(&source[start..at]);
                start = end;
            }
        }
        at = end;
    }
    if source.len() > start {
        documents.push(&source[start..]);
    }
    Ok(documents)
}
