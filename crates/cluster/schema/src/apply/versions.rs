//! What an updater must know about the versions of a kind.

use serde_json::Value;

use crate::merge::Shape;

/// The versions of one kind.
pub trait Versions {
    /// The shape of objects in `api_version`; none where the version is not served (any more), whose managers are then
    /// forgotten.
    fn shape(&self, api_version: &str) -> Option<Shape<'_>>;

    /// An object of version `from` in version `to`. Only asked for two served versions that differ.
    fn convert(&self, object: &Value, from: &str, to: &str) -> Result<Value, String>;
}

/// A kind with a single version.
#[derive(Clone, Copy, Debug)]
pub struct OneVersion<'s> {
    /// The version.
    pub api_version: &'s str,
    /// The shape of its objects.
    pub shape: Shape<'s>,
}

impl Versions for OneVersion<'_> {
    fn shape(&self, api_version: &str) -> Option<Shape<'_>> {
        (api_version == self.api_version).then_some(self.shape)
    }

    fn convert(&self, _: &Value, from: &str, to: &str) -> Result<Value, String> {
        Err(format!("cannot convert from {from} to {to}"))
    }
}
