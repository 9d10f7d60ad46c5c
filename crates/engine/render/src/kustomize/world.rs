//! What a whole build shares: where it reads from, the schema, and what it has read, warned of and counted so far.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::BuildOptions;
use super::config::Tables;
use super::error::{Error, ErrorKind, Result};
use super::limits::{MAX_READ_BYTES, MAX_RESOURCES, MAX_VISITED_FOLDERS};
use super::resid::Gvk;
use super::schema::{Schema, Scope};
use crate::inputs::{InputKind, Inputs};
use crate::source::Source;

/// The surroundings of one build.
pub(super) struct World<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) options: &'a BuildOptions,
    inputs: RefCell<Inputs>,
    warnings: RefCell<Vec<String>>,
    /// Set once, by the first kustomization file that has `openapi`.
    schema: OnceCell<Schema>,
    built_in: Schema,
    /// Whether the built-in types have been asked before another schema was chosen.
    built_in_used: Cell<bool>,
    config: Rc<Tables>,
    visited: Cell<usize>,
    resources: Cell<usize>,
    bytes: Cell<usize>,
}

impl<'a> World<'a> {
    pub(super) fn new(source: &'a dyn Source, options: &'a BuildOptions) -> World<'a> {
        World {
            source,
            options,
            inputs: RefCell::default(),
            warnings: RefCell::default(),
            schema: OnceCell::new(),
            built_in: Schema::built_in(),
            built_in_used: Cell::new(false),
            config: Rc::new(Tables::built_in()),
            visited: Cell::new(0),
            resources: Cell::new(0),
            bytes: Cell::new(0),
        }
    }

    pub(super) fn finish(self) -> (Inputs, Vec<String>) {
        (self.inputs.into_inner(), self.warnings.into_inner())
    }

    pub(super) fn schema(&self) -> &Schema {
        self.schema.get().unwrap_or_else(|| {
            self.built_in_used.set(true);
            &self.built_in
        })
    }

    /// Whether a schema has been chosen; what later files say about it counts no more.
    pub(super) fn has_schema(&self) -> bool {
        self.schema.get().is_some()
    }

    pub(super) fn choose_schema(&self, schema: Schema) {
        let schema = if self.built_in_used.get() {
            schema.beside_built_in()
        } else {
            schema
        };
        // A second choice is ignored, as kustomize does; callers ask before.
        let _ = self.schema.set(schema);
    }

    /// The tables that are built in, made once at most.
    pub(super) fn built_in_config(&self) -> Rc<Tables> {
        Rc::clone(&self.config)
    }

    pub(super) fn is_cluster_scoped(&self, gvk: &Gvk) -> bool {
        let schema = self.schema.get().unwrap_or(&self.built_in);
        let scope = schema.scope(&gvk.api_version(), &gvk.kind);
        if scope.is_none() && self.schema.get().is_none() {
            // kustomize looks at its types now, and they stay even if a document is chosen later.
            self.built_in_used.set(true);
        }
        scope == Some(Scope::Cluster)
    }

    pub(super) fn warn(&self, warning: String) {
        self.warnings.borrow_mut().push(warning);
    }

    pub(super) fn record_file(&self, path: &str, content: &[u8]) -> Result<()> {
        let bytes = self.bytes.get().saturating_add(content.len());
        self.bytes.set(bytes);
        if bytes > MAX_READ_BYTES {
            return Err(too_large(format!(
                "more than {MAX_READ_BYTES} bytes in the files"
            )));
        }
        let hash = Sha256::digest(content).into();
        self.inputs.borrow_mut().record(InputKind::File, path, hash);
        Ok(())
    }

    /// Notes which of the names of a kustomization file a folder has.
    pub(super) fn record_folder(&self, path: &str, names: &[&str]) {
        let hash = Sha256::digest(names.join("\n")).into();
        self.inputs.borrow_mut().record(InputKind::Folder, path, hash);
    }

    pub(super) fn count_folder(&self) -> Result<()> {
        self.visited.set(self.visited.get() + 1);
        if self.visited.get() > MAX_VISITED_FOLDERS {
            return Err(too_large(format!(
                "more than {MAX_VISITED_FOLDERS} visits of folders"
            )));
        }
        Ok(())
    }

    pub(super) fn count_resources(&self, more: usize) -> Result<()> {
        self.resources.set(self.resources.get() + more);
        if self.resources.get() > MAX_RESOURCES {
            return Err(too_large(format!("more than {MAX_RESOURCES} resources")));
        }
        Ok(())
    }
}

fn too_large(what: String) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the build is too large: {what}"))
}
