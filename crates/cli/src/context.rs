use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use deploy_model::Lang;

use crate::invocation::Terminal;
use crate::{DiskSource, Printer, Settings, SystemHost, path};

/// What a command gets beside its arguments.
pub struct Context<'a> {
    /// The reader's language.
    pub lang: Lang,
    /// The only way out.
    pub printer: Printer<'a>,
    /// The folder that relative paths start from; absolute.
    pub cwd: &'a Path,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// Which streams are terminals.
    pub terminal: Terminal,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Flags, environment, file and defaults, merged.
    pub settings: Settings,
}

impl<'a> Context<'a> {
    /// The file system, for engines.
    pub fn source(&self) -> DiskSource {
        DiskSource
    }

    /// The clock, randomness and environment, for templates.
    pub fn host(&self) -> SystemHost<'a> {
        SystemHost::new(self.env)
    }

    /// A path that the user gave, as sources want it: absolute and clean.
    pub fn absolute(&self, given: &str) -> String {
        path::absolute(self.cwd, given)
    }

    /// An absolute path as the user would write it.
    pub fn shown(&self, absolute: &str) -> String {
        path::shown(self.cwd, absolute)
    }
}
