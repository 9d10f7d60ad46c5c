//! The actions that are built in, with their inputs. Any other action is refused with a hint.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An action that is part of Deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Builtin {
    /// `actions/checkout`
    Checkout,
    /// `actions/cache`: restores, and saves in its post step.
    Cache,
    /// `actions/cache/restore`
    CacheRestore,
    /// `actions/cache/save`
    CacheSave,
    /// `actions/upload-artifact`
    UploadArtifact,
    /// `actions/download-artifact`
    DownloadArtifact,
    /// `docker/build-push-action`
    BuildPush,
    /// `docker/login-action`
    Login,
    /// `docker/setup-buildx-action`: nothing is to be set up, the builder is part of Deploy.
    SetupBuildx,
    /// `docker/metadata-action`
    Metadata,
}

/// One input of a builtin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinInput {
    /// Its name, in small letters.
    pub name: &'static str,
    /// What it is where `with` does not say; may hold an expression.
    pub default: &'static str,
    /// Whether `with` has to name it.
    pub required: bool,
}

impl Builtin {
    /// All of them.
    pub const ALL: &'static [Builtin] = &[
        Builtin::Checkout,
        Builtin::Cache,
        Builtin::CacheRestore,
        Builtin::CacheSave,
        Builtin::UploadArtifact,
        Builtin::DownloadArtifact,
        Builtin::BuildPush,
        Builtin::Login,
        Builtin::SetupBuildx,
        Builtin::Metadata,
    ];

    /// The name that `uses` has before `@`.
    pub fn action(self) -> &'static str {
        match self {
            Builtin::Checkout => "actions/checkout",
            Builtin::Cache => "actions/cache",
            Builtin::CacheRestore => "actions/cache/restore",
            Builtin::CacheSave => "actions/cache/save",
            Builtin::UploadArtifact => "actions/upload-artifact",
            Builtin::DownloadArtifact => "actions/download-artifact",
            Builtin::BuildPush => "docker/build-push-action",
            Builtin::Login => "docker/login-action",
            Builtin::SetupBuildx => "docker/setup-buildx-action",
            Builtin::Metadata => "docker/metadata-action",
        }
    }

    /// The builtin of this name; names of owners and actions ignore case.
    pub fn of_action(action: &str) -> Option<Builtin> {
        let found = Builtin::ALL
            .iter()
            .find(|b| b.action().eq_ignore_ascii_case(action));
        found.copied()
    }

    /// Whether it has something left to do at the end of the job.
    pub fn has_post(self) -> bool {
        matches!(self, Builtin::Cache | Builtin::Login)
    }

    /// Its inputs (each action's action.yml); others are warned of and passed on.
    pub fn inputs(self) -> &'static [BuiltinInput] {
        match self {
            Builtin::Checkout => CHECKOUT,
            Builtin::Cache => CACHE,
            Builtin::CacheRestore => CACHE_RESTORE,
            Builtin::CacheSave => CACHE_SAVE,
            Builtin::UploadArtifact => UPLOAD,
            Builtin::DownloadArtifact => DOWNLOAD,
            Builtin::BuildPush => BUILD_PUSH,
            Builtin::Login => LOGIN,
            Builtin::SetupBuildx => SETUP_BUILDX,
            Builtin::Metadata => METADATA,
        }
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action())
    }
}

const fn optional(name: &'static str, default: &'static str) -> BuiltinInput {
    BuiltinInput {
        name,
        default,
        required: false,
    }
}

const fn required(name: &'static str) -> BuiltinInput {
    BuiltinInput {
        name,
        default: "",
        required: true,
    }
}

const CHECKOUT: &[BuiltinInput] = &[
    optional("repository", "${{ github.repository }}"),
    optional("ref", ""),
    optional("token", ""),
    optional("path", "."),
    optional("clean", "true"),
    optional("fetch-depth", "1"),
    optional("fetch-tags", "false"),
    optional("lfs", "false"),
    optional("submodules", "false"),
    optional("sparse-checkout", ""),
    optional("sparse-checkout-cone-mode", "true"),
    optional("persist-credentials", "true"),
    optional("show-progress", "true"),
    optional("set-safe-directory", "true"),
    optional("filter", ""),
    optional("ssh-key", ""),
    optional("ssh-known-hosts", ""),
    optional("ssh-strict", "true"),
    optional("ssh-user", "git"),
    optional("github-server-url", ""),
];

