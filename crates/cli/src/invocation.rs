use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

/// All that a command may know of the process that it runs in, so that a test can run it in its own.
pub struct Invocation {
    /// The arguments after the program's name.
    pub args: Vec<OsString>,
    /// The folder that relative paths start from; absolute.
    pub cwd: PathBuf,
    /// The environment. Variables that are not Unicode are left out.
    pub env: BTreeMap<String, String>,
    /// Which streams are terminals.
    pub terminal: Terminal,
    /// Standard input.
    pub stdin: Box<dyn Read + Send>,
}

/// Which streams are terminals: colour and progress are for terminals only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Terminal {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}
