//! YAML as Kubernetes users meet it: one parser, three dialects, and the emitters of sigs.k8s.io/yaml and kyaml.
//!
//! - **What it is:** text to [`node::Node`] trees with positions and comments, trees to JSON values in a dialect, and
//!   back to text, byte for byte as helm and kustomize print it.
//! - **What it refuses to know:** Kubernetes, charts, files.
//! - **Entry points:** [`parse`], [`to_json`], [`node_to_json`]; [`emit_sigs`], [`emit_v3`], [`emit_kyaml`].
//! - **How to test it:** `cargo test -p deploy-yaml`. The cases in `fixtures/yaml` were printed by go-yaml.

mod compose;
mod decode;
mod dialect;
mod emit;
mod error;
mod limits;
pub mod node;
mod number;
mod read;
mod resolve;
mod scan;
mod simple;
mod stream;
mod tree;

pub use decode::{node_to_json, some_to_json, to_json, to_json_strict};
pub use dialect::Dialect;
pub use emit::{SequenceStyle, emit_kyaml, emit_kyaml_with, emit_sigs, emit_v3, try_emit_sigs};
pub use error::{Error, ErrorKind};
pub use limits::{MAX_DEPTH, MAX_SOURCE_BYTES};
pub use node::{Content, Node, Position, Style};
pub use stream::{json_to_node, parse};
