//! From the text of a file to checked values with places.

mod events;
mod hint;
mod problem;
mod schema;
mod source;
mod template;
mod token;

pub use hint::Hint;
pub use problem::Problem;
pub(crate) use problem::Problems;
pub use source::Bounds;
pub(crate) use template::{contexts_of, with_scope};
pub use token::{Kind, Place, Template, Token};

/// Reads a file as a definition of the schema: `workflow`, `workflow-lax` or `action`. None where it is no YAML.
pub(crate) fn read(
    file: usize,
    text: &str,
    of: &str,
    bounds: Bounds,
    background_steps: bool,
    problems: &mut Problems,
) -> Option<Token> {
    let literal = source::parse(file, text, bounds, problems)?;
    Some(template::read(literal, of, background_steps, problems))
}
