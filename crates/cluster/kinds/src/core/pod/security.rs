//! Security contexts of pods and containers, and what operating systems rule out.

use serde_json::Value;

use super::{Options, paths};
use crate::cursor::{Field, Findings};
use crate::field::{Finding, go_json};
use crate::limits::{GMSA_SPEC_MAX_KIB, SYSCTL_NAME_MAX, WINDOWS_DOMAIN_MAX, WINDOWS_USER_MAX};
use crate::names;

/// Checks `spec.securityContext`.
pub fn pod(context: &Field<'_>, spec: &Field<'_>, options: &Options, out: &mut Findings) {
    if !context.exists() {
        return;
    }
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(&context.get(name), out);
    }
    for group in context.items("supplementalGroups") {
        id(&group, out);
    }
    let share = spec.get("shareProcessNamespace");
    if share.bool() && spec.get("hostPID").bool() {
        let place = context.get("shareProcessNamespace");
        out.push(place.invalid_value(true, "ShareProcessNamespace and HostPID cannot both be enabled"));
    }
    sysctls(&context.get("sysctls"), spec, options, out);
    one_of(
        &context.get("fsGroupChangePolicy"),
        &["Always", "OnRootMismatch"],
        out,
    );
    seccomp(&context.get("seccompProfile"), out);
    windows_options(&context.get("windowsOptions"), out);
    app_armor(&context.get("appArmorProfile"), out);
    one_of(
        &context.get("supplementalGroupsPolicy"),
        &["Merge", "Strict"],
        out,
    );
    let policies: &[&str] = if options.any_selinux_policy {
        &["MountOption", "Recursive"]
    } else {
        &["Recursive"]
    };
    one_of(&context.get("seLinuxChangePolicy"), policies, out);
}

/// Checks the security context of a container; `host_users` is whether the pod shares the host's users.
pub fn container(context: &Field<'_>, host_users: bool, out: &mut Findings) {
    if !context.exists() {
        return;
    }
    id(&context.get("runAsUser"), out);
    id(&context.get("runAsGroup"), out);
    let mount = context.get("procMount");
    one_of(&mount, &["Default", "Unmasked"], out);
    if host_users && mount.str() == "Unmasked" {
        out.push(mount.invalid("`hostUsers` must be false to use `Unmasked`"));
    }
    seccomp(&context.get("seccompProfile"), out);
    if context.get("allowPrivilegeEscalation").opt_bool() == Some(false) {
        if context.get("privileged").bool() {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            out.push(context.invalid_shown(shown(context), detail));
        }
        for _ in context
            .get("capabilities")
            .get("add")
            .strings()
            .filter(|name| *name == "CAP_SYS_ADMIN")
        {
            let detail =
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            out.push(context.invalid_shown(shown(context), detail));
        }
    }
    windows_options(&context.get("windowsOptions"), out);
    app_armor(&context.get("appArmorProfile"), out);
}

/// A user or a group, if one is given.
fn id(id: &Field<'_>, out: &mut Findings) {
    if let Some(number) = id.opt_int() {
        out.extend(names::user_id(number).into_iter().map(|text| id.invalid(text)));
    }
}

/// One of some words, if any is given.
fn one_of(field: &Field<'_>, words: &[&str], out: &mut Findings) {
    if field.exists() && !words.contains(&field.str()) {
        out.push(field.not_supported(words));
    }
}

