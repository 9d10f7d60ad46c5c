//! The node as people meet it: real containers, in a network namespace of the test's own.

mod machine;
mod pods;
mod restart;
mod streams;
