//! What the author of a projection needs of SQLite, so that no other crate has to open or import it.

pub use rusqlite::types::{FromSql, ToSql, Value};
pub use rusqlite::{Error, OptionalExtension, Params, Row, ToSql as IntoSql, params, params_from_iter};
