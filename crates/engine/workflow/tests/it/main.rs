//! The external cases of workflow files and expressions, and the laws of a run.

mod expressions;
mod reader;
mod schemastore;
