//! A container's specification in the form of the OCI runtime specification: `config.json` of a bundle.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use caps::Capability;
use serde_json::{Value, json};

use crate::error::SandboxError;
use crate::seccomp;
use crate::spec::{ContainerSpec, Device, ExecSpec, MountSource, Propagation, Resources, User};

/// Not shown to containers (containerd, oci/spec.go `populateDefaultUnixSpec`).
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// Shown, and not to be written (as above).
const READ_ONLY: &[&str] = &[
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Where containers see their control groups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// What the device controller of version 1 lets every container do: make any node, and use those of `/dev`.
pub(crate) const DEVICE_RULES: &[&str] = &[
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

/// Where things are that the specification only implies.
pub(crate) struct Context<'a> {
    /// The mounted root.
    pub(crate) rootfs: &'a Path,
    /// Absolute in the hierarchies.
    pub(crate) cgroup: &'a Path,
    /// The namespace file that `share_pids` joins.
    pub(crate) pid_namespace: Option<PathBuf>,
    pub(crate) host_pid: bool,
    /// What the sandbox shows at `/dev/shm`.
    pub(crate) shm: &'a Path,
    /// The sources of the specification's mounts, with sub-paths resolved.
    pub(crate) sources: &'a [Option<PathBuf>],
    pub(crate) capabilities: &'a [Capability],
    /// Version 1: the container's group in each hierarchy, by the name under which it is shown.
    pub(crate) groups: Vec<(String, PathBuf)>,
    /// For runc: limits, capabilities and filter are its work. Ours are set by the shim and its executor.
    pub(crate) whole: bool,
    /// On cgroup version 2, where the root is mounted without devices.
    pub(crate) unified: bool,
    /// Where the process' user lives. It must be given to libcontainer: that would ask the C library, which loads what
    /// the container's nsswitch.conf names, with all capabilities.
    pub(crate) home: String,
}

/// The bundle's `config.json`.
pub(crate) fn config(spec: &ContainerSpec, context: &Context<'_>) -> Result<Value, SandboxError> {
    let masked = !spec.privileged && !spec.unmasked_paths;
    let mut linux = json!({
        "cgroupsPath": context.cgroup,
        "namespaces": namespaces(context),
        "maskedPaths": if masked { MASKED } else { &[] },
        "readonlyPaths": read_only(spec, masked, context),
        "devices": devices(spec)?,
        "rootfsPropagation": propagation(spec),
    });
    if context.whole {
        linux["resources"] = resources(&spec.resources, &device_rules(spec)?);
        if !spec.privileged
            && let Some(profile) = seccomp::profile(&spec.seccomp, context.capabilities)?
        {
            linux["seccomp"] = json!(profile);
        }
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process(spec, None, context),
        "root": {"path": context.rootfs, "readonly": spec.rootfs.read_only},
        "mounts": mounts(spec, context),
        "linux": linux,
    }))
}