fn seccomp(profile: &Field<'_>, out: &mut Findings) {
    if !profile.exists() {
        return;
    }
    let (r#type, local) = (profile.get("type"), profile.get("localhostProfile"));
    match r#type.str() {
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => out.push(r#type.required("type is required when seccompProfile is set")),
        _ => out.push(r#type.not_supported(&["Localhost", "RuntimeDefault", "Unconfined"])),
    }
    match (r#type.str() == "Localhost", local.opt_str()) {
        (true, None) => out.push(local.required("must be set when seccomp type is Localhost")),
        (true, Some(path)) => paths::local_descending(&local, path, out),
        (false, Some(_)) => {
            let shown = go_struct(
                profile,
                &[
                    ("Type", "type", Go::Text),
                    ("LocalhostProfile", "localhostProfile", Go::Pointer),
                ],
            );
            out.push(local.invalid_shown(shown, "can only be set when seccomp type is Localhost"));
        }
        (false, None) => {}
    }
}

fn app_armor(profile: &Field<'_>, out: &mut Findings) {
    if !profile.exists() {
        return;
    }
    let (r#type, local) = (profile.get("type"), profile.get("localhostProfile"));
    match r#type.str() {
        "Localhost" => match local.opt_str() {
            None => out.push(local.required("must be set when AppArmor type is Localhost")),
            Some(name) => {
                if name.trim() != name {
                    out.push(local.invalid("must not be padded with whitespace"));
                } else if name.is_empty() {
                    out.push(local.required("must be set when AppArmor type is Localhost"));
                }
                // PATH_MAX without the NUL.
                if name.len() > 4095 {
                    out.push(local.too_long(4095));
                }
            }
        },
        "RuntimeDefault" | "Unconfined" => {
            if local.exists() {
                out.push(local.invalid("can only be set when AppArmor type is Localhost"));
            }
        }
        "" => out.push(r#type.required("type is required when appArmorProfile is set")),
        _ => out.push(r#type.not_supported(&["Localhost", "RuntimeDefault", "Unconfined"])),
    }
}

fn sysctls(sysctls: &Field<'_>, spec: &Field<'_>, options: &Options, out: &mut Findings) {
    let mut seen = Vec::new();
    for sysctl in sysctls.list() {
        let name = sysctl.get("name");
        if name.is_empty() {
            out.push(name.required(""));
        } else if !is_sysctl(name.str()) {
            out.push(name.invalid(format!(
                "must have at most {SYSCTL_NAME_MAX} characters and match regex \
                 ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            )));
        } else if seen.contains(&name.str()) {
            out.push(name.duplicate());
        }
        if !options.allow_host_sysctls {
            out.extend(host_sysctl(&name, spec));
        }
        seen.push(name.str());
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let segment = |segment: &str| {
        let bytes = segment.as_bytes();
        bytes.first().is_some_and(|b| edge(*b))
            && bytes.last().is_some_and(|b| edge(*b))
            && bytes.iter().all(|b| edge(*b) || matches!(b, b'-' | b'_'))
    };
    name.len() <= SYSCTL_NAME_MAX && name.split(['.', '/']).all(segment)
}

/// Sysctls of the IPC namespace, those below `fs.mqueue` aside.
const IPC_SYSCTLS: [&str; 10] = [
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.shm",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.msg",
];

/// A sysctl of a namespace that the pod shares with the host may not be set.
pub fn host_sysctl(name: &Field<'_>, spec: &Field<'_>) -> Option<Finding> {
    // component-helpers/node/util/sysctl/namespace.go; the first separator decides which one separates.
    let first = name
        .str()
        .find(['.', '/'])
        .map(|index| name.str().as_bytes()[index]);
    let text = if first == Some(b'/') {
        name.str()
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect()
    } else {
        name.str().to_owned()
    };
    let ipc = IPC_SYSCTLS.contains(&text.as_str()) || text.starts_with("fs.mqueue.");
    if spec.get("hostNetwork").bool() && text.starts_with("net.") {
        Some(name.invalid("may not be specified when 'hostNetwork' is true"))
    } else if spec.get("hostIPC").bool() && ipc {
        Some(name.invalid("may not be specified when 'hostIPC' is true"))
    } else {
        None
    }
}

fn windows_options(options: &Field<'_>, out: &mut Findings) {
    let name = options.get("gmsaCredentialSpecName");
    if let Some(text) = name.opt_str() {
        out.extend(
            names::dns_subdomain(text)
                .into_iter()
                .map(|text| name.invalid(text)),
        );
    }
    let spec = options.get("gmsaCredentialSpec");
    match spec.opt_str().map(str::len) {
        Some(0) => out.push(spec.invalid("gmsaCredentialSpec cannot be an empty string")),
        Some(len) if len > GMSA_SPEC_MAX_KIB * 1024 => {
            out.push(spec.invalid(format!(
                "gmsaCredentialSpec size must be under {GMSA_SPEC_MAX_KIB} KiB"
            )));
        }
        _ => {}
    }
    let user = options.get("runAsUserName");
    if let Some(text) = user.opt_str() {
        out.extend(windows_user(text).into_iter().map(|text| user.invalid(text)));
    }
}

/// What is wrong with a Windows user, `[DOMAIN\]USER`.
fn windows_user(text: &str) -> Vec<String> {
    let only = |text: &str| vec![text.to_owned()];
    if text.is_empty() {
        return only("runAsUserName cannot be an empty string");
    }
    if text.chars().any(|c| c.is_ascii_control()) {
        return only("runAsUserName cannot contain control characters");
    }
    let parts: Vec<&str> = text.split('\\').collect();
    let (domain, user) = match parts[..] {
        [user] => (None, user),
        [domain, user] => (Some(domain), user),
        _ => return only("runAsUserName cannot contain more than one backslash"),
    };
    let mut errors = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= WINDOWS_DOMAIN_MAX {
            errors.push(format!(
                "runAsUserName's Domain length must be under {WINDOWS_DOMAIN_MAX} characters"
            ));
        }
        if !is_net_bios(domain) && !is_windows_dns(domain) {
            errors.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format".to_owned());
        }
    }
    if user.is_empty() {
        errors.push("runAsUserName's User cannot be empty".to_owned());
    } else if user.len() > WINDOWS_USER_MAX {
        errors.push(format!(
            "runAsUserName's User length must not be longer than {WINDOWS_USER_MAX} characters"
        ));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        errors.push("runAsUserName's User cannot contain only periods or spaces".to_owned());
    }
    if user.contains([
        '"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']',
    ]) {
        errors.push(
            r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#.to_owned(),
        );
    }
    errors
}

fn is_net_bios(domain: &str) -> bool {
    let bad = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
    (1..=15).contains(&domain.chars().count()) && !domain.starts_with('.') && !domain.contains(bad)
}

fn is_windows_dns(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    })
}

/// Containers that are processes of a Windows host: all of a pod's or none.
pub fn windows_host_process(spec: &Field<'_>, out: &mut Findings) {
    let of = |context: &Field<'_>| context.get("windowsOptions").get("hostProcess").opt_bool();
    let pod = of(&spec.get("securityContext"));
    let (mut all, mut host) = (0, 0);
    for container in super::containers(spec) {
        all += 1;
        let context = container.get("securityContext");
        let own = of(&context);
        if let (Some(pod), Some(own)) = (pod, own)
            && pod != own
        {
            let place = context.get("windowsOptions").get("hostProcess");
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            out.push(place.invalid(detail));
        }
        host += usize::from(own.or(pod) == Some(true));
    }
    if host == 0 {
        return;
    }
    if host != all {
        let detail =
            "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        out.push(spec.invalid_value("", detail));
    }
    if !spec.get("hostNetwork").bool() {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        out.push(spec.get("hostNetwork").invalid_value(false, detail));
    }
}

/// A pod with users of its own shares nothing else with the host.
pub fn host_users(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    if spec.get("hostUsers").opt_bool() != Some(false) {
        return;
    }
    for (field, shown) in [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ] {
        if spec.get(field).bool() {
            out.push(spec.get(shown).forbidden("when `hostUsers` is false"));
        }
    }
    if !options.devices_in_user_namespace {
        for container in super::containers(spec) {
            let devices = container.get("volumeDevices");
            if !devices.is_empty() {
                out.push(devices.forbidden("when `hostUsers` is false"));
            }
        }
    }
}

/// What the operating system of `spec.os` rules out.
pub fn operating_system(spec: &Field<'_>, out: &mut Findings) {
    let os = spec.get("os");
    if !os.exists() {
        return;
    }
    let name = os.get("name");
    match name.str() {
        "" => out.push(name.required("")),
        "linux" => {
            let places = std::iter::once(spec.clone()).chain(super::containers(spec));
            for options in places.map(|place| place.get("securityContext").get("windowsOptions")) {
                if options.exists() {
                    out.push(options.forbidden("windows options cannot be set for a linux pod"));
                }
            }
        }
        "windows" => windows(spec, out),
        other => out.push(os.not_supported_value(other, &["linux", "windows"])),
    }
}

fn windows(spec: &Field<'_>, out: &mut Findings) {
    let context = spec.get("securityContext");
    // In upstream's order; the flags of the host count only where they are true.
    let places = [
        (context.get("appArmorProfile"), false),
        (context.get("seLinuxOptions"), false),
        (spec.get("hostUsers"), false),
        (spec.get("hostPID"), true),
        (spec.get("hostIPC"), true),
        (context.get("seccompProfile"), false),
        (context.get("fsGroup"), false),
        (context.get("fsGroupChangePolicy"), false),
        (context.get("sysctls"), true),
        (spec.get("shareProcessNamespace"), false),
        (context.get("runAsUser"), false),
        (context.get("runAsGroup"), false),
        (context.get("supplementalGroups"), false),
        (context.get("supplementalGroupsPolicy"), false),
        (context.get("seLinuxChangePolicy"), false),
    ];
    let containers = super::containers(spec).flat_map(|container| {
        let context = container.get("securityContext");
        [
            "appArmorProfile",
            "seLinuxOptions",
            "seccompProfile",
            "capabilities",
            "readOnlyRootFilesystem",
            "privileged",
            "allowPrivilegeEscalation",
            "procMount",
            "runAsUser",
            "runAsGroup",
        ]
        .map(|name| (context.get(name), false))
    });
    for (place, only_if_set) in places.into_iter().chain(containers) {
        if if only_if_set {
            !place.is_empty()
        } else {
            place.exists()
        } {
            out.push(place.forbidden("cannot be set for a windows pod"));
        }
    }
}

/// How Go holds a field, which decides how an absent one is shown.
#[derive(Clone, Copy)]
pub(crate) enum Go {
    /// `""`
    Text,
    /// `null`
    Pointer,
}

/// An object as Go's encoder writes upstream's internal struct: the names of Go, in the order of the declaration,
/// nothing left out.
pub(crate) fn go_struct(object: &Field<'_>, fields: &[(&str, &'static str, Go)]) -> String {
    let parts: Vec<String> = fields
        .iter()
        .map(|(go, name, holds)| {
            let value = object.get(name);
            let text = match (value.value(), holds) {
                (Some(value), _) => go_json(value),
                (None, Go::Text) => "\"\"".to_owned(),
                (None, Go::Pointer) => "null".to_owned(),
            };
            format!("\"{go}\":{text}")
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// A container's security context as upstream's internal struct.
fn shown(context: &Field<'_>) -> String {
    let nested = |name: &'static str, fields: &[(&str, &'static str, Go)]| {
        let value = context.get(name);
        if value.exists() {
            go_struct(&value, fields)
        } else {
            "null".to_owned()
        }
    };
    let plain = |name: &'static str| {
        context
            .get(name)
            .value()
            .map_or("null".to_owned(), Value::to_string)
    };
    let texts = |names: [(&'static str, &'static str); 4]| names.map(|(go, name)| (go, name, Go::Text));
    let parts = [
        (
            "Capabilities",
            nested(
                "capabilities",
                &[("Add", "add", Go::Pointer), ("Drop", "drop", Go::Pointer)],
            ),
        ),
        ("Privileged", plain("privileged")),
        (
            "SELinuxOptions",
            nested(
                "seLinuxOptions",
                &texts([
                    ("User", "user"),
                    ("Role", "role"),
                    ("Type", "type"),
                    ("Level", "level"),
                ]),
            ),
        ),
        (
            "WindowsOptions",
            nested(
                "windowsOptions",
                &[
                    ("GMSACredentialSpecName", "gmsaCredentialSpecName", Go::Pointer),
                    ("GMSACredentialSpec", "gmsaCredentialSpec", Go::Pointer),
                    ("RunAsUserName", "runAsUserName", Go::Pointer),
                    ("HostProcess", "hostProcess", Go::Pointer),
                ],
            ),
        ),
        ("RunAsUser", plain("runAsUser")),
        ("RunAsGroup", plain("runAsGroup")),
        ("RunAsNonRoot", plain("runAsNonRoot")),
        ("ReadOnlyRootFilesystem", plain("readOnlyRootFilesystem")),
        ("AllowPrivilegeEscalation", plain("allowPrivilegeEscalation")),
        ("ProcMount", plain("procMount")),
        ("SeccompProfile", nested("seccompProfile", &PROFILE)),
        ("AppArmorProfile", nested("appArmorProfile", &PROFILE)),
    ];
    let parts: Vec<String> = parts
        .iter()
        .map(|(name, text)| format!("\"{name}\":{text}"))
        .collect();
    format!("{{{}}}", parts.join(","))
}

const PROFILE: [(&str, &str, Go); 2] = [
    ("Type", "type", Go::Text),
    ("LocalhostProfile", "localhostProfile", Go::Pointer),
];
