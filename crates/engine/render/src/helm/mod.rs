//! Helm: a chart, values and facts to manifests, hooks and notes.

pub mod archive;
pub mod chart;
pub mod coalesce;
pub mod compat;
pub mod gofmt;
pub mod ignore;
pub mod quote;
pub mod strvals;
pub mod table;