/// What is only to be read.
fn read_only(spec: &ContainerSpec, masked: bool, context: &Context<'_>) -> Vec<&'static str> {
    let mut paths = if masked { READ_ONLY.to_vec() } else { Vec::new() };
    if own_groups(spec, context) && !spec.privileged {
        paths.push(CGROUPS);
    }
    paths
}

/// True if we mount version 1's groups. libcontainer mounts them writable, whatever the options say, and a container
/// could lift its own limits.
fn own_groups(spec: &ContainerSpec, context: &Context<'_>) -> bool {
    let replaced = spec.mounts.iter().any(|mount| mount.target == Path::new(CGROUPS));
    !context.whole && !context.unified && !replaced
}

/// The process of the container, or of `exec` in it.
pub(crate) fn process(spec: &ContainerSpec, exec: Option<&ExecSpec>, context: &Context<'_>) -> Value {
    let args = exec.map_or(&spec.args, |exec| &exec.args);
    let tty = exec.map_or(spec.tty, |exec| exec.tty);
    let user = exec.and_then(|exec| exec.user.as_ref()).unwrap_or(&spec.user);
    let mut process = json!({
        "terminal": tty,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": groups(user)},
        "args": args,
        "env": environment(spec, exec, &context.home),
        // Our executor makes the folder and goes there; libcontainer would need it to exist.
        "cwd": if context.whole { cwd(spec, exec) } else { "/".to_owned() },
        "noNewPrivileges": !spec.privileged && !spec.allow_privilege_escalation,
    });
    if context.whole {
        let names: Vec<String> = context.capabilities.iter().map(ToString::to_string).collect();
        process["capabilities"] = json!({"bounding": names, "effective": names, "permitted": names});
    }
    process
}

/// Whom a process runs as.
pub(crate) fn uid(spec: &ContainerSpec, exec: Option<&ExecSpec>) -> u32 {
    exec.and_then(|exec| exec.user.as_ref()).unwrap_or(&spec.user).uid
}

/// The folder that a process starts in.
pub(crate) fn cwd(spec: &ContainerSpec, exec: Option<&ExecSpec>) -> String {
    let cwd = exec.and_then(|exec| exec.cwd.as_deref()).unwrap_or(&spec.cwd);
    if cwd.is_empty() {
        "/".to_owned()
    } else {
        cwd.to_owned()
    }
}

/// The environment as the process sees it; of a name that comes twice the last counts.
fn environment(spec: &ContainerSpec, exec: Option<&ExecSpec>, home: &str) -> Vec<String> {
    let env = exec.and_then(|exec| exec.env.as_ref()).unwrap_or(&spec.env);
    let tty = exec.map_or(spec.tty, |exec| exec.tty);
    let mut list: Vec<String> = env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if tty && !env.iter().any(|(name, _)| name == "TERM") {
        list.push("TERM=xterm".to_owned());
    }
    let last_home = env.iter().rev().find(|(name, _)| name == "HOME");
    if last_home.is_none_or(|(_, value)| value.is_empty()) {
        list.push(format!("HOME={home}"));
    }
    if !env.iter().any(|(name, _)| name == "PATH") {
        list.push(format!("PATH={}", crate::shim::DEFAULT_PATH));
    }
    list
}

/// The primary group is also a supplementary one, so that it cannot be dropped to escape a group's denial
/// (containerd, CVE-2023-25173). The kernel wants no group twice.
fn groups(user: &User) -> Vec<u32> {
    let set: BTreeSet<u32> = user.groups.iter().copied().chain([user.gid]).collect();
    set.into_iter().collect()
}

fn namespaces(context: &Context<'_>) -> Vec<Value> {
    // Network, IPC and UTS are the shim's own, and its children are born in them.
    let mut list = vec![json!({"type": "mount"})];
    if context.unified {
        list.push(json!({"type": "cgroup"}));
    }
    if let Some(path) = &context.pid_namespace {
        list.push(json!({"type": "pid", "path": path}));
    } else if !context.host_pid {
        list.push(json!({"type": "pid"}));
    }
    list
}

fn mounts(spec: &ContainerSpec, context: &Context<'_>) -> Vec<Value> {
    let mut list = Vec::new();
    let mut add = |target: &str, kind: &str, source: &Path, options: &[&str]| {
        if !spec.mounts.iter().any(|mount| mount.target == Path::new(target)) {
            list.push(json!({"destination": target, "type": kind, "source": source, "options": options}));
        }
    };
    let plain = |name: &'static str| Path::new(name);
    let access = if spec.privileged { "rw" } else { "ro" };
    add("/proc", "proc", plain("proc"), &["nosuid", "noexec", "nodev"]);
    add(
        "/dev",
        "tmpfs",
        plain("tmpfs"),
        &["nosuid", "strictatime", "mode=755", "size=65536k"],
    );
    add(
        "/dev/pts",
        "devpts",
        plain("devpts"),
        &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ],
    );
    add(
        "/dev/mqueue",
        "mqueue",
        plain("mqueue"),
        &["nosuid", "noexec", "nodev"],
    );
    add(
        "/dev/shm",
        "bind",
        context.shm,
        &["rbind", "nosuid", "nodev", "noexec"],
    );
    add(
        "/sys",
        "sysfs",
        plain("sysfs"),
        &["nosuid", "noexec", "nodev", access],
    );
    if own_groups(spec, context) {
        add(
            CGROUPS,
            "tmpfs",
            plain("tmpfs"),
            &["nosuid", "noexec", "nodev", "mode=755"],
        );
        for (name, folder) in &context.groups {
            let options = ["rbind", "nosuid", "noexec", "nodev", "relatime", access];
            add(&format!("{CGROUPS}/{name}"), "bind", folder, &options);
        }
    } else {
        add(
            CGROUPS,
            "cgroup",
            plain("cgroup"),
            &["nosuid", "noexec", "nodev", "relatime", access],
        );
    }
    for (mount, source) in spec.mounts.iter().zip(context.sources) {
        list.push(match (&mount.source, source) {
            (MountSource::Tmpfs { size, mode }, _) => {
                let mut options = vec!["nosuid".to_owned(), "nodev".to_owned(), format!("mode={mode:o}")];
                options.extend(size.map(|size| format!("size={size}")));
                options.push(if mount.read_only { "ro" } else { "rw" }.to_owned());
                json!({"destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options})
            }
            (MountSource::Path(path), source) => {
                let shared = match mount.propagation {
                    Propagation::Private => "rprivate",
                    Propagation::HostToContainer => "rslave",
                    Propagation::Bidirectional => "rshared",
                };
                let mut options = vec!["rbind", shared, if mount.read_only { "ro" } else { "rw" }];
                if mount.recursive_read_only {
                    options.push("rro");
                }
                json!({
                    "destination": mount.target,
                    "type": "bind",
                    "source": source.as_ref().unwrap_or(path),
                    "options": options,
                })
            }
        });
    }
    list
}

/// What the root passes on is as much as the most generous mount needs.
fn propagation(spec: &ContainerSpec) -> &'static str {
    let needs = |wanted| spec.mounts.iter().any(|mount| mount.propagation == wanted);
    if needs(Propagation::Bidirectional) {
        "shared"
    } else if needs(Propagation::HostToContainer) {
        "slave"
    } else {
        "private"
    }
}

/// Limits, for runc; ours are written by the shim itself, so that the machine's version decides once.
fn resources(resources: &Resources, rules: &[String]) -> Value {
    let mut cpu = json!({});
    if let Some(shares) = resources.cpu_shares {
        cpu["shares"] = json!(shares);
    }
    if let Some(quota) = resources.cpu_quota {
        cpu["quota"] = json!(quota);
    }
    if let Some(period) = resources.cpu_period {
        cpu["period"] = json!(period);
    }
    let mut devices = vec![json!({"allow": false, "access": "rwm"})];
    for rule in rules {
        let mut words = rule.split([' ', ':']);
        let (kind, major, minor, access) = (words.next(), words.next(), words.next(), words.next());
        let mut device = json!({"allow": true, "type": kind, "access": access});
        for (name, number) in [("major", major), ("minor", minor)] {
            if let Some(number) = number.and_then(|text| text.parse::<i64>().ok()) {
                device[name] = json!(number);
            }
        }
        devices.push(device);
    }
    let mut value = json!({"cpu": cpu, "devices": devices});
    if let Some(memory) = resources.memory {
        value["memory"] = json!({"limit": memory});
    }
    if let Some(pids) = resources.pids {
        value["pids"] = json!({"limit": pids});
    }
    value
}

/// The device controller's rules for a container.
pub(crate) fn device_rules(spec: &ContainerSpec) -> Result<Vec<String>, SandboxError> {
    if spec.privileged {
        return Ok(vec!["a *:* rwm".to_owned()]);
    }
    let mut rules: Vec<String> = DEVICE_RULES.iter().map(|rule| (*rule).to_owned()).collect();
    for device in &spec.devices {
        let (kind, major, minor, _) = node(&device.source)?;
        let access: String = device.access.chars().filter(|one| "rwm".contains(*one)).collect();
        rules.push(format!("{kind} {major}:{minor} {access}"));
    }
    Ok(rules)
}

/// Nodes to be made in `/dev` beside the default ones.
fn devices(spec: &ContainerSpec) -> Result<Vec<Value>, SandboxError> {
    let mut list = Vec::new();
    for device in &spec.devices {
        if !device.target.starts_with("/dev")
            || device.target.components().any(|part| part.as_os_str() == "..")
        {
            return Err(SandboxError::Invalid(format!(
                "the device {} must be below /dev",
                device.target.display()
            )));
        }
        list.push(device_node(device, &device.target)?);
    }
    if spec.privileged {
        let mut found = Vec::new();
        machine_devices(Path::new("/dev"), 0, &mut found);
        for path in found {
            if !spec.devices.iter().any(|device| device.target == path) {
                let device = Device {
                    source: path.clone(),
                    target: path.clone(),
                    access: "rwm".to_owned(),
                };
                list.extend(device_node(&device, &path));
            }
        }
    }
    Ok(list)
}

fn device_node(device: &Device, target: &Path) -> Result<Value, SandboxError> {
    let (kind, major, minor, metadata) = node(&device.source)?;
    Ok(json!({
        "path": target,
        "type": kind,
        "major": major,
        "minor": minor,
        "fileMode": metadata.mode() & 0o777,
        "uid": metadata.uid(),
        "gid": metadata.gid(),
    }))
}

fn node(path: &Path) -> Result<(char, u32, u32, fs::Metadata), SandboxError> {
    let metadata = fs::metadata(path)
        .map_err(|error| SandboxError::Invalid(format!("the device {}: {error}", path.display())))?;
    let kind = if metadata.file_type().is_char_device() {
        'c'
    } else if metadata.file_type().is_block_device() {
        'b'
    } else {
        return Err(SandboxError::Invalid(format!("{} is no device", path.display())));
    };
    let number = metadata.rdev();
    Ok((
        kind,
        rustix::fs::major(number),
        rustix::fs::minor(number),
        metadata,
    ))
}

/// All devices of the machine but those of which a container has its own
/// (containerd, oci/utils_unix.go `getDevices`).
fn machine_devices(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    const OWN: &[&str] = &[
        "pts",
        "shm",
        "fd",
        "mqueue",
        ".lxc",
        ".lxd-mounts",
        ".udev",
        "console",
        "ptmx",
    ];
    const MAX_DEPTH: usize = 8;
    const MAX_DEVICES: usize = 1024;
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if OWN.iter().any(|name| entry.file_name() == *name) || found.len() >= MAX_DEVICES {
            continue;
        }
        if kind.is_dir() && depth < MAX_DEPTH {
            machine_devices(&entry.path(), depth + 1, found);
        } else if kind.is_char_device() || kind.is_block_device() {
            found.push(entry.path());
        }
    }
}
