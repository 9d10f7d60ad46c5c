//! Which helm to be equal to, where 3 and 4 differ.

/// A major version of helm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Helm 3.19: a null among a chart's own values stays, and a user's null removes the key wherever it stands.
    V3,
    /// Helm 4.3: a null among a chart's own values counts as absent, and a user's null stays where the chart has nothing
    /// to remove.
    #[default]
    V4,
}
