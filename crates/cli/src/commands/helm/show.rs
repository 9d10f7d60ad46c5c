//! `deploy helm show`

use deploy_model::{Code, Diagnostic, Exit};
use deploy_render::helm::compat::Compat;
use deploy_render::helm::show::{self, Part};

use super::flags::{CHART, Flag, GLOBAL, Line, Tables, text};
use super::{charts, failed};
use crate::{Context, Outcome};

pub const FLAGS: Tables = &[GLOBAL, CHART];
pub const VALUES_FLAGS: Tables = &[GLOBAL, CHART, OF_VALUES];

const OF_VALUES: &[Flag] = &[text("jsonpath")];

pub fn all(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    show(context, line, compat, Part::All)
}

pub fn chart(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    show(context, line, compat, Part::Chart)
}

pub fn values(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    show(context, line, compat, Part::Values)
}

pub fn readme(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    show(context, line, compat, Part::Readme)
}

pub fn crds(context: &mut Context, line: &Line, compat: Compat) -> Outcome {
    show(context, line, compat, Part::Crds)
}

fn show(context: &mut Context, line: &Line, compat: Compat, part: Part) -> Outcome {
    let name = line.arguments.first().map_or("", String::as_str);
    let path = charts::locate(context, line, name)?;
    let chart = charts::load_to_show(context, &path, compat)?;
    match show::show(&chart, part, line.text("jsonpath"), compat) {
        Ok(text) => {
            context.printer.data(text)?;
            Ok(Exit::Done)
        }
        Err(error) => {
            let diagnostic = Diagnostic::new(Code::UsageInvalid).with("command", "deploy helm show values");
            failed(context, &error.to_string(), diagnostic)
        }
    }
}
