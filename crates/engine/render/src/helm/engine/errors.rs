//! The texts that helm makes of a template's errors.

use deploy_model::Place;

use crate::helm::compat::Compat;

/// What `required` and `fail` put around their message, so that it is found again in the chain of errors.
pub(super) const MARK_START: &str = "HELM_ERR_START";
pub(super) const MARK_END: &str = "HELM_ERR_END";

/// Why a chart did not render. The text is helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A template cannot be parsed.
    #[error("{message}")]
    Parse {
        /// helm's text.
        message: String,
        /// The template and line.
        place: Option<Place>,
    },
    /// A template failed while it ran.
    #[error("{message}")]
    Execute {
        /// helm's text.
        message: String,
        /// The template, line and column where it failed, innermost.
        place: Option<Place>,
    },
}

impl EngineError {
    /// Where it is wrong, if known.
    pub fn place(&self) -> Option<&Place> {
        match self {
            EngineError::Parse { place, .. } | EngineError::Execute { place, .. } => place.as_ref(),
        }
    }
}

/// `template: FILE:LINE: MESSAGE` as helm shows it: the place and the last part of the message.
pub(super) fn parse_error(file: &str, text: &str) -> EngineError {
    let location = text.split(": ").nth(1);
    let message = match (location, text.rsplit(": ").next()) {
        (Some(location), Some(last)) => format!("parse error at ({location}): {last}"),
        _ => format!("parse error in ({file}): {text}"),
    };
    let place = location.and_then(place_of);
    EngineError::Parse {
        message,
        place: place.or_else(|| Some(Place::file(file))),
    }
}

/// The text of a failed execution. `chain` holds the error of the template that was run, then that of the one it
/// included, and so on; `template_errors` says whether all of them are errors of templates, not of functions.
pub(super) fn execution_error(chain: &[String], template_errors: bool, compat: Compat) -> EngineError {
    let outer = chain.first().map_or("", String::as_str);
    let place = chain
        .iter()
        .rev()
        .find_map(|text| place_of(text.strip_prefix("template: ")?.split(": ").next()?));
    let message = marked(outer).unwrap_or_else(|| match compat {
        Compat::V3 => outer.to_owned(),
        Compat::V4 if template_errors => steps(chain).unwrap_or_else(|| outer.to_owned()),
        Compat::V4 => outer.to_owned(),
    });
    EngineError::Execute { message, place }
}

/// The message of `required` or `fail`, with the place of the template that was run.
fn marked(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, ": ");
    let (_, location, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let start = rest.find(MARK_START)? + MARK_START.len();
    let end = start + rest[start..].rfind(MARK_END)?;
    Some(format!("execution error at ({location}): {}", &rest[start..end]))
}

/// One template of the chain, taken apart.
#[derive(PartialEq, Eq)]
struct Step<'a> {
    location: &'a str,
    executing: Option<(&'a str, &'a str)>,
    message: &'a str,
}

/// Each template on its own lines: where, what it was doing, and what went wrong.
fn steps(chain: &[String]) -> Option<String> {
    let mut steps: Vec<Step> = Vec::with_capacity(chain.len());
    for text in chain {
        let step = Step::of(text)?;
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    }
    let mut out = String::new();
    for step in steps {
        if !step.location.is_empty() {
            out.push_str(step.location);
            out.push_str("\n  ");
        }
        if let Some((name, context)) = step.executing {
            out.push_str(&format!("executing \"{name}\" at <{context}>:\n    "));
        }
        if !step.message.is_empty() {
            out.push_str(step.message);
            out.push('\n');
        }
    }
    Some(out.trim().to_owned())
}

impl<'a> Step<'a> {
    fn of(text: &'a str) -> Option<Step<'a>> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Step {
                location: "",
                executing: None,
                message: text,
            });
        }
        Step::executing(rest).or_else(|| {
            let (location, message) = rest.rsplit_once(": ")?;
            Some(Step {
                location,
                executing: None,
                message: before_nested(message),
            })
        })
    }

    /// `FILE:LINE:COLUMN: executing "NAME" at <CONTEXT>: MESSAGE`
    fn executing(rest: &'a str) -> Option<Step<'a>> {
        let (location, after) = rest.split_once(": executing ")?;
        let (name, after) = after.strip_prefix('"')?.split_once('"')?;
        let (context, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
        Some(Step {
            location,
            executing: Some((name, context)),
            message: before_nested(message),
        })
    }
}

/// The error of an included template is a step of its own.
fn before_nested(message: &str) -> &str {
    message.find(" template:").map_or(message, |at| &message[..at])
}

/// `FILE:LINE` or `FILE:LINE:COLUMN`; Go counts columns of templates from 0.
fn place_of(location: &str) -> Option<Place> {
    let mut parts = location.rsplitn(3, ':');
    let (last, before, file) = (parts.next()?, parts.next()?, parts.next());
    match (file, before.parse(), last.parse::<u32>()) {
        (Some(file), Ok(line), Ok(column)) => Some(Place {
            file: file.to_owned(),
            line,
            column: column + 1,
        }),
        (None, _, Ok(line)) => Some(Place {
            file: before.to_owned(),
            line,
            column: 0,
        }),
        (Some(file), Err(_), Ok(line)) => Some(Place {
            file: format!("{file}:{before}"),
            line,
            column: 0,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(chain: &[&str], template_errors: bool) -> String {
        let chain: Vec<String> = chain.iter().map(|text| (*text).to_owned()).collect();
        execution_error(&chain, template_errors, Compat::V4).to_string()
    }

    #[test]
    fn nested_templates_are_shown_step_by_step() {
        let inner = "template: c/templates/_h.tpl:2:5: executing \"h\" at <.Values.a.b>: nil pointer evaluating interface {}.b";
        let outer = format!(
            "template: c/templates/x.yaml:1:3: executing \"c/templates/x.yaml\" at <include \"h\" .>: error calling include: {inner}"
        );
        assert_eq!(
            shown(&[&outer, inner], true),
            "c/templates/x.yaml:1:3\n  executing \"c/templates/x.yaml\" at <include \"h\" .>:\n    error calling include:\n\
             c/templates/_h.tpl:2:5\n  executing \"h\" at <.Values.a.b>:\n    nil pointer evaluating interface {}.b"
        );
        assert_eq!(shown(&[&outer, inner], false), outer);
    }

    #[test]
    fn required_and_fail_show_their_message_alone() {
        let text = "template: c/templates/x.yaml:3:5: executing \"c/templates/x.yaml\" at <required \"m\" .a>: error calling \
                    required: HELM_ERR_STARTa: needed\nreallyHELM_ERR_END";
        let error = execution_error(&[text.to_owned()], false, Compat::V4);
        assert_eq!(
            error.to_string(),
            "execution error at (c/templates/x.yaml:3:5): a: needed\nreally"
        );
        let place = error.place().expect("a place");
        assert_eq!(place.to_string(), "c/templates/x.yaml:3:6");
    }

    #[test]
    fn parse_errors_show_place_and_cause() {
        let error = parse_error(
            "c/templates/x.yaml",
            "template: c/templates/x.yaml:1: function \"f\" not defined",
        );
        assert_eq!(
            error.to_string(),
            "parse error at (c/templates/x.yaml:1): function \"f\" not defined"
        );
        assert_eq!(
            error.place().map(ToString::to_string).as_deref(),
            Some("c/templates/x.yaml:1")
        );
    }
}
