//! What a chart may ask about the cluster and about helm: versions of Kubernetes and of its APIs.

use crate::helm::chart::Chart;
use crate::helm::chart::version;
use crate::helm::go::quote::quoted;

/// `.Capabilities`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The cluster's version.
    pub kube_version: KubeVersion,
    /// `group/version` and `group/version/Kind`, as `.APIVersions.Has` looks for them.
    pub api_versions: Vec<String>,
    /// The helm that this renderer is equal to.
    pub helm_version: HelmVersion,
}

/// `.Capabilities.KubeVersion`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As given, with a leading `v`: `v1.33.4-gke.1245000`. Also `GitVersion`.
    pub version: String,
    /// Only its numbers, with a leading `v`: what constraints are checked against.
    pub normalized: String,
    /// The first number.
    pub major: String,
    /// The second number.
    pub minor: String,
}

/// `.Capabilities.HelmVersion`
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct HelmVersion {
    pub version: &'static str,
    pub git_commit: &'static str,
    pub git_tree_state: &'static str,
    pub go_version: &'static str,
    pub kube_client_version: &'static str,
}

/// Why a text is no version of Kubernetes. The texts are those of k8s.io/apimachinery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeVersionError {
    /// Not a number first.
    #[error("could not parse {} as version", quoted(text))]
    NoVersion {
        /// What was given.
        text: String,
    },
    /// One number only.
    #[error("illegal version string {}", quoted(text))]
    OneNumber {
        /// What was given.
        text: String,
    },
    /// The first number begins with a zero.
    #[error(
        "illegal zero-prefixed version component {} in {}",
        quoted(number),
        quoted(text)
    )]
    ZeroPrefix {
        /// The number.
        number: String,
        /// What was given.
        text: String,
    },
    /// A number beyond 64 bits.
    #[error(
        "illegal non-numeric version component {} in {}: strconv.ParseUint: parsing {}: value out of range",
        quoted(number),
        quoted(text),
        quoted(number)
    )]
    TooLarge {
        /// The number.
        number: String,
        /// What was given.
        text: String,
    },
}

/// A chart that does not want this Kubernetes. The text is helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chart requires kubeVersion: {constraint} which is incompatible with Kubernetes {version}")]
pub struct IncompatibleKubeVersion {
    /// What the chart asks for.
    pub constraint: String,
    /// What there is.
    pub version: String,
}

impl Default for Capabilities {
    /// What `helm template` 4.3 shows without a cluster.
    fn default() -> Capabilities {
        Capabilities {
            kube_version: KubeVersion::default(),
            api_versions: DEFAULT_API_VERSIONS.iter().map(|v| (*v).to_owned()).collect(),
            helm_version: HelmVersion::default(),
        }
    }
}

impl Capabilities {
    /// `.APIVersions.Has`
    pub fn has(&self, api_version: &str) -> bool {
        self.api_versions.iter().any(|v| v == api_version)
    }

    /// Whether the chart's `kubeVersion` allows this Kubernetes.
    pub fn check(&self, chart: &Chart) -> Result<(), IncompatibleKubeVersion> {
        let constraint = &chart.metadata.kube_version;
        if constraint.is_empty() || version::is_compatible(constraint, &self.kube_version.normalized) {
            return Ok(());
        }
        Err(IncompatibleKubeVersion {
            constraint: constraint.clone(),
            version: self.kube_version.version.clone(),
        })
    }
}

impl Default for KubeVersion {
    /// The Kubernetes whose client helm 4.3 is built with.
    fn default() -> KubeVersion {
        KubeVersion {
            version: "v1.37.0".to_owned(),
            normalized: "v1.37.0".to_owned(),
            major: "1".to_owned(),
            minor: "37".to_owned(),
        }
    }
}

