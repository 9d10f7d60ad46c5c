//! The paths of a custom resource, as upstream's installer describes them (`apiextensions-apiserver/pkg/controller/openapi/
//! builder/builder.go`): once without a version of OpenAPI, then in either.

use serde_json::{Map, Value, json};

use crate::registry::{CustomResource, Resource};

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";

const MEDIA_TYPES: &[&str] = &["application/json", "application/yaml"];
const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];

const LIST: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];
const LIST_WITH_PRETTY: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "pretty",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];
const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const APPLY: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE: &[&str] = &[
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];

/// The version of OpenAPI.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 2.0
    V2,
    /// 3.0
    V3,
}

/// What can be done at a path.
struct Operation<'a> {
    method: &'static str,
    /// The words around the group and version in its name: `list`, `NamespacedWidget`.
    verb: &'static str,
    noun: String,
    action: &'static str,
    parameters: &'static [&'static str],
    /// The schema of the body, and whether there must be one.
    body: Option<(&'a str, bool)>,
    responses: &'static [&'static str],
    answer: &'a str,
}

/// The name of the schema of a kind: the group backwards, version, kind (`com.example.v1.Widget`).
pub fn schema_name(custom: &CustomResource, kind: &str) -> String {
    let group: Vec<&str> = custom.group.split('.').rev().collect();
    format!("{}.{}.{kind}", group.join("."), custom.version)
}

/// All paths of a resource.
pub fn paths(resource: &Resource, custom: &CustomResource, form: Form) -> Vec<(String, Value)> {
    let builder = Builder { custom, form };
    let own = schema_name(custom, &custom.kind);
    let list = schema_name(custom, &custom.list_kind);
    let root = format!("/apis/{}/{}", custom.group, custom.version);
    let scope = if custom.namespaced { "Namespaced" } else { "" };
    let place = if custom.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let collection = format!("{root}{place}/{}", custom.plural);
    let noun = format!("{scope}{}", custom.kind);
    let one = format!("{collection}/{{name}}");
    let namespace: &[&str] = if custom.namespaced { &["namespace"] } else { &[] };
    let named: &[&str] = if custom.namespaced {
        &["name", "namespace"]
    } else {
        &["name"]
    };
    let mut all = vec![
        (
            collection,
            builder.item(namespace, &["pretty"], collection_operations(&noun, &own, &list)),
        ),
        (
            one.clone(),
            builder.item(named, &["pretty"], object_operations(&noun, &own)),
        ),
    ];
    for subresource in &resource.subresources {
        let (word, schema) = match &*subresource.name {
            "scale" => ("Scale", SCALE),
            _ => ("Status", own.as_str()),
        };
        let path = format!("{one}/{}", subresource.name);
        let noun = format!("{noun}{word}");
        all.push((
            path,
            builder.item(named, &["pretty"], read_and_write(&noun, schema)),
        ));
    }
    if custom.namespaced {
        let everywhere = Operation {
            noun: format!("{}ForAllNamespaces", custom.kind),
            parameters: &[],
            ..list_operation(&noun, &list)
        };
        let path = format!("{root}/{}", custom.plural);
        all.push((path, builder.item(&[], LIST_WITH_PRETTY, vec![everywhere])));
    }
    all
}

fn list_operation<'a>(noun: &str, list: &'a str) -> Operation<'a> {
    Operation {
        method: "get",
        verb: "list",
        noun: noun.to_owned(),
        action: "list",
        parameters: LIST,
        body: None,
        responses: &["200"],
        answer: list,
    }
}

fn collection_operations<'a>(noun: &str, own: &'a str, list: &'a str) -> Vec<Operation<'a>> {
    vec![
        list_operation(noun, list),
        Operation {
            method: "post",
            verb: "create",
            noun: noun.to_owned(),
            action: "post",
            parameters: WRITE,
            body: Some((own, true)),
            responses: &["200", "201", "202"],
            answer: own,
        },
        Operation {
            method: "delete",
            verb: "delete",
            noun: format!("Collection{noun}"),
            action: "deletecollection",
            parameters: LIST,
            body: None,
            responses: &["200"],
            answer: STATUS,
        },
    ]
}

fn object_operations<'a>(noun: &str, own: &'a str) -> Vec<Operation<'a>> {
    let mut operations = read_and_write(noun, own);
    operations.push(Operation {
        method: "delete",
        verb: "delete",
        noun: noun.to_owned(),
        action: "delete",
        parameters: DELETE,
        body: Some((DELETE_OPTIONS, false)),
        responses: &["200", "202"],
        answer: STATUS,
    });
    operations
}

