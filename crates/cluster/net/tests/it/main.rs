//! Tests with the real kernel, in network namespaces that they make. They need root and say so where it is missing.

mod dns;
mod machine;
mod pods;
mod serving;
mod services;
mod tables;
mod world;
