//! What is to be done, and what is looked at.

use deploy_yaml::Dialect;
use serde_json::{Map, Value, json};

/// The image of scenarios: Debian's static busybox.
pub const IMAGE: &str = "deploy.test/busybox:1";

/// Acts in a namespace of their own.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's, and the namespace's.
    pub name: String,
    /// In their order.
    pub acts: Vec<Act>,
}

/// One act.
#[derive(Clone, Debug)]
pub enum Act {
    /// Makes an object.
    Create(Value),
    /// Asks for an object that is not granted: the message is observed under this name.
    Refused(String, Value),
    /// Changes an object by a merge patch: kind, name, patch.
    Patch(String, String, Value),
    /// Deletes an object: kind, name.
    Delete(String, String),
    /// Waits until these places of an object are so (`*`: anything but null): kind, name, places.
    Wait(String, String, Map<String, Value>),
    /// Waits until an object is gone: kind, name.
    Gone(String, String),
    /// Waits until an event is told: object, reason.
    Event(String, String),
    /// Waits until the log of a container has this line, and takes the log down: pod, container, previous, line.
    Log(String, String, bool, String),
    /// Takes the status of a pod down, under this name: pod, name.
    Status(String, String),
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What is wrong, with the number of the act.
    pub fn read(name: &str, text: &[u8]) -> Result<Scenario, String> {
        let file = deploy_yaml::to_json(text, Dialect::Core12).map_err(|error| error.to_string())?;
        let acts = file["acts"].as_array().ok_or("it has no acts")?;
        let acts = acts.iter().enumerate();
        let acts = acts.map(|(at, act)| read(act).map_err(|error| format!("act {}: {error}", at + 1)));
        Ok(Scenario {
            name: name.to_owned(),
            acts: acts.collect::<Result<_, _>>()?,
        })
    }
}

fn read(act: &Value) -> Result<Act, String> {
    let (word, value) = act
        .as_object()
        .filter(|act| act.len() == 1)
        .and_then(|act| act.iter().next())
        .ok_or("an act is one word with its object")?;
    let text = |field: &str| {
        let text = value[field].as_str();
        text.map(str::to_owned).ok_or(format!("{word} needs {field}"))
    };
    // Pods are what most acts are about.
    let kind = || value["kind"].as_str().unwrap_or("Pod").to_owned();
    let pod = || value.as_str().map(str::to_owned);
    Ok(match word.as_str() {
        "create" => Act::Create(value.clone()),
        "pod" => Act::Create(short(value)?),
        "refused" => Act::Refused(text("as")?, object(&value["object"])?),
        "patch" => Act::Patch(kind(), text("name")?, value["with"].clone()),
        "delete" => match pod() {
            Some(name) => Act::Delete("Pod".to_owned(), name),
            None => Act::Delete(kind(), text("name")?),
        },
        "wait" => {
            let until = value["until"].as_object().ok_or("wait needs until")?;
            Act::Wait(kind(), text("name")?, until.clone())
        }
        "gone" => match pod() {
            Some(name) => Act::Gone("Pod".to_owned(), name),
            None => Act::Gone(kind(), text("name")?),
        },
        "event" => Act::Event(text("of")?, text("reason")?),
        "log" => {
            let container = value["container"].as_str().unwrap_or("main").to_owned();
            Act::Log(text("pod")?, container, value["previous"] == true, text("until")?)
        }
        "status" => match pod() {
            Some(name) => Act::Status(name.clone(), name),
            None => Act::Status(text("pod")?, text("as")?),
        },
        _ => return Err(format!("{word} is no act")),
    })
}

fn object(value: &Value) -> Result<Value, String> {
    match &value["pod"] {
        Value::Null => Ok(value.clone()),
        pod => short(pod),
    }
}

/// A pod of one container, `main`, of the scenarios' image, that runs a script once. `spec` and `container` say more, and
/// `metadata`.
fn short(value: &Value) -> Result<Value, String> {
    let name = value["name"].as_str().ok_or("pod needs name")?;
    let mut container = json!({"name": "main", "image": IMAGE});
    if let Some(script) = value["script"].as_str() {
        container["command"] = json!(["sh", "-c", script]);
    }
    lay(&mut container, &value["container"]);
    let mut spec = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 3});
    lay(&mut spec, &value["spec"]);
    let mut all = vec![container];
    all.extend(spec["containers"].as_array().into_iter().flatten().cloned());
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            dressed(container);
        }
    }
    all.iter_mut().for_each(dressed);
    spec["containers"] = Value::Array(all);
    let mut metadata = json!({"name": name});
    lay(&mut metadata, &value["metadata"]);
    Ok(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

/// A container without an image has the scenarios'; one with `script` runs it.
fn dressed(container: &mut Value) {
    let Some(container) = container.as_object_mut() else {
        return;
    };
    container.entry("image").or_insert_with(|| json!(IMAGE));
    if let Some(script) = container.remove("script") {
        container.insert("command".to_owned(), json!(["sh", "-c", script]));
    }
}

fn lay(over: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().into_iter().flatten() {
        over[name] = value.clone();
    }
}
