//! What annotations say about when an object is written: Argo CD's and Helm's.

use serde_json::Value;

const HOOK: &str = "argocd.argoproj.io/hook";
const HOOK_DELETE: &str = "argocd.argoproj.io/hook-delete-policy";
const WAVE: &str = "argocd.argoproj.io/sync-wave";
const OPTIONS: &str = "argocd.argoproj.io/sync-options";
const HELM_HOOK: &str = "helm.sh/hook";
const HELM_DELETE: &str = "helm.sh/hook-delete-policy";
const HELM_WEIGHT: &str = "helm.sh/hook-weight";
/// Helm keeps what says so when a release goes, or when the object is no longer in the chart.
const HELM_KEEP: &str = "helm.sh/resource-policy";

/// The phases of a sync, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before anything of the app is written: a migration of a database.
    PreSync,
    /// The app itself.
    Sync,
    /// Once all of it is healthy: a smoke test.
    PostSync,
    /// Only after a failure.
    SyncFail,
}

/// What an object is to a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A part of the app.
    Member,
    /// Written in these phases, runs to its end, is no part of the app.
    Hook(Vec<Phase>),
    /// Written at other times than a sync (a test of Helm, a hook of deletion), or never.
    Elsewhere,
}

/// When a hook is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Deletion {
    /// Before it is written anew; so it is when nothing is said.
    pub before: bool,
    /// Once it has succeeded.
    pub succeeded: bool,
    /// Once it has failed.
    pub failed: bool,
}

/// What the annotations of an object say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What it is to a sync.
    pub role: Role,
    /// Lower ones come first; 0 where nothing is said.
    pub wave: i64,
    /// Of a hook: when it goes.
    pub deletion: Deletion,
    /// Stays when it is no longer wanted.
    pub keep: bool,
    /// Deleted and made anew where an update is refused.
    pub replace: bool,
}

/// The schedule of an object.
pub fn schedule(object: &Value) -> Schedule {
    let annotation = |name: &str| object["metadata"]["annotations"][name].as_str();
    let options: Vec<&str> = words(annotation(OPTIONS).unwrap_or_default()).collect();
    let (role, weight) = match annotation(HOOK) {
        Some(text) => (argo_role(text), None),
        None => match annotation(HELM_HOOK) {
            Some(text) => (helm_role(text), annotation(HELM_WEIGHT)),
            None => (Role::Member, None),
        },
    };
    let wave = annotation(WAVE)
        .or(weight)
        .and_then(|text| text.trim().parse().ok());
    Schedule {
        role,
        wave: wave.unwrap_or(0),
        deletion: deletion(annotation(HOOK_DELETE), annotation(HELM_DELETE)),
        keep: options.contains(&"Prune=false")
            || annotation(HELM_KEEP).is_some_and(|text| text.trim() == "keep"),
        replace: options.contains(&"Replace=true") || options.contains(&"Force=true"),
    }
}

fn argo_role(text: &str) -> Role {
    let mut phases = Vec::new();
    for word in words(text) {
        match word {
            "PreSync" => phases.push(Phase::PreSync),
            "Sync" => phases.push(Phase::Sync),
            "PostSync" => phases.push(Phase::PostSync),
            "SyncFail" => phases.push(Phase::SyncFail),
            _ => {}
        }
    }
    hook_or_elsewhere(phases)
}

fn helm_role(text: &str) -> Role {
    let mut phases = Vec::new();
    for word in words(text) {
        match word {
            "pre-install" | "pre-upgrade" => phases.push(Phase::PreSync),
            "post-install" | "post-upgrade" => phases.push(Phase::PostSync),
            // Helm 2's way to say that definitions come first, which they do anyway.
            "crd-install" => return Role::Member,
            _ => {}
        }
    }
    hook_or_elsewhere(phases)
}

fn hook_or_elsewhere(mut phases: Vec<Phase>) -> Role {
    phases.sort();
    phases.dedup();
    if phases.is_empty() {
        Role::Elsewhere
    } else {
        Role::Hook(phases)
    }
}

fn deletion(argo: Option<&str>, helm: Option<&str>) -> Deletion {
    let text = argo.or(helm).unwrap_or_default();
    let mut deletion = Deletion::default();
    for word in words(text) {
        match word {
            "BeforeHookCreation" | "before-hook-creation" => deletion.before = true,
            "HookSucceeded" | "hook-succeeded" => deletion.succeeded = true,
            "HookFailed" | "hook-failed" => deletion.failed = true,
            _ => {}
        }
    }
    if deletion == Deletion::default() {
        deletion.before = true;
    }
    deletion
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(annotations: &[(&str, &str)]) -> Schedule {
        let mut object = json!({"metadata": {"annotations": {}}});
        for (name, value) in annotations {
            object["metadata"]["annotations"][*name] = json!(value);
        }
        schedule(&object)
    }

    #[test]
    fn an_object_without_annotations_is_a_member_of_wave_0() {
        let plain = of(&[]);
        assert_eq!((&plain.role, plain.wave, plain.keep), (&Role::Member, 0, false));
    }

    #[test]
    fn hooks_of_both_systems_have_phases_and_waves() {
        let argo = of(&[
            (HOOK, "PostSync, PreSync"),
            (WAVE, "-3"),
            (HOOK_DELETE, "HookSucceeded"),
        ]);
        assert_eq!(argo.role, Role::Hook(vec![Phase::PreSync, Phase::PostSync]));
        assert_eq!(
            (argo.wave, argo.deletion.succeeded, argo.deletion.before),
            (-3, true, false)
        );
        let helm = of(&[(HELM_HOOK, "pre-install,pre-upgrade"), (HELM_WEIGHT, "5")]);
        assert_eq!(helm.role, Role::Hook(vec![Phase::PreSync]));
        assert_eq!((helm.wave, helm.deletion.before), (5, true));
        // Argo CD's word counts where both are there.
        assert_eq!(
            of(&[(HOOK, "Skip"), (HELM_HOOK, "pre-install")]).role,
            Role::Elsewhere
        );
        assert_eq!(of(&[(HELM_HOOK, "test")]).role, Role::Elsewhere);
        assert_eq!(of(&[(HELM_HOOK, "crd-install")]).role, Role::Member);
    }

    #[test]
    fn what_is_to_stay_stays() {
        assert!(of(&[(OPTIONS, "Validate=false,Prune=false")]).keep);
        assert!(of(&[(HELM_KEEP, "keep")]).keep);
        assert!(!of(&[(OPTIONS, "Prune=true")]).keep);
    }
}
