//! Rendered objects in the format that was asked for.

use clap::Arg;
use deploy_model::{Code, Diagnostic, Lang, Place};
use deploy_render::inputs::{InputKind, Inputs};
use deploy_render::plain::{self, Lack, PlainError, PlainObject};
use deploy_yaml::{Dialect, node_to_json};
use serde_json::{Value, json};

use crate::{Context, Failure, table, texts};

/// `-o` of every command that prints objects.
pub fn output_flag(lang: Lang) -> Arg {
    Arg::new("output")
        .short('o')
        .long("output")
        .value_name("FORMAT")
        .value_parser(["table", "wide", "json", "yaml", "name"])
        .default_value("yaml")
        .help(texts::of(lang).output_flag)
}

/// What a renderer printed, in another format. `yaml` is that text itself.
pub fn print(context: &mut Context, text: String, origin: &str, format: &str) -> Result<(), Failure> {
    if format == "yaml" {
        return Ok(context.printer.data(text)?);
    }
    let mut objects = plain::objects(origin, &text).map_err(|error| explain(context, error))?;
    // A line of a text that nobody sees leads nowhere.
    objects.iter_mut().for_each(|object| object.line = 0);
    print_objects(context, &objects, format)
}

/// Objects in a format other than `yaml`.
pub fn print_objects(context: &mut Context, objects: &[PlainObject], format: &str) -> Result<(), Failure> {
    let words = &texts::of(context.lang).columns;
    let text = match format {
        "json" => {
            let items = objects
                .iter()
                .map(|object| {
                    node_to_json(&object.node, Dialect::GoYaml11)
                        .map_err(|error| yaml_error(context, &object.file, &error))
                })
                .collect::<Result<Vec<Value>, Failure>>()?;
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
            format!("{list:#}\n")
        }
        "name" => objects
            .iter()
            .map(|object| {
                let group = object
                    .id
                    .api_version
                    .split_once('/')
                    .map(|(group, _)| format!(".{group}"));
                format!(
                    "{}{}/{}\n",
                    object.id.kind.to_lowercase(),
                    group.unwrap_or_default(),
                    object.id.name
                )
            })
            .collect(),
        "wide" => {
            let rows: Vec<[String; 5]> = objects
                .iter()
                .map(|object| {
                    let id = object.id.clone();
                    let place = Place {
                        file: context.shown(&object.file),
                        line: object.line,
                        column: 0,
                    };
                    [id.namespace, id.kind, id.name, id.api_version, place.to_string()]
                })
                .collect();
            table::render(
                [
                    words.namespace,
                    words.kind,
                    words.name,
                    words.api_version,
                    words.place,
                ],
                &rows,
            )
        }
        _ => {
            let rows: Vec<[String; 3]> = objects
                .iter()
                .map(|object| {
                    [
                        object.id.namespace.clone(),
                        object.id.kind.clone(),
                        object.id.name.clone(),
                    ]
                })
                .collect();
            table::render([words.namespace, words.kind, words.name], &rows)
        }
    };
    Ok(context.printer.data(text)?)
}

/// The inputs of a render with their hashes.
pub fn print_inputs(context: &mut Context, inputs: &Inputs, format: &str) -> Result<(), Failure> {
    let rows: Vec<(&str, String, String)> = inputs
        .iter()
        .map(|(kind, name, hash)| {
            let is_path = matches!(kind, InputKind::File | InputKind::Folder);
            let name = if is_path {
                context.shown(name)
            } else {
                name.to_owned()
            };
            (
                kind_name(kind),
                name,
                hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            )
        })
        .collect();
    let as_json = || -> Value {
        rows.iter()
            .map(|(kind, name, hash)| json!({ "kind": kind, "name": name, "sha256": hash }))
            .collect()
    };
    let text = match format {
        "json" => format!("{:#}\n", as_json()),
        "yaml" => deploy_yaml::emit_sigs(&as_json()),
        "name" => rows.iter().map(|(_, name, _)| format!("{name}\n")).collect(),
        _ => {
            let words = &texts::of(context.lang).columns;
            let rows: Vec<[String; 3]> = rows
                .into_iter()
                .map(|(kind, name, hash)| [hash, kind.to_owned(), name])
                .collect();
            table::render(["SHA-256", words.kind, words.name], &rows)
        }
    };
    Ok(context.printer.data(text)?)
}

/// What is wrong with a plain folder.
pub fn explain(context: &Context, error: PlainError) -> Failure {
    let words = &texts::of(context.lang).render_flags;
    let place = |file: &str, line, column| Place {
        file: context.shown(file),
        line,
        column,
    };
    match error {
        PlainError::Source(error) => crate::failure::unreadable(context, &error),
        PlainError::Syntax {
            file,
            line,
            column,
            message,
        } => Diagnostic::new(Code::YamlSyntax)
            .at(place(&file, line, column))
            .because(message)
            .with("file", context.shown(&file))
            .into(),
        PlainError::NotAnObject { file, line, what } => Diagnostic::new(Code::RenderNotAnObject)
            .at(place(&file, line, 0))
            .because(match what {
                Lack::Mapping => words.lacks_mapping.to_owned(),
                Lack::ApiVersion => words.lacks_field.replace("{field}", "apiVersion"),
                Lack::Kind => words.lacks_field.replace("{field}", "kind"),
                Lack::Name => words.lacks_field.replace("{field}", "metadata.name"),
            })
            .with("file", context.shown(&file))
            .into(),
        PlainError::Duplicate {
            id,
            file,
            line,
            other_file,
            other_line,
        } => Diagnostic::new(Code::RenderDuplicate)
            .at(place(&file, line, 0))
            .because(
                words
                    .already_in
                    .replace("{place}", &place(&other_file, other_line, 0).to_string()),
            )
            .with("object", id.to_string())
            .into(),
        PlainError::TooLarge { path, limit, .. } => Diagnostic::new(Code::RenderTooLarge)
            .because(words.more_than.replace("{limit}", &limit.to_string()))
            .with("path", context.shown(&path))
            .into(),
    }
}

fn yaml_error(context: &Context, file: &str, error: &deploy_yaml::Error) -> Failure {
    let code = if error.is_limit() {
        Code::YamlLimit
    } else {
        Code::YamlSyntax
    };
    let file = context.shown(file);
    let place = Place {
        file: file.clone(),
        line: error.position.line,
        column: error.position.column,
    };
    Diagnostic::new(code)
        .at(place)
        .because(error.to_string())
        .with("file", file)
        .into()
}

fn kind_name(kind: &InputKind) -> &'static str {
    match kind {
        InputKind::File => "file",
        InputKind::Folder => "folder",
        InputKind::Values => "values",
        InputKind::Fact => "fact",
        InputKind::Lookup => "lookup",
        InputKind::Host => "host",
    }
}
