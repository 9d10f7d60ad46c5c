//! `peers kubelet [FILTER]`: a real control plane with a real kubelet and containerd, in namespaces of its own, plays the
//! scenarios of `fixtures/cluster/node` and what it answers is written down beside them.
//!
//! Namespaces of processes, mounts, network and cgroups hold all of it: when the first process of them ends, everything
//! has, and what it had below `/sys/fs/cgroup` is one folder per controller, which is then removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deploy_cluster_oracle::pods::{self, image};
use deploy_cluster_oracle::{Identity, Request, Server};

use super::control_plane;
use super::oracle::http::HttpServer;
use crate::{Outcome, repository};

const FOLDER: &str = "target/peers/run/kubelet";
/// The cgroup of all that runs here, in each hierarchy.
const GROUP: &str = "deploy-peer";
const GROUPS: &str = "/sys/fs/cgroup";
/// What tells the program that it is inside.
const INSIDE: &str = "--inside";
const PAUSE_IMAGE: &str = "deploy.test/pause:1";
/// The node's address: a kubelet takes none of loopback.
const ADDRESS: &str = "10.231.0.1";
const READY_WITHIN: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

/// What the kubelet sets in the kernel for the whole machine (`pkg/util/sysctl`); put back afterwards.
const SETTINGS: &[&str] = &[
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// Where the programs of Debian's packages are.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/containerd", "apt-get install containerd"),
    ("/usr/sbin/runc", "apt-get install runc"),
    (
        "/usr/lib/cni/bridge",
        "apt-get install containernetworking-plugins",
    ),
    ("/usr/bin/unshare", "apt-get install util-linux"),
    (image::BUSYBOX, "apt-get install busybox-static"),
];

/// `[FILTER]`: plays the scenarios whose names contain it. `--kubeconfig F [FILTER]`: plays them on a cluster that runs
/// somewhere, which has the image, and says what is different there.
pub fn run(args: &[String]) -> Outcome {
    if args.first().is_some_and(|word| word == INSIDE) {
        return inside(args.get(1).map_or("", String::as_str));
    }
    if let [word, kubeconfig, filter @ ..] = args
        && word == "--kubeconfig"
    {
        let kubeconfig = Path::new(kubeconfig);
        let filter = filter.first().map_or("", String::as_str);
        pods::compare(&|| connect(kubeconfig), filter)?.report();
        return Ok(());
    }
    for (program, how) in NEEDED {
        if !Path::new(program).exists() {
            return Err(format!("{program} is not there: {how}"));
        }
    }
    for program in [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
    ] {
        super::program(program)?;
    }
    let outside = Outside::prepare()?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let unshared = [
        "--net",
        "--mount",
        "--pid",
        "--cgroup",
        "--fork",
        "--mount-proc",
        "--kill-child",
    ];
    // A shell of its own moves into the cgroups, so that this process stays where it is.
    let joins: Vec<String> = outside
        .groups
        .iter()
        .map(|group| format!("echo $$ > {}/cgroup.procs", group.display()))
        .collect();
    let script = format!(
        "{}; exec unshare {} -- \"$@\"",
        joins.join(" && "),
        unshared.join(" ")
    );
    let status = Command::new("sh")
        .args(["-c", &script, "sh"])
        .arg(own)
        .args(["peers", "kubelet", INSIDE])
        .args(args)
        .status()
        .map_err(|error| format!("sh: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the real kubelet: {status}; its logs were in {FOLDER}"))
    }
}

/// What is on the machine itself, and goes with it.
struct Outside {
    groups: Vec<PathBuf>,
    settings: Vec<(PathBuf, String)>,
}

