//! What a kustomization has gathered so far: resources, the tables of fields, variables.

use std::rc::Rc;

use super::config::{self, Config, Tables};
use super::error::{Context, Result};
use super::resources::Resources;
use super::vars::Vars;

/// One accumulation.
#[derive(Default)]
pub(super) struct Accumulator {
    pub(super) resources: Resources,
    /// None as long as nothing has been merged.
    config: Option<Rc<Tables>>,
    pub(super) vars: Vars,
}

impl Accumulator {
    pub(super) fn merge_config(&mut self, config: &Rc<Tables>) -> Result<()> {
        self.config = Some(config::merge(self.config.as_ref(), config)?);
        Ok(())
    }

    /// The tables of now.
    pub(super) fn config(&self) -> Rc<Tables> {
        let none = || Rc::new(Tables::from(Config::default()));
        self.config.clone().unwrap_or_else(none)
    }

    /// Takes in what a folder below has gathered.
    pub(super) fn merge(&mut self, other: Accumulator) -> Result<()> {
        self.resources.append_all(other.resources.into_vec())?;
        if let Some(config) = &other.config {
            self.merge_config(config).context(|| "merging config")?;
        }
        self.vars.merge(other.vars)
    }
}
