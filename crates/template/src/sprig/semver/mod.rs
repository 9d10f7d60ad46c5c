//! Semantic versions and constraints with the rules of github.com/Masterminds/semver v3, which Helm uses for chart
//! versions, dependencies, `kubeVersion` and `semverCompare`.

mod constraint;
mod object;
mod version;

pub use constraint::{Constraint, ConstraintError};
pub use version::{Version, VersionError};

use std::rc::Rc;

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::text;
use crate::value::Value;

fn parse_version(args: &[Value], position: usize) -> Result<Version, FuncError> {
    Version::parse_bytes(text(args, position)).map_err(|e| FuncError::new(e.to_string()))
}

pub(super) fn semver(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Object(Rc::new(parse_version(args, 0)?)))
}

/// `semverCompare CONSTRAINT VERSION`
pub(super) fn semver_compare(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let constraint = String::from_utf8_lossy(text(args, 0));
    let constraint = Constraint::parse(&constraint).map_err(|e| FuncError::new(e.to_string()))?;
    Ok(Value::Bool(constraint.check(&parse_version(args, 1)?)))
}