impl Outside {
    fn prepare() -> Result<Outside, String> {
        let folder = repository::root().join(FOLDER);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let settings = SETTINGS.iter().filter_map(|name| {
            let path = Path::new("/proc/sys").join(name);
            let value = fs::read_to_string(&path).ok()?;
            Some((path, value))
        });
        let mut outside = Outside {
            groups: Vec::new(),
            settings: settings.collect(),
        };
        for controller in controllers()? {
            let parent = Path::new(GROUPS).join(&controller);
            let group = parent.join(GROUP);
            fs::create_dir_all(&group).map_err(|error| format!("{}: {error}", group.display()))?;
            outside.groups.push(group.clone());
            if controller == "cpuset" {
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let all = fs::read(parent.join(file)).map_err(|error| format!("{file}: {error}"))?;
                    fs::write(group.join(file), all).map_err(|error| format!("{file}: {error}"))?;
                }
            }
        }
        Ok(outside)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for group in &self.groups {
            let removed = remove_groups(group);
            if let Err(error) = removed {
                eprintln!("{}: {error}", group.display());
            }
        }
        for (path, value) in &self.settings {
            if fs::read_to_string(path).is_ok_and(|now| now != *value)
                && let Err(error) = fs::write(path, value)
            {
                eprintln!("{}: {error}", path.display());
            }
        }
    }
}

/// The hierarchies of cgroup v1.
fn controllers() -> Result<Vec<String>, String> {
    let text = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
    let names = text.lines().filter_map(|line| line.split(':').nth(1));
    Ok(names
        .filter(|name| !name.is_empty())
        .map(|name| name.trim_start_matches("name=").to_owned())
        .collect())
}

