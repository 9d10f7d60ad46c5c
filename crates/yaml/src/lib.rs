//! YAML as Kubernetes users meet it: one parser, two dialects, and the emitters of sigs.k8s.io/yaml and kyaml.
//!
//! - **What it is:** text to [`node::Node`] trees with positions and comments, trees to JSON values in a dialect, and
//!   back to text, byte for byte as helm and kustomize print it.
//! - **What it refuses to know:** Kubernetes, charts, files.

pub mod node;
