//! Which stages a target needs, and in which order.

pub mod evaluate;
mod platform;

use std::collections::{BTreeMap, BTreeSet};

use deploy_model::image::manifest::Platform;

use crate::error::Problem;
use crate::instruction::{Argument, Dockerfile, Instruction, StageText};
use crate::words::Lexer;
use deploy_model::nearest;

/// What is to be built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// A stage by name or number; none is the last one.
    pub target: Option<String>,
    /// `--build-arg`.
    pub arguments: BTreeMap<String, String>,
    /// What the image is for.
    pub platform: Platform,
}

/// The stages of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The file.
    pub file: Dockerfile,
    /// What was asked.
    pub request: Request,
    /// The stages that are needed, each after those that it needs.
    pub stages: Vec<Stage>,
    /// The number of the stage that becomes the image.
    pub target: usize,
    /// Values of arguments before the first FROM, and of the platform.
    pub globals: BTreeMap<String, String>,
    /// Arguments that were given and that nothing declares.
    pub unused: BTreeSet<String>,
}

/// A stage that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its place in the file, from 0.
    pub number: usize,
    /// What it begins with.
    pub base: Base,
    /// Stages that it begins with or takes files from.
    pub needs: BTreeSet<usize>,
    /// Images that it takes files from.
    pub images: BTreeSet<String>,
}

/// What a stage begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An image by its name.
    Image(String),
    /// An earlier stage.
    Stage(usize),
}

/// Where files come from that are not of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A stage.
    Stage(usize),
    /// An image by its name.
    Image(String),
}

/// The graph of a target.
pub fn graph(file: Dockerfile, request: Request) -> Result<Graph, Problem> {
    let globals = globals(&file, &request)?;
    let target = target(&file, request.target.as_deref())?;
    let mut all = Vec::new();
    for number in 0..file.stages.len() {
        all.push(stage(&file, number, &globals, &request));
    }
    let mut walk = Walk {
        file: &file,
        all: &all,
        state: vec![State::New; file.stages.len()],
        path: Vec::new(),
        order: Vec::new(),
    };
    walk.visit(target)?;
    let order = walk.order;
    let stages = order
        .into_iter()
        .map(|number| all[number].clone())
        .collect::<Result<_, _>>()?;
    let unused = unused(&file, &request);
    Ok(Graph {
        file,
        request,
        stages,
        target,
        globals,
        unused,
    })
}

impl Graph {
    /// The text of a stage.
    pub fn text(&self, stage: &Stage) -> &StageText {
        &self.file.stages[stage.number]
    }

    /// What people call a stage: its name, else its number.
    pub fn name(&self, number: usize) -> String {
        self.file.stages[number]
            .name
            .clone()
            .unwrap_or_else(|| number.to_string())
    }
}

fn target(file: &Dockerfile, target: Option<&str>) -> Result<usize, Problem> {
    let last = file.stages.len() - 1;
    let Some(target) = target else { return Ok(last) };
    if let Some(number) = named(file, target) {
        return Ok(number);
    }
    if let Ok(number) = target.parse::<usize>()
        && number <= last
    {
        return Ok(number);
    }
    let names = || file.stages.iter().filter_map(|stage| stage.name.as_deref());
    let hint = match nearest(target, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => match names().collect::<Vec<_>>().join(", ") {
            names if names.is_empty() => format!("the stages have the numbers 0 to {last}"),
            names => format!("there are {names}"),
        },
    };
    Err(Problem::asked(format!("target stage {target:?} could not be found")).hint(hint))
}

fn named(file: &Dockerfile, name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    file.stages
        .iter()
        .position(|stage| stage.name.as_deref() == Some(&*name))
}

fn globals(file: &Dockerfile, request: &Request) -> Result<BTreeMap<String, String>, Problem> {
    let mut globals = platform::arguments(request);
    let lexer = Lexer::new(file.escape);
    for Argument { name, default, line } in &file.arguments {
        let value = match (request.arguments.get(name), default) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => {
                let look = |name: &str| globals.get(name).cloned();
                let expanded = lexer
                    .expand(default, &look)
                    .map_err(|error| Problem::at(*line, error.to_string()))?;
                Some(expanded.text)
            }
            (None, None) => None,
        };
        if let Some(value) = value {
            globals.insert(name.clone(), value);
        }
    }
    Ok(globals)
}