fn remove_groups(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_groups(&path)?;
        }
    }
    // What was killed leaves its cgroup a moment later.
    let begun = Instant::now();
    loop {
        match fs::remove_dir(group) {
            Err(error) if error.raw_os_error() == Some(16) && begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

fn inside(filter: &str) -> Outcome {
    let folder = repository::root().join(FOLDER);
    own_machine()?;
    let plane = control_plane::Options {
        folder: folder.join("plane"),
        port: None,
        api_only: false,
    };
    control_plane::start(&plane)?;
    let kubeconfig = plane.folder.join("admin.kubeconfig");
    start_node(&folder, &kubeconfig)?;
    let scenarios = pods::scenarios(filter)?;
    let begun = Instant::now();
    let mut failures = Vec::new();
    for (name, observed) in pods::play_all(&scenarios, &|| connect(&kubeconfig)) {
        match observed {
            Ok(observed) => {
                println!("{name}: {} observations", observed.len());
                pods::write(&pods::folder(), &name, &observed)?;
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    println!(
        "{} scenarios in {:.0} s",
        scenarios.len(),
        begun.elapsed().as_secs_f64()
    );
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n"))
    }
}

fn connect(kubeconfig: &Path) -> Result<Box<dyn Server>, String> {
    Ok(Box::new(HttpServer::from_kubeconfig(kubeconfig, None)?))
}

/// Makes of the new namespaces a machine: its own /run, logs and cgroups, an address.
fn own_machine() -> Outcome {
    for folder in ["/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet"] {
        fs::create_dir_all(folder).map_err(|error| format!("{folder}: {error}"))?;
        sh(&format!("mount -t tmpfs tmpfs {folder}"))?;
    }
    sh(&format!(
        "umount -R {GROUPS}; mount -t tmpfs -o mode=755 tmpfs {GROUPS}"
    ))?;
    for controller in controllers()? {
        let option = match controller.as_str() {
            "systemd" => "none,name=systemd",
            other => other,
        };
        let at = format!("{GROUPS}/{controller}");
        sh(&format!("mkdir {at} && mount -t cgroup -o {option} cgroup {at}"))?;
    }
    sh(&format!(
        "ip link set lo up && ip link add node0 type veth peer name node1 && ip link set node1 up && ip addr add {ADDRESS}/24 dev node0 && \
         ip link set node0 up && ip route add default via {ADDRESS}"
    ))
}

fn start_node(folder: &Path, kubeconfig: &Path) -> Outcome {
    let put = |name: &str, text: String| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).map_err(|error| error.to_string())?;
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    let at = |name: &str| folder.join(name).display().to_string();
    put("net/10-bridge.conflist", NETWORK.to_owned())?;
    put("resolv.conf", "nameserver 10.231.0.1\n".to_owned())?;
    put("containerd.toml", containerd_settings(folder))?;
    put("kubelet.yaml", kubelet_settings(folder))?;
    // A socket that is silent answers nothing: each of the two is asked until it does.
    let mut containerd = start(
        folder,
        "containerd",
        Path::new("/usr/bin/containerd"),
        &["--config", &at("containerd.toml")],
    )?;
    let ctr = format!("ctr --address {} --namespace k8s.io", at("containerd.sock"));
    until("containerd", &mut containerd, || {
        sh(&format!("{ctr} version >/dev/null 2>&1")).is_ok()
    })?;
    for (reference, entrypoint) in [(pods::IMAGE, &[][..]), (PAUSE_IMAGE, &["/bin/sleep", "1000000"])] {
        let archive = image::archive(folder, reference, entrypoint, &[])?;
        sh(&format!(
            "{ctr} images import --base-name {reference} {} >/dev/null",
            archive.display()
        ))?;
    }
    let program = super::program("kubelet")?;
    let arguments = [
        format!("--config={}", at("kubelet.yaml")),
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--root-dir={}", at("kubelet")),
        format!("--cert-dir={}", at("certificates")),
        "--hostname-override=node".to_owned(),
        format!("--node-ip={ADDRESS}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut kubelet = start(folder, "kubelet", &program, &arguments)?;
    let mut server = HttpServer::from_kubeconfig(kubeconfig, None)?;
    let request = Request {
        method: "GET".to_owned(),
        path: "/api/v1/nodes/node".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        identity: Identity::Admin,
        lines: None,
    };
    until("kubelet", &mut kubelet, || {
        let node = server
            .send(&request)
            .ok()
            .and_then(|answer| answer.json())
            .unwrap_or_default();
        let conditions = node["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        ready && node["spec"]["taints"].is_null()
    })
}

fn start(folder: &Path, name: &str, program: &Path, arguments: &[&str]) -> Result<Child, String> {
    let log = fs::File::create(folder.join(format!("{name}.log"))).map_err(|error| error.to_string())?;
    let second = log.try_clone().map_err(|error| error.to_string())?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(second)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))
}

fn until(name: &str, child: &mut Child, mut ready: impl FnMut() -> bool) -> Outcome {
    let begun = Instant::now();
    while !ready() {
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || begun.elapsed() > READY_WITHIN {
            let path = repository::root().join(FOLDER).join(format!("{name}.log"));
            let log = fs::read_to_string(path).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            return Err(format!(
                "{name} does not become ready ({ended:?}); the last first:\n{}",
                tail.join("\n")
            ));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn sh(script: &str) -> Outcome {
    repository::stdout(Command::new("sh").args(["-c", script])).map(drop)
}

const NETWORK: &str = r#"{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.232.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "loopback"}]}
"#;

fn containerd_settings(folder: &Path) -> String {
    let folder = folder.display();
    // Where CAP_SYS_RESOURCE is missing a score cannot be lowered, and runc would fail.
    format!(
        r#"version = 2
root = "{folder}/containerd/root"
state = "/run/containerd"
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{folder}/net"
"#
    )
}

/// What differs from the defaults: nothing is evicted for the machine's disk, and the files of volumes are looked after
/// each second (else each minute, which only makes scenarios slower).
fn kubelet_settings(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
containerRuntimeEndpoint: unix://{folder}/containerd.sock
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
resolvConf: {folder}/resolv.conf
podLogsDir: /var/log/pods
seccompDefault: true
syncFrequency: 1s
volumeStatsAggPeriod: 1s
makeIPTablesUtilChains: false
oomScoreAdj: 0
evictionHard: {{memory.available: 1Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}}
imageGCHighThresholdPercent: 100
healthzPort: 0
"#
    )
}
