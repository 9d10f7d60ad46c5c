//! Why a patch is refused.

/// Why a patch is refused, by what the server answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// 400, reason BadRequest, with this text.
    #[error("{0}")]
    BadRequest(String),
    /// 413, reason RequestEntityTooLarge, with this text.
    #[error("{0}")]
    TooLarge(String),
    /// 422, reason Invalid. Upstream does not show this text: the message is "the server rejected our request due to an
    /// error in our request".
    #[error("{0}")]
    Unprocessable(String),
    /// 500 without a reason, with this text.
    #[error("{0}")]
    Failed(String),
}

/// The word of Go's JSON decoder for what a value is.
pub(super) fn json_kind(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
