//! What templates see of a version: `(semver "1.2.3").Major`, methods that compare and raise.

use std::any::Any;
use std::rc::Rc;

use super::version::{Version, VersionError, valid_metadata, valid_prerelease};
use crate::func::{FuncError, FuncResult, Host};
use crate::value::{Object, UintType, Value};

impl Object for Version {
    fn type_name(&self) -> &str {
        "*semver.Version"
    }

    fn display(&self) -> String {
        self.to_string()
    }

    fn call(&self, name: &str, args: &[Value], _: &mut dyn Host) -> Option<FuncResult> {
        let number = |n| Ok(Value::Uint(n, UintType::Uint64));
        Some(match name {
            "Major" => number(self.major),
            "Minor" => number(self.minor),
            "Patch" => number(self.patch),
            "Prerelease" => Ok(Value::str(self.prerelease.as_str())),
            "Metadata" => Ok(Value::str(self.metadata.as_str())),
            "Original" => Ok(Value::str(self.original.as_str())),
            "String" => Ok(Value::str(self.to_string())),
            "Compare" => self.against(args, |order| Value::int(order as i64)),
            "Equal" => self.against(args, |order| Value::Bool(order.is_eq())),
            "LessThan" => self.against(args, |order| Value::Bool(order.is_lt())),
            "LessThanEqual" => self.against(args, |order| Value::Bool(order.is_le())),
            "GreaterThan" => self.against(args, |order| Value::Bool(order.is_gt())),
            "GreaterThanEqual" => self.against(args, |order| Value::Bool(order.is_ge())),
            "IncPatch" => self.raised("patch", |v| {
                if v.prerelease.is_empty() {
                    v.patch = v.patch.checked_add(1)?;
                }
                Some(())
            }),
            "IncMinor" => self.raised("minor", |v| {
                (v.minor, v.patch) = (v.minor.checked_add(1)?, 0);
                Some(())
            }),
            "IncMajor" => self.raised("major", |v| {
                (v.major, v.minor, v.patch) = (v.major.checked_add(1)?, 0, 0);
                Some(())
            }),
            "SetPrerelease" => self.with_text(args, valid_prerelease, |v, text| v.prerelease = text),
            "SetMetadata" => self.with_text(args, valid_metadata, |v, text| v.metadata = text),
            _ => return None,
        })
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::String(self.to_string())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The version that an argument holds.
fn version_of(value: Option<&Value>) -> Option<Version> {
    match value {
        Some(Value::Object(object)) => object.as_any().downcast_ref::<Version>().cloned(),
        _ => None,
    }
}

impl Version {
    fn against(&self, args: &[Value], answer: impl FnOnce(std::cmp::Ordering) -> Value) -> FuncResult {
        match version_of(args.first()) {
            Some(other) => Ok(answer(self.cmp(&other))),
            None => Err(FuncError::new("a *semver.Version is needed to compare with")),
        }
    }

    fn raised(&self, what: &str, raise: impl FnOnce(&mut Version) -> Option<()>) -> FuncResult {
        match self.next(raise) {
            Some(next) => Ok(Value::Object(Rc::new(next))),
            None => Err(FuncError::new(format!(
                "{what} version increment would overflow uint64"
            ))),
        }
    }

    fn with_text(
        &self,
        args: &[Value],
        valid: fn(&str) -> Result<(), VersionError>,
        put: impl FnOnce(&mut Version, String),
    ) -> FuncResult {
        let text = match args.first() {
            Some(Value::Str(s)) => s.to_str().into_owned(),
            _ => String::new(),
        };
        if !text.is_empty() {
            valid(&text).map_err(|e| FuncError::new(e.to_string()))?;
        }
        let mut changed = self.clone();
        put(&mut changed, text);
        changed.rename();
        Ok(Value::Object(Rc::new(changed)))
    }
}