fn stage(
    file: &Dockerfile,
    number: usize,
    globals: &BTreeMap<String, String>,
    request: &Request,
) -> Result<Stage, Problem> {
    let text = &file.stages[number];
    let at = |message: String| Problem::at(text.lines.0, message);
    let expand = |word: &str| {
        Lexer::new(file.escape)
            .expand(word, &|name| globals.get(name).cloned())
            .map_err(|error| at(error.to_string()).pointing(&file.text, text.lines, word))
    };
    let base = expand(&text.base)?;
    if base.text.is_empty() {
        let unset: Vec<String> = base.unset.into_iter().collect();
        return Err(at(format!("base name ({}) should not be blank", text.base))
            .hint(format!(
                "give {} a value: ARG name=value before the first FROM, or --build-arg",
                unset.join(", ")
            ))
            .pointing(&file.text, text.lines, &text.base));
    }
    if let Some(platform) = &text.platform {
        let platform = expand(platform)?.text;
        platform::check(&platform, &request.platform).map_err(|(message, hint)| {
            at(message)
                .hint(hint)
                .pointing(&file.text, text.lines, "--platform")
        })?;
    }
    let mut stage = Stage {
        number,
        base: match named(file, &base.text).filter(|found| *found < number) {
            Some(earlier) => Base::Stage(earlier),
            None if base.text == "scratch" => Base::Scratch,
            None => Base::Image(base.text),
        },
        needs: BTreeSet::new(),
        images: BTreeSet::new(),
    };
    if let Base::Stage(earlier) = stage.base {
        stage.needs.insert(earlier);
    }
    for positioned in &text.instructions {
        let froms: Vec<&String> = match &positioned.instruction {
            Instruction::Copy(transfer) => transfer.from.iter().collect(),
            Instruction::Run(run) => run
                .mounts
                .iter()
                .filter_map(|mount| mount.from.as_ref())
                .collect(),
            _ => continue,
        };
        for from in froms {
            let place = Problem::at(positioned.lines.0, "").pointing(&file.text, positioned.lines, from);
            match origin(file, number, from) {
                Ok(From::Stage(other)) => drop(stage.needs.insert(other)),
                Ok(From::Image(image)) => drop(stage.images.insert(image)),
                Err((message, hint)) => {
                    return Err(Problem {
                        message,
                        hint,
                        ..place
                    });
                }
            }
        }
    }
    Ok(stage)
}

