//! `action.yml` of a local action: only those made of steps can be carried out.

use crate::reader::{Bounds, Hint, Place, Problems, Token, read};
use crate::workflow::{Step, read_steps};

/// A composite action.
#[derive(Clone, Debug)]
pub struct Action {
    /// `name`
    pub name: Option<String>,
    /// `inputs`, in their order.
    pub inputs: Vec<ActionInput>,
    /// `outputs`: names and values.
    pub outputs: Vec<(String, Token)>,
    /// `runs.steps`
    pub steps: Vec<Step>,
}

/// An input of an action.
#[derive(Clone, Debug)]
pub struct ActionInput {
    /// Its name.
    pub name: String,
    /// Its default.
    pub default: Option<Token>,
    /// Whether `with` has to name it; GitHub does not insist on it, and neither do we.
    pub required: bool,
}

impl Action {
    /// Reads `action.yml`; none where something is wrong with it, which is told.
    pub(super) fn read(file: &str, text: &str, used_at: Place, problems: &mut Problems) -> Option<Action> {
        let number = problems.file(file);
        let before = problems.list.len();
        let root = read(number, text, "action", Bounds::default(), false, problems)?;
        if problems.list.len() > before {
            return None;
        }
        let runs = root.get("runs")?;
        let using = runs.get("using").map(Token::shown).unwrap_or_default();
        if using != "composite" {
            problems.hinted(
                used_at,
                format!("'{file}' is an action of the kind '{using}', which is not supported"),
                Hint::Composite,
            );
            return None;
        }
        let inputs = root.get("inputs").map_or(&[][..], Token::entries).iter();
        let outputs = root.get("outputs").map_or(&[][..], Token::entries).iter();
        let steps = read_steps(runs.get("steps")?, "action-if", problems);
        Some(Action {
            name: root.get("name").map(Token::shown),
            inputs: inputs
                .map(|(name, input)| ActionInput {
                    name: name.shown(),
                    default: input.get("default").cloned(),
                    required: input.get("required").is_some_and(|token| token.shown() == "true"),
                })
                .collect(),
            outputs: outputs
                .filter_map(|(name, output)| Some((name.shown(), output.get("value")?.clone())))
                .collect(),
            steps,
        })
    }
}
