//! One binary for the integration tests of the node.

mod images;
mod volumes;
