//! Where a resource comes from, for `buildMetadata: [originAnnotations, transformerAnnotations]`.

use deploy_yaml::emit_v3;

/// The origin of one resource, or of one transformation of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Origin {
    /// Relative to the folder that is built.
    pub(super) path: String,
    pub(super) configured_in: String,
    pub(super) configured_by: Option<ConfiguredBy>,
}

/// The generator or transformer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ConfiguredBy {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

impl Origin {
    /// The origin of what `path`, named here, holds.
    pub(super) fn append(&self, path: &str) -> Origin {
        Origin {
            path: super::loader::join_relative(&self.path, path),
            ..self.clone()
        }
    }

    /// As the value of the annotation.
    pub(super) fn to_text(&self) -> String {
        let mut text = self.lines().join("\n");
        text.push('\n');
        text
    }

    /// Several, as the value of the transformers' annotation.
    pub(super) fn list_to_text(list: &[Origin]) -> String {
        let mut text = String::new();
        for origin in list {
            for (index, line) in origin.lines().into_iter().enumerate() {
                text.push_str(if index == 0 { "- " } else { "  " });
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    fn lines(&self) -> Vec<String> {
        let line = |key: &str, value: &str| {
            (!value.is_empty()).then(|| format!("{key}: {}", emit_v3(&value.into(), 2).trim_end()))
        };
        let mut lines: Vec<String> = [
            line("path", &self.path),
            line("configuredIn", &self.configured_in),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(by) = &self.configured_by {
            lines.push("configuredBy:".to_owned());
            let nested = [
                line("  apiVersion", &by.api_version),
                line("  kind", &by.kind),
                line("  name", &by.name),
                line("  namespace", &by.namespace),
            ];
            lines.extend(nested.into_iter().flatten());
        }
        lines
    }
}