impl KubeVersion {
    /// Reads what `--kube-version` was given.
    pub fn parse(text: &str) -> Result<KubeVersion, KubeVersionError> {
        let owned = || text.to_owned();
        let trimmed = text.trim_start_matches(['\t', '\n', '\u{0c}', '\r', ' ']);
        let (numbers, rest) = leading_numbers(trimmed.strip_prefix('v').unwrap_or(trimmed));
        if numbers.is_empty() || rest.contains('\n') {
            return Err(KubeVersionError::NoVersion { text: owned() });
        }
        let [major, minor, ..] = numbers[..] else {
            return Err(KubeVersionError::OneNumber { text: owned() });
        };
        if major.starts_with('0') && major != "0" {
            return Err(KubeVersionError::ZeroPrefix {
                number: major.to_owned(),
                text: owned(),
            });
        }
        let mut normalized = Vec::new();
        for number in &numbers {
            let parsed: u64 = number.parse().map_err(|_| KubeVersionError::TooLarge {
                number: (*number).to_owned(),
                text: owned(),
            })?;
            normalized.push(parsed.to_string());
        }
        let without_zeros = |number: &str| number.parse::<u64>().unwrap_or_default().to_string();
        Ok(KubeVersion {
            version: if text.starts_with('v') {
                owned()
            } else {
                format!("v{text}")
            },
            major: without_zeros(major),
            minor: without_zeros(minor),
            normalized: format!("v{}", normalized.join(".")),
        })
    }
}

impl Default for HelmVersion {
    fn default() -> HelmVersion {
        HelmVersion {
            version: "v4.3",
            git_commit: "",
            git_tree_state: "",
            go_version: "go1.26.8",
            kube_client_version: "v1.37",
        }
    }
}

/// The dotted numbers at the start, and what follows them.
fn leading_numbers(text: &str) -> (Vec<&str>, &str) {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let after_dot = if numbers.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('.')
        };
        let Some(digits) = after_dot else { break };
        let end = digits.bytes().take_while(u8::is_ascii_digit).count();
        if end == 0 {
            break;
        }
        numbers.push(&digits[..end]);
        rest = &digits[end..];
    }
    (numbers, rest)
}

/// The APIs that helm 4.3's Kubernetes client knows, in its order.
const DEFAULT_API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_versions_are_read_as_kubernetes_does() {
        for (text, version, normalized) in [
            ("1.29", "v1.29", "v1.29"),
            ("v1.30.2", "v1.30.2", "v1.30.2"),
            ("1.31.4-gke.100+abc", "v1.31.4-gke.100+abc", "v1.31.4"),
            ("1.29.x", "v1.29.x", "v1.29"),
            ("1.2.3.4", "v1.2.3.4", "v1.2.3.4"),
            (" 1.3 ", "v 1.3 ", "v1.3"),
            ("1.02.3", "v1.02.3", "v1.2.3"),
            ("1.2.", "v1.2.", "v1.2"),
        ] {
            let parsed = KubeVersion::parse(text).expect(text);
            assert_eq!(
                (parsed.version.as_str(), parsed.normalized.as_str()),
                (version, normalized)
            );
        }
    }

    #[test]
    fn what_is_no_version() {
        for (text, error) in [
            ("x", "could not parse \"x\" as version"),
            ("vv1.2", "could not parse \"vv1.2\" as version"),
            ("v 1.2", "could not parse \"v 1.2\" as version"),
            ("1", "illegal version string \"1\""),
            (
                "01.2",
                "illegal zero-prefixed version component \"01\" in \"01.2\"",
            ),
            (
                "99999999999999999999.1",
                "illegal non-numeric version component \"99999999999999999999\" in \"99999999999999999999.1\": \
                 strconv.ParseUint: parsing \"99999999999999999999\": value out of range",
            ),
        ] {
            assert_eq!(KubeVersion::parse(text).expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn a_chart_can_refuse_a_kubernetes() {
        let mut chart = Chart::default();
        let capabilities = Capabilities::default();
        assert!(capabilities.has("apps/v1") && !capabilities.has("apps/v9"));
        for (constraint, fits) in [
            ("", true),
            (">=1.30", true),
            (">=1.40", false),
            ("nonsense", false),
        ] {
            constraint.clone_into(&mut chart.metadata.kube_version);
            assert_eq!(capabilities.check(&chart).is_ok(), fits, "{constraint}");
        }
        assert_eq!(
            capabilities.check(&chart).expect_err("nonsense").to_string(),
            "chart requires kubeVersion: nonsense which is incompatible with Kubernetes v1.37.0"
        );
    }
}
