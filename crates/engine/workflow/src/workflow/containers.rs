//! `container` and `services`: an image, or a mapping that has one.

use crate::reader::{Kind, Problems, Token};

/// Checks the container of a job or a service. Where an expression is part of it, that is left to the run.
pub(super) fn check(container: &Token, problems: &mut Problems) {
    if container.has_expression() {
        return;
    }
    let image = match &container.kind {
        // An empty image means no container: a matrix may leave it out.
        Kind::String(_) => return,
        _ => container.get("image").and_then(Token::as_str),
    };
    if image.is_none_or(str::is_empty) {
        problems.at(container.place, "Container image cannot be empty");
    }
}