/// What `--from` names, seen from a stage.
pub(crate) fn origin(file: &Dockerfile, here: usize, from: &str) -> Result<From, (String, String)> {
    if let Some(number) = named(file, from) {
        return Ok(From::Stage(number));
    }
    match from.parse::<usize>() {
        Ok(number) if number < here => Ok(From::Stage(number)),
        Ok(_) => Err((
            format!("invalid from flag value {from}: it is not the number of an earlier stage"),
            format!("this is stage {here}; name the stage instead: FROM ... AS name"),
        )),
        Err(_) if from.is_empty() || from.contains('$') => Err((
            "'--from' doesn't support variable expansion".to_owned(),
            "define a new stage instead: FROM ${IMAGE} AS name".to_owned(),
        )),
        Err(_) => Ok(From::Image(from.to_owned())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

struct Walk<'a> {
    file: &'a Dockerfile,
    all: &'a [Result<Stage, Problem>],
    state: Vec<State>,
    path: Vec<usize>,
    order: Vec<usize>,
}

impl Walk<'_> {
    /// Depth is bounded by the number of stages.
    fn visit(&mut self, number: usize) -> Result<(), Problem> {
        match self.state[number] {
            State::Done => return Ok(()),
            State::Open => return Err(self.cycle(number)),
            State::New => {}
        }
        self.state[number] = State::Open;
        self.path.push(number);
        let stage = self.all[number].as_ref().map_err(Clone::clone)?;
        for need in &stage.needs {
            self.visit(*need)?;
        }
        self.path.pop();
        self.state[number] = State::Done;
        self.order.push(number);
        Ok(())
    }

    fn cycle(&self, number: usize) -> Problem {
        let name = |number: &usize| {
            self.file.stages[*number]
                .name
                .clone()
                .unwrap_or_else(|| number.to_string())
        };
        let from = self.path.iter().position(|one| *one == number).unwrap_or(0);
        let mut names: Vec<String> = self.path[from..].iter().map(name).collect();
        names.push(name(&number));
        let message = format!("circular dependency detected on stage: {}", name(&number));
        Problem::at(self.file.stages[number].lines.0, message).hint(format!(
            "{}: one of them must not take files of the next",
            names.join(" needs ")
        ))
    }
}

fn unused(file: &Dockerfile, request: &Request) -> BTreeSet<String> {
    let in_stages = file.stages.iter().flat_map(|stage| &stage.instructions);
    let declared: BTreeSet<&str> = in_stages
        .filter_map(|one| match &one.instruction {
            Instruction::Arg(arguments) => Some(arguments),
            _ => None,
        })
        .flatten()
        .chain(&file.arguments)
        .map(|argument| &*argument.name)
        .collect();
    let known = |name: &str| {
        declared.contains(name) || evaluate::PROXIES.contains(&name) || name == "SOURCE_DATE_EPOCH"
    };
    request
        .arguments
        .keys()
        .filter(|name| !known(name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruction::read;

    fn order(text: &str, target: Option<&str>) -> Result<Vec<String>, Problem> {
        let file = read(text).expect("it is well formed");
        let request = Request {
            target: target.map(str::to_owned),
            platform: Platform::own(),
            ..Request::default()
        };
        let graph = graph(file, request)?;
        Ok(graph
            .stages
            .iter()
            .map(|stage| graph.name(stage.number))
            .collect())
    }

    #[test]
    fn only_what_is_needed() {
        let text = "FROM x AS a\nFROM a AS b\nFROM y AS unneeded\nFROM scratch\nCOPY --from=b / /\nRUN --mount=from=late,target=/m true\nFROM z AS late\nFROM 3\n";
        assert_eq!(
            order(text, Some("3")),
            Ok(["a", "b", "late", "3"].map(str::to_owned).to_vec())
        );
        assert_eq!(order(text, Some("B")), Ok(["a", "b"].map(str::to_owned).to_vec()));
        assert_eq!(order(text, None), Ok(vec!["5".to_owned()]));
        let missing = order(text, Some("unneded")).expect_err("it is misspelt");
        assert_eq!(missing.hint, "did you mean unneeded?");
    }

    #[test]
    fn cycles_are_named() {
        let text = "FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n";
        let problem = order(text, None).expect_err("a circle");
        assert_eq!(problem.message, "circular dependency detected on stage: b");
        assert_eq!(
            problem.hint,
            "b needs a needs b: one of them must not take files of the next"
        );
        assert_eq!(problem.place.map(|place| place.line), Some(3));
        let own = order("FROM scratch AS a\nCOPY --from=a / /", None).expect_err("itself");
        assert_eq!(own.message, "circular dependency detected on stage: a");
    }

    #[test]
    fn bases() {
        let file =
            read("ARG V=1\nARG IMAGE=reg/img:$V\nFROM ${IMAGE} AS a\nFROM $NONE").expect("well formed");
        let mut request = Request {
            target: Some("a".to_owned()),
            platform: Platform::own(),
            ..Request::default()
        };
        request.arguments.insert("V".to_owned(), "2".to_owned());
        request.arguments.insert("OTHER".to_owned(), "2".to_owned());
        let found = graph(file.clone(), request.clone()).expect("a graph");
        assert_eq!(found.stages[0].base, Base::Image("reg/img:2".to_owned()));
        assert_eq!(found.unused, BTreeSet::from(["OTHER".to_owned()]));
        request.target = None;
        let blank = graph(file, request).expect_err("it has no name");
        assert_eq!(blank.message, "base name ($NONE) should not be blank");
        assert_eq!(blank.place.map(|place| place.to_string()).as_deref(), Some("4:6"));
    }
}
