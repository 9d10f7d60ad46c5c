//! From a container's manifest to what the sandbox is asked to run (`generateContainerConfig` of
//! `pkg/kubelet/kuberuntime/kuberuntime_container.go`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use deploy_sandbox::{
    Capabilities, ContainerSpec, LogFile, Mount, MountSource, Propagation, Resources, Rootfs, Seccomp, User,
};
use serde_json::{Value, json};

use super::ground::Ground;
use super::source::{Identity, ReadyImage};
use crate::environment::{self, Addresses, dns, expansion, files::PodFiles, hosts};
use crate::limits;
use crate::pod::resources::{self, Limits};
use crate::pod::security::{self, Security};
use crate::pod::{CreateError, Pod};
use crate::volumes::mounts::Prepared;

/// What a container of a pod is made from.
pub(super) struct Making<'a> {
    pub ground: &'a Ground,
    pub pod: &'a Pod,
    pub name: &'a str,
    pub id: &'a str,
    pub attempt: u32,
    pub image: &'a ReadyImage,
    pub prepared: &'a Prepared,
    /// The process of the sandbox, which sees the pod's file systems in memory.
    pub shim: u32,
    /// The pod's own, empty in the host's network.
    pub address: &'a str,
}

/// What the sandbox is asked, and the `user` of the container's status.
pub(super) struct Made {
    pub spec: ContainerSpec,
    pub user: Value,
    /// Of the DNS configuration that could not be had as it was asked for.
    pub warnings: Vec<String>,
}

fn config(error: impl ToString) -> CreateError {
    CreateError::Config(error.to_string())
}

