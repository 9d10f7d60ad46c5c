//! Helm: a chart, values and facts to manifests, hooks and notes.

pub mod archive;
pub mod chart;
pub mod coalesce;
pub mod compat;
mod duration;
mod encoding;
mod files;
mod functions;
mod glob;
pub mod gofmt;
pub mod head;
pub mod hooks;
pub mod ignore;
mod json;
pub mod quote;
pub mod schema;
pub mod sort;
pub mod strvals;
pub mod table;
mod toml;
pub mod values;
