//! Which capabilities a container gets.

use caps::{Capability, CapsHashSet};

use crate::error::SandboxError;
use crate::spec::Capabilities;

/// What containerd gives a container that asks for nothing (oci/spec.go, `defaultUnixCaps`).
pub(crate) const DEFAULT: [Capability; 14] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FSETID,
    Capability::CAP_FOWNER,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETPCAP,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_KILL,
    Capability::CAP_AUDIT_WRITE,
];

/// The capabilities of a container, in order. `held` are those that the shim can give.
pub(crate) fn resolve(
    privileged: bool,
    change: &Capabilities,
    held: &CapsHashSet,
) -> Result<Vec<Capability>, SandboxError> {
    let mut set: CapsHashSet = if privileged {
        held.clone()
    } else {
        DEFAULT.into_iter().collect()
    };
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    // "ALL" is worked off before the names, so that `drop: [ALL], add: [X]` leaves X
    // (containerd, internal/cri/opts WithCapabilities).
    if all(&change.add) {
        set.clone_from(held);
    }
    if all(&change.drop) {
        set.clear();
    }
    for name in &change.add {
        if !name.eq_ignore_ascii_case("ALL") {
            set.insert(parse(name)?);
        }
    }
    for name in &change.drop {
        if !name.eq_ignore_ascii_case("ALL") {
            set.remove(&parse(name)?);
        }
    }
    let mut list: Vec<Capability> = set.into_iter().filter(|one| held.contains(one)).collect();
    list.sort_by_key(|one| one.index());
    Ok(list)
}

fn parse(name: &str) -> Result<Capability, SandboxError> {
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    };
    full.parse()
        .map_err(|_| SandboxError::Invalid(format!("unknown capability \"{full}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(add: &[&str], drop: &[&str], privileged: bool) -> Result<Vec<String>, SandboxError> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let change = Capabilities {
            add: own(add),
            drop: own(drop),
        };
        Ok(resolve(privileged, &change, &caps::all())?
            .iter()
            .map(ToString::to_string)
            .collect())
    }

    #[test]
    fn defaults_are_fourteen() {
        assert_eq!(names(&[], &[], false).unwrap().len(), 14);
    }

    #[test]
    fn all_is_dropped_before_names_are_added() {
        assert_eq!(
            names(&["net_bind_service"], &["ALL"], false).unwrap(),
            ["CAP_NET_BIND_SERVICE"]
        );
        assert_eq!(names(&["ALL"], &[], false).unwrap().len(), caps::all().len());
        assert_eq!(names(&[], &[], true).unwrap().len(), caps::all().len());
        assert_eq!(
            names(&["ALL"], &["SYS_ADMIN"], false).unwrap().len(),
            caps::all().len() - 1
        );
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let error = names(&["NET_BIND"], &[], false).unwrap_err();
        assert_eq!(error.to_string(), "unknown capability \"CAP_NET_BIND\"");
    }

    #[test]
    fn what_the_shim_lacks_is_left_out() {
        let held = CapsHashSet::from([Capability::CAP_KILL]);
        let list = resolve(false, &Capabilities::default(), &held).unwrap();
        assert_eq!(list, [Capability::CAP_KILL]);
    }
}
