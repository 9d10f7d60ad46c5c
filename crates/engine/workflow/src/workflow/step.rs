//! Steps.

use super::condition::Condition;
use super::ids::Ids;
use crate::reader::{Kind, Place, Problems, Token};
use std::collections::HashSet;

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it begins.
    pub place: Place,
    /// Its identifier; made of what it does where the file gives none.
    pub id: String,
    /// Whether the file gives the identifier: only then the `steps` context has it.
    pub has_id: bool,
    /// `name`
    pub name: Option<Token>,
    /// `if`; steps that only wait have none.
    pub condition: Option<Condition>,
    /// `continue-on-error`
    pub continue_on_error: Option<Token>,
    /// `timeout-minutes`
    pub timeout_minutes: Option<Token>,
    /// `env`
    pub env: Option<Token>,
    /// `background`
    pub background: Option<bool>,
    /// What it does.
    pub task: Task,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Task {
    /// `run`
    Run {
        /// The script.
        script: Token,
        /// `shell`
        shell: Option<Token>,
        /// `working-directory`
        working_directory: Option<Token>,
    },
    /// `uses`
    Uses {
        /// Which action.
        action: Token,
        /// `with`
        with: Option<Token>,
    },
    /// `wait`: for steps in the background.
    Wait(Vec<Token>),
    /// `wait-all`
    WaitAll,
    /// `cancel`: a step in the background.
    Cancel(Token),
    /// `parallel`: several at once.
    Parallel(Vec<Step>),
}

/// Reads a list of steps. `condition` is the definition of `if` in the schema.
pub(crate) fn read_steps(steps: &Token, condition: &str, problems: &mut Problems) -> Vec<Step> {
    let mut reader = Reader {
        ids: Ids::default(),
        known: HashSet::new(),
        condition,
        problems,
    };
    let mut read: Vec<Step> = steps
        .items()
        .iter()
        .filter_map(|step| reader.step(step))
        .collect();
    for step in &mut read {
        if step.id.is_empty() {
            step.id = reader.ids.make(&word(&step.task));
        }
    }
    read
}

struct Reader<'p> {
    ids: Ids,
    known: HashSet<String>,
    condition: &'p str,
    problems: &'p mut Problems,
}

impl Reader<'_> {
    fn step(&mut self, step: &Token) -> Option<Step> {
        let mut id = None;
        if let Some(token) = step.get("id") {
            let text = token.shown();
            match self.ids.take(&text) {
                Ok(()) => {
                    self.known.insert(text.to_lowercase());
                }
                Err(message) => self.problems.at(token.place, message),
            }
            id = Some(text);
        }
        let condition = match step.get("if") {
            Some(token) => Condition::read(token, self.condition, self.problems),
            None => Some(Condition::success()),
        };
        let task = self.task(step, id.as_deref())?;
        let waits = !matches!(task, Task::Run { .. } | Task::Uses { .. });
        Some(Step {
            place: step.place,
            has_id: id.is_some(),
            id: id.unwrap_or_default(),
            name: step.get("name").cloned(),
            condition: condition.filter(|_| !waits),
            continue_on_error: step.get("continue-on-error").cloned(),
            timeout_minutes: step.get("timeout-minutes").cloned(),
            env: step.get("env").cloned(),
            background: step.get("background").and_then(Token::as_bool),
            task,
        })
    }

    fn task(&mut self, step: &Token, own: Option<&str>) -> Option<Task> {
        if let Some(script) = step.get("run") {
            return Some(Task::Run {
                script: script.clone(),
                shell: step.get("shell").cloned(),
                working_directory: step.get("working-directory").cloned(),
            });
        }
        if let Some(action) = step.get("uses") {
            check_action(action, self.problems);
            return Some(Task::Uses {
                action: action.clone(),
                with: step.get("with").cloned(),
            });
        }
        if let Some(wait) = step.get("wait") {
            let targets = match &wait.kind {
                Kind::Sequence(items) => items.clone(),
                _ => vec![wait.clone()],
            };
            targets.iter().for_each(|target| self.check_target(target, own));
            return Some(Task::Wait(targets));
        }
        if let Some(all) = step.get("wait-all") {
            if all.as_bool() == Some(false) {
                self.problems
                    .at(all.place, "The value of 'wait-all' must be true or omitted");
            }
            return Some(Task::WaitAll);
        }
        if let Some(target) = step.get("cancel") {
            self.check_target(target, own);
            return Some(Task::Cancel(target.clone()));
        }
        if let Some(steps) = step.get("parallel") {
            let steps = read_steps(steps, self.condition, self.problems);
            for inner in steps
                .iter()
                .filter(|inner| !matches!(inner.task, Task::Run { .. } | Task::Uses { .. }))
            {
                self.problems.at(
                    inner.place,
                    "Only 'run' and 'uses' are allowed inside a parallel block.",
                );
            }
            return Some(Task::Parallel(steps));
        }
        None
    }

    fn check_target(&mut self, target: &Token, own: Option<&str>) {
        let id = target.shown();
        let message = if id.starts_with("__") {
            format!("The identifier '{id}' is invalid. IDs starting with '__' are reserved.")
        } else if own.is_some_and(|own| own.eq_ignore_ascii_case(&id)) {
            format!("Step '{id}' cannot reference itself")
        } else if !self.known.contains(&id.to_lowercase()) {
            format!("Step references unknown step ID '{id}'")
        } else {
            return;
        };
        self.problems.at(target.place, message);
    }
}

/// `owner/repository[/path]@ref`, `./path`, `docker://image`
fn check_action(action: &Token, problems: &mut Problems) {
    let Some(text) = action.as_str() else { return };
    let is_local = text.starts_with("./") || text.starts_with(".\\") || text.starts_with("$/");
    if is_local || text.starts_with("docker://") {
        return;
    }
    let fits = text.split_once('@').is_some_and(|(path, reference)| {
        let mut segments = path.split(['/', '\\']).filter(|segment| !segment.is_empty());
        segments.next().is_some()
            && segments.next().is_some()
            && !reference.is_empty()
            && !reference.contains('@')
    });
    if !fits {
        problems.at(
            action.place,
            format!("Expected format {{org}}/{{repo}}[/path]@ref. Actual '{text}'"),
        );
    }
}

/// What the made identifier of a step is made of.
fn word(task: &Task) -> String {
    let action = match task {
        Task::Run { .. } => return "run".to_owned(),
        Task::Wait(_) => return "wait".to_owned(),
        Task::WaitAll => return "wait-all".to_owned(),
        Task::Cancel(_) => return "cancel".to_owned(),
        Task::Parallel(_) => return "parallel".to_owned(),
        Task::Uses { action, .. } => action.as_str().unwrap_or_default(),
    };
    if let Some(image) = action.strip_prefix("docker://") {
        return image.to_owned();
    }
    if action.starts_with('.') || action.starts_with("$/") {
        return "self".to_owned();
    }
    let path = action.split('@').next().unwrap_or_default();
    let segments: Vec<&str> = path
        .split(['/', '\\'])
        .filter(|s| !s.is_empty())
        .take(2)
        .collect();
    match segments.is_empty() {
        true => "run".to_owned(),
        false => segments.join("/"),
    }
}