const CACHE: &[BuiltinInput] = &[
    required("path"),
    required("key"),
    optional("restore-keys", ""),
    optional("upload-chunk-size", ""),
    optional("enableCrossOsArchive", "false"),
    optional("fail-on-cache-miss", "false"),
    optional("lookup-only", "false"),
    optional("save-always", "false"),
];

const CACHE_RESTORE: &[BuiltinInput] = &[
    required("path"),
    required("key"),
    optional("restore-keys", ""),
    optional("enableCrossOsArchive", "false"),
    optional("fail-on-cache-miss", "false"),
    optional("lookup-only", "false"),
];

const CACHE_SAVE: &[BuiltinInput] = &[
    required("path"),
    required("key"),
    optional("upload-chunk-size", ""),
    optional("enableCrossOsArchive", "false"),
];

const UPLOAD: &[BuiltinInput] = &[
    optional("name", "artifact"),
    required("path"),
    optional("if-no-files-found", "warn"),
    optional("retention-days", "0"),
    optional("compression-level", "6"),
    optional("overwrite", "false"),
    optional("include-hidden-files", "false"),
];

const DOWNLOAD: &[BuiltinInput] = &[
    optional("name", ""),
    optional("artifact-ids", ""),
    optional("path", ""),
    optional("pattern", ""),
    optional("merge-multiple", "false"),
    optional("github-token", ""),
    optional("repository", "${{ github.repository }}"),
    optional("run-id", "${{ github.run_id }}"),
];

const BUILD_PUSH: &[BuiltinInput] = &[
    optional("add-hosts", ""),
    optional("allow", ""),
    optional("annotations", ""),
    optional("attests", ""),
    optional("build-args", ""),
    optional("build-contexts", ""),
    optional("builder", ""),
    optional("cache-from", ""),
    optional("cache-to", ""),
    optional("call", ""),
    optional("cgroup-parent", ""),
    optional("context", "."),
    optional("file", ""),
    optional("labels", ""),
    optional("load", "false"),
    optional("network", ""),
    optional("no-cache", "false"),
    optional("no-cache-filters", ""),
    optional("outputs", ""),
    optional("platforms", ""),
    optional("provenance", ""),
    optional("pull", "false"),
    optional("push", "false"),
    optional("sbom", ""),
    optional("secrets", ""),
    optional("secret-envs", ""),
    optional("secret-files", ""),
    optional("shm-size", ""),
    optional("ssh", ""),
    optional("tags", ""),
    optional("target", ""),
    optional("ulimit", ""),
    optional("github-token", ""),
];

const LOGIN: &[BuiltinInput] = &[
    optional("registry", ""),
    optional("username", ""),
    optional("password", ""),
    optional("ecr", "auto"),
    optional("logout", "true"),
];

const SETUP_BUILDX: &[BuiltinInput] = &[
    optional("version", ""),
    optional("driver", ""),
    optional("driver-opts", ""),
    optional("buildkitd-flags", ""),
    optional("buildkitd-config", ""),
    optional("buildkitd-config-inline", ""),
    optional("install", "false"),
    optional("use", "true"),
    optional("endpoint", ""),
    optional("platforms", ""),
    optional("append", ""),
    optional("cleanup", "true"),
];

const METADATA: &[BuiltinInput] = &[
    optional("context", "workflow"),
    optional("images", ""),
    optional("tags", ""),
    optional("flavor", ""),
    optional("labels", ""),
    optional("annotations", ""),
    optional("sep-tags", "\n"),
    optional("sep-labels", "\n"),
    optional("sep-annotations", "\n"),
    optional("bake-target", "docker-metadata-action"),
    optional("github-token", ""),
];