impl Making<'_> {
    /// Reads and writes files of the pod: blocks shortly.
    pub fn make(&self) -> Result<Made, CreateError> {
        let object = &*self.pod.object;
        let container = &self
            .pod
            .container(self.name)
            .ok_or_else(|| config("no such container"))?
            .spec;
        let host = IpAddr::V4(self.ground.facts.address);
        let own = self.address.parse().ok().unwrap_or(host);
        let addresses = Addresses {
            pod: vec![own],
            host: vec![host],
        };
        let variables =
            environment::resolve(object, container, &addresses, &*self.ground.lookups).map_err(config)?;
        let names = hosts::names(object, &self.ground.dns.domain).map_err(config)?;
        let hostname = if self.pod.host_network {
            &self.ground.facts.hostname
        } else {
            &names.nodename
        };
        let args = self.args(container, &variables)?;
        let security = security::merged(object, container);
        let identity = self.identity(&security)?;
        let mut mounts = self.mounts(container, &variables)?;
        let (own_mounts, warnings) = self.own_mounts(container, &names, own).map_err(config)?;
        let taken: Vec<PathBuf> = mounts.iter().map(|mount| mount.target.clone()).collect();
        mounts.extend(
            own_mounts
                .into_iter()
                .filter(|mount| !taken.contains(&mount.target)),
        );
        let tty = container["tty"] == true;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let cwd = Some(text(&container["workingDir"])).filter(|cwd| !cwd.is_empty());
        let groups: Vec<u32> = self.groups(&security, &identity);
        let spec = ContainerSpec {
            id: self.id.to_owned(),
            labels: self.labels(),
            rootfs: Rootfs {
                lower: self.image.layers.clone(),
                upper: None,
                work: None,
                read_only: security.read_only_root,
            },
            args,
            env: environment::assemble(&self.image.env, hostname, tty, variables),
            cwd: cwd.unwrap_or_else(|| self.image.working_dir.clone()),
            user: User {
                uid: identity.uid,
                gid: identity.gid,
                groups: groups.clone(),
            },
            mounts,
            privileged: security.privileged,
            capabilities: Capabilities {
                add: security.add.clone(),
                drop: security.drop.clone(),
            },
            allow_privilege_escalation: security.allow_escalation,
            seccomp: match security.seccomp {
                security::Seccomp::Default => Seccomp::RuntimeDefault,
                security::Seccomp::Unconfined => Seccomp::Unconfined,
                security::Seccomp::File(name) => Seccomp::File(self.ground.profiles.join(name)),
            },
            unmasked_paths: security.unmasked,
            resources: of_limits(resources::of_container(container)),
            oom_score_adj: Some(resources::oom_score_adj(
                object,
                container,
                self.ground.facts.memory_bytes,
            )),
            stdin: container["stdin"] == true,
            stdin_once: container["stdinOnce"] == true,
            tty,
            log: Some(LogFile {
                path: self.ground.log_path(self.pod, self.name, self.attempt),
                max_size: limits::LOG_BYTES_MAX,
                max_files: limits::LOG_FILES_MAX,
            }),
            devices: Vec::new(),
        };
        let shown_groups: Vec<u32> = std::iter::once(identity.gid).chain(groups).collect();
        let user =
            json!({"linux": {"uid": identity.uid, "gid": identity.gid, "supplementalGroups": shown_groups}});
        Ok(Made { spec, user, warnings })
    }

    /// What a server after this one needs to know of the image.
    fn labels(&self) -> BTreeMap<String, String> {
        let facts = &self.image.facts;
        let labels = [
            ("image", &facts.name),
            ("image-id", &facts.id),
            ("stop-signal", &facts.stop_signal),
        ];
        labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }

    fn args(&self, container: &Value, variables: &[(String, String)]) -> Result<Vec<String>, CreateError> {
        let own = |name: &str| -> Vec<String> {
            let parts = container[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            expansion::expand_all(parts, variables)
        };
        let (command, arguments) = (own("command"), own("args"));
        let mut all = if command.is_empty() {
            self.image.entrypoint.clone()
        } else {
            command.clone()
        };
        match (arguments.is_empty(), command.is_empty()) {
            (false, _) => all.extend(arguments),
            // The image's arguments belong to the image's program.
            (true, true) => all.extend(self.image.cmd.iter().cloned()),
            (true, false) => {}
        }
        if all.is_empty() {
            let image = &self.image.facts.name;
            return Err(CreateError::Runtime(format!(
                "failed to generate container spec: no command specified for {image}"
            )));
        }
        Ok(all)
    }

    fn identity(&self, security: &Security) -> Result<Identity, CreateError> {
        let of_image = |name: &str| self.ground.images.identity(self.image, name);
        let mut identity = match security.uid {
            // The image's files may know the user and its groups, and need not.
            Some(uid) => of_image(&uid.to_string()).unwrap_or(Identity {
                uid,
                ..Identity::default()
            }),
            None => of_image(&self.image.user).map_err(CreateError::Runtime)?,
        };
        if let Some(gid) = security.gid {
            identity.gid = gid;
        }
        let verified = security.verify(&self.image.user, identity.uid, &self.pod.shown(), self.name);
        verified.map_err(CreateError::Config)?;
        Ok(identity)
    }

    fn groups(&self, security: &Security, identity: &Identity) -> Vec<u32> {
        let mut groups: Vec<u32> = Vec::new();
        let of_image = identity.groups.iter().filter(|_| security.image_groups);
        for group in security.groups.iter().chain(of_image) {
            if *group != identity.gid && !groups.contains(group) {
                groups.push(*group);
            }
        }
        groups
    }

    fn mounts(&self, container: &Value, variables: &[(String, String)]) -> Result<Vec<Mount>, CreateError> {
        let mounts = self
            .prepared
            .mounts_seen_by(self.shim, container, variables)
            .map_err(config)?;
        let declared: Vec<&Value> = container["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        let of = |target: &Path| {
            let same = |mount: &&&Value| {
                Path::new("/").join(mount["mountPath"].as_str().unwrap_or_default()) == target
            };
            declared.iter().find(same)
        };
        let shaped = mounts.into_iter().map(|mount| {
            let declared = of(&mount.target);
            let word = |name: &str| {
                declared
                    .and_then(|mount| mount[name].as_str())
                    .unwrap_or_default()
            };
            Mount {
                source: MountSource::Path(mount.source),
                sub_path: mount.sub,
                read_only: mount.read_only,
                recursive_read_only: matches!(word("recursiveReadOnly"), "Enabled" | "IfPossible"),
                propagation: match word("mountPropagation") {
                    "HostToContainer" => Propagation::HostToContainer,
                    "Bidirectional" => Propagation::Bidirectional,
                    _ => Propagation::Private,
                },
                target: mount.target,
            }
        });
        Ok(shaped.collect())
    }

    /// `/etc/hosts` and its like, and the file of last words.
    fn own_mounts(
        &self,
        container: &Value,
        names: &hosts::Names,
        address: IpAddr,
    ) -> std::io::Result<(Vec<Mount>, Vec<String>)> {
        let object = &*self.pod.object;
        let files = PodFiles::new(&self.ground.volumes.folder(&self.pod.uid));
        let hosts = if self.pod.host_network {
            hosts::of_host(object, &std::fs::read_to_string("/etc/hosts").unwrap_or_default())
        } else {
            hosts::of_pod(object, &[address], names)
        };
        let (resolver, warnings) = dns::of_pod(object, &self.ground.dns, &self.ground.resolver);
        let nodename = if self.pod.host_network {
            &self.ground.facts.hostname
        } else {
            &names.nodename
        };
        let read_only = container["securityContext"]["readOnlyRootFilesystem"] == true;
        let mut mounts = vec![
            Mount::bind(files.hosts(&hosts)?, "/etc/hosts", read_only),
            Mount::bind(files.hostname(nodename)?, "/etc/hostname", read_only),
            Mount::bind(
                files.resolv_conf(&resolver.text())?,
                "/etc/resolv.conf",
                read_only,
            ),
        ];
        let path = container["terminationMessagePath"].as_str().unwrap_or_default();
        if !path.is_empty() {
            let last_words = files.termination_log(self.name, self.attempt)?;
            mounts.push(Mount::bind(last_words, Path::new("/").join(path), false));
        }
        Ok((mounts, warnings))
    }
}

/// As the sandbox takes limits.
pub(super) fn of_limits(limits: Limits) -> Resources {
    Resources {
        cpu_shares: Some(limits.cpu_shares),
        cpu_quota: limits.cpu_quota,
        cpu_period: limits.cpu_period,
        memory: limits.memory,
        pids: limits.pids,
    }
}
