//! The external cases of workflow files and expressions, and the laws of a run.

mod expressions;
mod machine;
mod reader;
mod schemastore;
