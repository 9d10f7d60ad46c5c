//! Helm: a chart, values and facts to manifests, hooks and notes.

pub mod chart;
