//! What is sent, what comes back, and a scenario of both.

use serde_json::{Map, Value, json};

/// Who sends a request. Impersonation is a header, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Identity {
    /// A member of `system:masters`; how it authenticates is the transport's business.
    #[default]
    Admin,
    /// No credentials but those that the headers of the request carry.
    Nobody,
}

/// One HTTP request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` ...
    pub method: String,
    /// Path and query, escaped as on the wire: `/api/v1/pods?limit=1`.
    pub path: String,
    /// Names in lower case. Without `content-length`, `host`, and without `authorization` of the admin.
    pub headers: Vec<(String, String)>,
    /// May be empty.
    pub body: Vec<u8>,
    /// Whose credentials the transport adds.
    pub identity: Identity,
    /// For a watch: read this many lines of the answer, then close it. A server that sends fewer is given some seconds.
    pub lines: Option<usize>,
}

/// One HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case; several lines of one name are several entries.
    pub headers: Vec<(String, String)>,
    /// The whole body, or the first lines of a watch.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A condition on the answer until which a request is repeated, because the server works in the background:
/// JSON pointers with the value that each must have; the pointer `status` stands for the status code.
pub type Until = Map<String, Value>;

/// One request of a scenario, with variables such as `{ns}` still in it.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Unique in its scenario.
    pub name: String,
    /// As in [`Request::method`].
    pub method: String,
    /// As in [`Request::path`].
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The text of the body.
    pub body: String,
    /// How often, and which text, stands for `{*}` in the body: for bodies that are too large to be written down.
    pub repeat: Option<(usize, String)>,
    /// As in [`Request::identity`].
    pub identity: Identity,
    /// As in [`Request::lines`].
    pub lines: Option<usize>,
    /// Variables that later requests use: name, and the JSON pointer into this answer.
    pub save: Map<String, Value>,
    /// Sent again until this holds.
    pub until: Until,
    /// What of the answer is compared; all if empty. JSON pointers into the body.
    pub only: Vec<String>,
    /// What of each item of a list is compared, sorted and without duplicates; JSON pointers into the item.
    pub items: Vec<String>,
}

/// Requests that are sent in this order, in a namespace of their own.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// The folder of the scenario.
    pub area: String,
    /// The file of the scenario without its ending.
    pub file: String,
    /// Unique in its area.
    pub name: String,
    /// Whether it gets a namespace with a service account `default`.
    pub namespace: bool,
    /// Whether it gets a node whose kubelet is played: see `kubelet.rs`. Such a scenario needs controllers.
    pub node: bool,
    /// In the order in which they are sent.
    pub steps: Vec<Step>,
}

impl Step {
    /// Reads a step as the recording and the catalogue write it.
    ///
    /// # Errors
    ///
    /// A sentence that names the key that is wrong.
    pub fn from_json(value: &Value) -> Result<Step, String> {
        let object = value.as_object().ok_or("a request must be an object")?;
        let mut step = Step::default();
        for (key, value) in object {
            let text = || {
                value
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| format!("{key} must be text"))
            };
            let map = || {
                value
                    .as_object()
                    .cloned()
                    .ok_or_else(|| format!("{key} must be an object"))
            };
            match key.as_str() {
                "name" => step.name = text()?,
                "do" => {
                    let line = text()?;
                    let (method, path) = line.split_once(' ').ok_or("do must be METHOD PATH")?;
                    step.method = method.to_owned();
                    step.path = path.to_owned();
                }
                "headers" => {
                    for (name, value) in map()? {
                        let value = value
                            .as_str()
                            .ok_or_else(|| format!("header {name} must be text"))?;
                        step.set_header(&name, value);
                    }
                }
                "accept" => step.set_header("accept", accept(&text()?)),
                "type" => step.set_header("content-type", content_type(&text()?)),
                "as" => step.set_header("impersonate-user", &text()?),
                "raw" => step.body = text()?,
                "body" => {
                    step.body = value.to_string();
                    if !step.headers.iter().any(|(name, _)| name == "content-type") {
                        step.set_header("content-type", "application/json");
                    }
                }
                "nobody" => step.identity = Identity::Nobody,
                "lines" => {
                    let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
                    step.lines = Some(count.ok_or("lines must be a number")?);
                }
                "save" => step.save = map()?,
                "until" => step.until = map()?,
                "repeat" => {
                    let count = value[0].as_u64().and_then(|count| usize::try_from(count).ok());
                    let text = value[1].as_str().map(str::to_owned);
                    step.repeat = Some(count.zip(text).ok_or("repeat is a count and a text")?);
                }
                "only" => step.only = pointers(value)?,
                "items" => step.items = pointers(value)?,
                _ => return Err(format!("a request has no key {key}")),
            }
        }
        if step.name.is_empty() || step.method.is_empty() {
            return Err(format!("a request needs name and do: {value}"));
        }
        Ok(step)
    }

    /// The form that [`Step::from_json`] reads.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".to_owned(), json!(self.name));
        object.insert("do".to_owned(), json!(format!("{} {}", self.method, self.path)));
        let mut headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        // A body whose text is what serde_json prints is kept as an object, for the reader.
        let tree = serde_json::from_str::<Value>(&self.body).ok().filter(|tree| {
            let printed = tree.to_string();
            printed == self.body
        });
        match tree {
            Some(tree) => {
                if headers.get("content-type") == Some(&json!("application/json")) {
                    headers.remove("content-type");
                }
                object.insert("body".to_owned(), tree);
            }
            None if self.body.is_empty() => {}
            None => {
                object.insert("raw".to_owned(), json!(self.body));
            }
        }
        if !headers.is_empty() {
            object.insert("headers".to_owned(), Value::Object(headers));
        }
        if self.identity == Identity::Nobody {
            object.insert("nobody".to_owned(), json!(true));
        }
        if let Some(lines) = self.lines {
            object.insert("lines".to_owned(), json!(lines));
        }
        if let Some((count, text)) = &self.repeat {
            object.insert("repeat".to_owned(), json!([count, text]));
        }
        for (key, map) in [("save", &self.save), ("until", &self.until)] {
            if !map.is_empty() {
                object.insert(key.to_owned(), Value::Object(map.clone()));
            }
        }
        for (key, pointers) in [("only", &self.only), ("items", &self.items)] {
            if !pointers.is_empty() {
                object.insert(key.to_owned(), json!(pointers));
            }
        }
        Value::Object(object)
    }

    /// Adds a header, or replaces it.
    pub fn set_header(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value.to_owned()));
        self.headers.sort();
    }
}

fn pointers(value: &Value) -> Result<Vec<String>, String> {
    let list = value
        .as_array()
        .ok_or("only and items are lists of JSON pointers")?;
    Ok(list
        .iter()
        .filter_map(|p| p.as_str().map(str::to_owned))
        .collect())
}

/// Short words of the catalogue for the `accept` header.
fn accept(word: &str) -> &str {
    match word {
        "table" => "application/json;as=Table;v=v1;g=meta.k8s.io",
        "metadata" => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        "metadata-list" => "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
        "yaml" => "application/yaml",
        other => other,
    }
}

/// Short words of the catalogue for the `content-type` header.
fn content_type(word: &str) -> &str {
    match word {
        "json" => "application/json",
        "yaml" => "application/yaml",
        "json-patch" => "application/json-patch+json",
        "merge-patch" => "application/merge-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "apply" => "application/apply-patch+yaml",
        other => other,
    }
}
