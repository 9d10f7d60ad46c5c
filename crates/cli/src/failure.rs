use std::io;

use deploy_model::{Code, Diagnostic, Exit};

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
            Code::HelmChartMissing => Exit::NotFound,
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

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;
