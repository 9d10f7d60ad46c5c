//! From rendered files to single manifests: splitting, telling hooks apart, and the order of installation.

use std::collections::BTreeMap;

use super::head::{Head, HeadError};
use super::hooks::{self, Hook};
use crate::helm::compat::Compat;

/// One object of the rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The template that it came from, for example `shop/templates/service.yaml`.
    pub path: String,
    /// Its text, without the `---` line above it.
    pub content: String,
    /// What helm reads of it.
    pub head: Head,
}

/// Hooks and other manifests, each in the order of installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// Objects with the annotation `helm.sh/hook`.
    pub hooks: Vec<Hook>,
    /// All others.
    pub manifests: Vec<Manifest>,
}

/// A rendered document that is not an object in YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("YAML parse error on {path}: {cause}")]
pub struct SortError {
    /// The template that it came from.
    pub path: String,
    /// What is wrong with it.
    #[source]
    pub cause: HeadError,
    /// The hooks and manifests before it.
    pub before: Box<Sorted>,
}

/// The kinds that helm installs in this order; kinds that are not named come last, by name.
/// `pkg/release/v1/util/kind_sorter.go`; helm 3 does not know the last two.
pub const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Kinds at the end of [`INSTALL_ORDER`] that helm 3 sorts as unknown.
const NEW_IN_V4: usize = 2;

/// The order in which a version of helm installs.
pub fn install_order(compat: Compat) -> &'static [&'static str] {
    &INSTALL_ORDER[..match compat {
        Compat::V3 => INSTALL_ORDER.len() - NEW_IN_V4,
        Compat::V4 => INSTALL_ORDER.len(),
    }]
}

/// Splits rendered files into objects and sorts them: files by path, objects within a file as written, then, stably, by
/// kind as `order` says. Partials (`_x`) and files of white space are left out.
pub fn sort_manifests(
    files: &BTreeMap<String, String>,
    order: &[&str],
    compat: Compat,
) -> Result<Sorted, SortError> {
    let mut sorted = Sorted::default();
    for (path, text) in files {
        if base(path).starts_with('_') || text.trim().is_empty() {
            continue;
        }
        for document in split(text, compat) {
            let head = match Head::read(document.as_bytes(), compat) {
                Ok(head) => head,
                Err(cause) => {
                    return Err(SortError {
                        path: path.clone(),
                        cause,
                        before: Box::new(sorted),
                    });
                }
            };
            let Some(events) = head.annotation(hooks::EVENTS) else {
                sorted.manifests.push(Manifest {
                    path: path.clone(),
                    content: document.to_owned(),
                    head,
                });
                continue;
            };
            // A hook for an event that helm does not know is dropped, not installed.
            if let Some(events) = hooks::events(events) {
                sorted.hooks.push(Hook::new(path, document, &head, events));
            }
        }
    }
    sorted
        .hooks
        .sort_by(|a, b| rank(&a.kind, order).cmp(&rank(&b.kind, order)));
    sorted
        .manifests
        .sort_by(|a, b| rank(&a.head.kind, order).cmp(&rank(&b.head.kind, order)));
    Ok(sorted)
}

/// The documents of a text, split at lines that begin with `---` (what follows the dashes on that line stays), without
/// white space before them. Helm 3 also drops the white space behind them.
pub fn split(text: &str, compat: Compat) -> Vec<&str> {
    match compat {
        Compat::V4 => split_at_lines(text.trim_start()),
        Compat::V3 => split_with_blanks(text.trim()),
    }
}

fn split_at_lines(text: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut line = 0;
    loop {
        if text[line..].starts_with("---") {
            push_trimmed(&mut documents, &text[start..line]);
            let after = &text[line + 3..];
            start = text.len() - after.trim_start_matches([' ', '\t']).len();
        }
        match text[line.max(start)..].find('\n') {
            Some(at) => line = line.max(start) + at + 1,
            None => break,
        }
    }
    push_trimmed(&mut documents, &text[start..]);
    documents
}

fn push_trimmed<'a>(documents: &mut Vec<&'a str>, piece: &'a str) {
    let piece = piece.trim_start();
    if !piece.is_empty() {
        documents.push(piece);
    }
}

/// Helm 3's separator swallows blanks on both sides, so a `---` right behind another one is text.
fn split_with_blanks(text: &str) -> Vec<&str> {
    const BLANK: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];
    let after_separator = |at: usize| text.len() - text[at + 3..].trim_start_matches(BLANK).len();
    let mut documents = Vec::new();
    let mut start = if text.starts_with("---") {
        after_separator(0)
    } else {
        0
    };
    let mut from = start;
    while let Some(at) = text[from..].find("\n---") {
        push_trimmed(&mut documents, text[start..from + at].trim_end());
        start = after_separator(from + at + 1);
        from = start;
    }
    push_trimmed(&mut documents, text[start..].trim_end());
    documents
}

/// Where a kind stands: known kinds by their place, then unknown ones by name.
fn rank<'a>(kind: &'a str, order: &[&str]) -> (usize, &'a str) {
    match order.iter().position(|known| *known == kind) {
        Some(place) => (place, ""),
        None => (order.len(), kind),
    }
}

/// The last part of a path.
pub(crate) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_each_helm_does() {
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("a: 1\n---\nb: 2\n", &["a: 1\n", "b: 2\n"], &["a: 1", "b: 2"]),
            (
                "---\na: 1\n\n---\n\nb: 2\n\n",
                &["a: 1\n\n", "b: 2\n\n"],
                &["a: 1", "b: 2"],
            ),
            ("---a: 1\n---b: 2", &["a: 1\n", "b: 2"], &["a: 1", "b: 2"]),
            ("--- # note\na: 1\n", &["# note\na: 1\n"], &["# note\na: 1"]),
            (
                "a: |\n  x\n  ---\n  y\n",
                &["a: |\n  x\n  ---\n  y\n"],
                &["a: |\n  x\n  ---\n  y"],
            ),
            ("---\n---\na: 1\n", &["a: 1\n"], &["---\na: 1"]),
            ("\n\n  \n---\n", &[], &[]),
            ("------\na: 1", &["---\na: 1"], &["---\na: 1"]),
        ];
        for (text, v4, v3) in cases {
            assert_eq!(split(text, Compat::V4), v4, "{text:?} in v4");
            assert_eq!(split(text, Compat::V3), v3, "{text:?} in v3");
        }
    }

    #[test]
    fn unknown_kinds_come_last_by_name() {
        let order = &INSTALL_ORDER[..];
        let mut kinds = ["Zebra", "Pod", "Ant", "PriorityClass", "Service", ""];
        kinds.sort_by_key(|kind| rank(kind, order));
        assert_eq!(kinds, ["PriorityClass", "Service", "Pod", "", "Ant", "Zebra"]);
    }
}
