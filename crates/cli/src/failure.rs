use std::io;

use deploy_model::{Code, Diagnostic, Exit};
use deploy_render::source::SourceError;

use crate::Context;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Something that the catalogue explains: it is printed with code, place, cause and hint.
    Explained(Box<Diagnostic>, Exit),
    /// The words of the program whose command this is (`Error: ...` of helm), printed as they are on stderr.
    Words(String, Exit),
    /// Everything was said already.
    Said(Exit),
    /// The output could not be written. A closed pipe is no failure: whoever read it had enough.
    Output(io::Error),
}

impl Failure {
    /// A failure with the exit code that its message implies.
    pub fn explained(diagnostic: Diagnostic) -> Failure {
        let exit = match diagnostic.code {
            Code::UsageInvalid | Code::ConfigInvalid => Exit::Usage,
            Code::HelmChartMissing | Code::RenderEmpty => Exit::NotFound,
            _ => Exit::Failed,
        };
        Failure::Explained(Box::new(diagnostic), exit)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Failure::explained(diagnostic)
    }
}

impl From<io::Error> for Failure {
    /// Only the printer returns raw I/O errors; what reads files names the file.
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// A file or folder that a renderer could not read.
pub fn unreadable(context: &Context, error: &SourceError) -> Failure {
    let (path, cause, exit) = match error {
        SourceError::NotFound { path } => (path, "no such file or directory", Exit::NotFound),
        SourceError::Unreadable { path, cause } => (path, cause.as_str(), Exit::Failed),
    };
    let diagnostic = Diagnostic::new(Code::FileUnreadable)
        .because(cause)
        .with("path", context.shown(path));
    Failure::Explained(Box::new(diagnostic), exit)
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;