fn read_and_write<'a>(noun: &str, schema: &'a str) -> Vec<Operation<'a>> {
    let read = Operation {
        method: "get",
        verb: "read",
        noun: noun.to_owned(),
        action: "get",
        parameters: &["resourceVersion"],
        body: None,
        responses: &["200"],
        answer: schema,
    };
    let replace = Operation {
        method: "put",
        verb: "replace",
        noun: noun.to_owned(),
        action: "put",
        parameters: WRITE,
        body: Some((schema, true)),
        responses: &["200", "201"],
        answer: schema,
    };
    let patch = Operation {
        method: "patch",
        verb: "patch",
        noun: noun.to_owned(),
        action: "patch",
        parameters: APPLY,
        body: Some((PATCH, true)),
        responses: &["200"],
        answer: schema,
    };
    vec![read, replace, patch]
}

struct Builder<'c> {
    custom: &'c CustomResource,
    form: Form,
}

impl Builder<'_> {
    /// A path: its parameters, then what can be done there.
    fn item(&self, in_path: &[&str], in_query: &[&str], operations: Vec<Operation<'_>>) -> Value {
        let mut item = Map::new();
        for operation in operations {
            item.insert(operation.method.to_owned(), self.operation(&operation));
        }
        let path = in_path.iter().map(|name| self.parameter(name, true));
        let parameters: Vec<Value> = path
            .chain(in_query.iter().map(|name| self.parameter(name, false)))
            .collect();
        item.insert("parameters".to_owned(), Value::Array(parameters));
        Value::Object(item)
    }

    fn operation(&self, operation: &Operation<'_>) -> Value {
        // The domain of Kubernetes is not part of names (`kube-openapi` GroupVersion of operations).
        let group = self.custom.group.trim_end_matches(".k8s.io");
        let group: String = group.split(['.', '-']).map(capitalised).collect();
        let version = capitalised(&self.custom.version);
        let mut described = json!({
            "operationId": format!("{}{group}{version}{}", operation.verb, operation.noun),
            "tags": [format!("{}_{}", lower_first(&group), self.custom.version)],
            "x-kubernetes-action": operation.action,
            "x-kubernetes-group-version-kind": {
                "group": *self.custom.group, "version": *self.custom.version, "kind": *self.custom.kind,
            },
        });
        let mut parameters: Vec<Value> = operation
            .parameters
            .iter()
            .map(|name| self.parameter(name, false))
            .collect();
        let body_types = if operation.method == "patch" {
            PATCH_TYPES
        } else {
            MEDIA_TYPES
        };
        if self.form == Form::V2 {
            described["schemes"] = json!(["https"]);
            described["consumes"] = json!(body_types);
            described["produces"] = json!(MEDIA_TYPES);
        }
        if let Some((schema, required)) = operation.body {
            let reference = self.reference(schema);
            if self.form == Form::V2 {
                let mut body = json!({"name": "body", "in": "body", "schema": reference});
                if required {
                    body["required"] = json!(true);
                }
                parameters.insert(0, body);
            } else {
                described["requestBody"] = json!({"content": content(body_types, &reference)});
                if required {
                    described["requestBody"]["required"] = json!(true);
                }
            }
        }
        if !parameters.is_empty() {
            described["parameters"] = Value::Array(parameters);
        }
        described["responses"] = self.responses(operation);
        described
    }

    fn responses(&self, operation: &Operation<'_>) -> Value {
        let mut responses = Map::new();
        for code in operation.responses {
            let description = match *code {
                "201" => "Created",
                "202" => "Accepted",
                _ => "OK",
            };
            let reference = self.reference(operation.answer);
            let response = match self.form {
                Form::V2 => json!({"description": description, "schema": reference}),
                Form::V3 => json!({"description": description, "content": content(MEDIA_TYPES, &reference)}),
            };
            responses.insert((*code).to_owned(), response);
        }
        responses.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        Value::Object(responses)
    }

    fn parameter(&self, name: &str, in_path: bool) -> Value {
        let r#type = match name {
            "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
            "allowWatchBookmarks"
            | "force"
            | "ignoreStoreReadErrorWithClusterBreakingPotential"
            | "orphanDependents"
            | "sendInitialEvents"
            | "watch" => "boolean",
            _ => "string",
        };
        let mut parameter = json!({"name": name, "in": if in_path { "path" } else { "query" }});
        match self.form {
            Form::V2 => {
                parameter["type"] = json!(r#type);
                parameter["uniqueItems"] = json!(true);
            }
            Form::V3 => parameter["schema"] = json!({"type": r#type, "uniqueItems": true}),
        }
        if in_path {
            parameter["required"] = json!(true);
        }
        parameter
    }

    fn reference(&self, schema: &str) -> Value {
        match self.form {
            Form::V2 => json!({"$ref": format!("#/definitions/{schema}")}),
            Form::V3 => json!({"$ref": format!("#/components/schemas/{schema}")}),
        }
    }
}

fn content(media_types: &[&str], reference: &Value) -> Value {
    media_types
        .iter()
        .map(|media_type| ((*media_type).to_owned(), json!({"schema": reference})))
        .collect::<Map<String, Value>>()
        .into()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}
