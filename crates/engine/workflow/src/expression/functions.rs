//! The functions of expressions, but for `case`, which chooses what is evaluated.

use super::evaluate::{Evaluation, EvaluationError};
use super::json::{from_json, to_json};
use super::parser::Function;
use super::value::{Value, upper};

/// Calls a function. The parser has counted the arguments.
pub(super) fn call(
    evaluation: &mut Evaluation<'_>,
    function: Function,
    arguments: &[Value],
) -> Result<Value, EvaluationError> {
    let texts = || {
        arguments
            .iter()
            .map(|a| a.to_text().to_string())
            .collect::<Vec<_>>()
    };
    let value = match function {
        Function::Contains => Value::Bool(contains(&arguments[0], &arguments[1])),
        Function::StartsWith => Value::Bool(on_texts(arguments, |text, part| text.starts_with(part))),
        Function::EndsWith => Value::Bool(on_texts(arguments, |text, part| text.ends_with(part))),
        Function::Format => Value::from(format(evaluation, &arguments[0].to_text(), &arguments[1..])?),
        Function::Join => Value::from(join(evaluation, &arguments[0], arguments.get(1))?),
        Function::ToJson => {
            let text = to_json(&arguments[0]);
            evaluation.account(text.len())?;
            Value::from(text)
        }
        Function::FromJson => {
            let text = arguments[0].to_text();
            let parsed = from_json(&text)
                .map_err(|error| EvaluationError::Function(format!("Error parsing fromJson: {error}")))?;
            evaluation.account(text.len())?;
            parsed
        }
        Function::HashFiles => {
            let patterns = texts();
            match evaluation.host.hash_files(&patterns) {
                Some(hash) => Value::from(hash),
                None => return Err(EvaluationError::NeedsHash(patterns)),
            }
        }
        Function::Status(status) => Value::Bool(evaluation.host.status(status, &texts())),
        Function::Case => Value::Null,
    };
    Ok(value)
}

fn contains(search: &Value, item: &Value) -> bool {
    match search {
        Value::Array(items) => items.iter().any(|found| found.equals(item)),
        Value::Object(_) => false,
        text if item.is_primitive() => upper(&text.to_text()).contains(&upper(&item.to_text())),
        _ => false,
    }
}

fn on_texts(arguments: &[Value], test: fn(&str, &str) -> bool) -> bool {
    let [text, part] = arguments else { return false };
    text.is_primitive() && part.is_primitive() && test(&upper(&text.to_text()), &upper(&part.to_text()))
}

fn join(
    evaluation: &mut Evaluation<'_>,
    list: &Value,
    separator: Option<&Value>,
) -> Result<String, EvaluationError> {
    let separator = match separator {
        Some(value) if value.is_primitive() => value.to_text().to_string(),
        _ => ",".to_owned(),
    };
    match list {
        Value::Array(items) => {
            let mut joined = String::new();
            for (at, item) in items.iter().enumerate() {
                let text = item.to_text();
                evaluation.account(text.len() + separator.len())?;
                if at > 0 {
                    joined.push_str(&separator);
                }
                joined.push_str(&text);
            }
            Ok(joined)
        }
        Value::Object(_) => Ok(String::new()),
        primitive => Ok(primitive.to_text().to_string()),
    }
}

/// `{0}` stands for the first argument, `{{` and `}}` for braces.
fn format(
    evaluation: &mut Evaluation<'_>,
    pattern: &str,
    arguments: &[Value],
) -> Result<String, EvaluationError> {
    let invalid = || EvaluationError::Function(format!("The following format string is invalid: {pattern}"));
    let mut result = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        result.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            result.push_str(brace);
            rest = after;
            continue;
        }
        let (index, after) = rest.split_once('}').ok_or_else(invalid)?;
        if brace == "}" || index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        let argument = index
            .parse::<u8>()
            .ok()
            .and_then(|index| arguments.get(usize::from(index)));
        let argument = argument.ok_or_else(|| {
            EvaluationError::Function(format!(
                "The following format string references more arguments than were supplied: {pattern}"
            ))
        })?;
        let text = argument.to_text();
        evaluation.account(text.len())?;
        result.push_str(&text);
        rest = after;
    }
    result.push_str(rest);
    evaluation.account(pattern.len())?;
    Ok(result)
}
