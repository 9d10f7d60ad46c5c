//! Which YAML is meant.

/// How plain scalars resolve, and what mappings allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// YAML 1.1 as go-yaml v2 reads it, and so sigs.k8s.io/yaml and Helm: `yes` and `on` are true, `0777` is octal,
    /// a time stays a string, the last of two equal keys wins, a merge overrides the keys before it.
    GoYaml11,
    /// What go-yaml v3 makes of it, and so kustomize: `yes` is a string, `0777` is still octal, a time is rewritten as
    /// RFC 3339, two equal keys are an error, a merge overrides nothing.
    GoYaml3,
    /// The core schema of YAML 1.2, for `deploy.yaml` and workflow files: `yes`, `on` and times are strings, `0777` is
    /// decimal, two equal keys are an error, merges work.
    Core12,
}
