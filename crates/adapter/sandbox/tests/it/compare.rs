//! The same containers by runc: what a program sees is equal.

use std::path::Path;
use std::process::Command;

use deploy_sandbox::{Capabilities, ContainerSpec, Mount, MountSource, Resources, Runtime, Seccomp, User};

use crate::world::{World, run_with};

/// Prints all that a program can see of how it is run. What it tries changes nothing but the container, even where it
/// succeeds.
const LOOK: &str = "
    env | grep -v ^SHLVL= | sort; id; pwd; umask; ulimit -a
    grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Uid|Gid|SigBlk)' /proc/self/status
    # The two highest are the C library's own, and come from whoever started the test.
    busybox sed -n 's/^SigIgn:.*\\(.......\\)$/SigIgn \\1/p' /proc/self/status
    while read source target kind options rest; do
        case \"$options\" in ro,*|ro) access=ro;; *) access=rw;; esac
        for flag in nosuid nodev noexec; do
            case \",$options,\" in *,$flag,*) access=$access,$flag;; esac
        done
        echo \"mount $target $kind $access\"
    done < /proc/mounts | sort -u
    ls -la /dev | grep -v total | tr -s ' ' | cut -d' ' -f1,3,4 | sort; ls /dev | sort; readlink /dev/fd /dev/ptmx /dev/stdin
    ls /proc/self/fd | wc -l
    for file in cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes pids/pids.max \
                cpu.weight cpu.max memory.max pids.max; do
        [ -e /sys/fs/cgroup/$file ] && echo $file $(cat /sys/fs/cgroup/$file)
    done
    mkdir /made 2>&1; mknod /dev/a b 254 0 2>&1; head -c1 /dev/a 2>&1; unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1
    chroot / true 2>&1; hostname x 2>&1; echo $$";

fn cases(world: &World) -> Vec<(&'static str, ContainerSpec)> {
    let volume = world.root.join("volume");
    std::fs::create_dir_all(volume.join("deep")).unwrap();
    let mut cases = vec![("plain", world.container("plain", LOOK))];
    let mut spec = world.container("user", &format!("{LOOK}; exit 42"));
    spec.user = User {
        uid: 1000,
        gid: 1000,
        groups: vec![20, 30],
    };
    spec.allow_privilege_escalation = false;
    spec.cwd = "/data".to_owned();
    cases.push(("user", spec));
    let mut spec = world.container("limits", LOOK);
    spec.resources = Resources {
        cpu_shares: Some(256),
        cpu_quota: Some(20_000),
        cpu_period: Some(100_000),
        memory: Some(64 << 20),
        pids: Some(64),
    };
    spec.rootfs.read_only = true;
    cases.push(("limits", spec));
    let mut spec = world.container("mounts", LOOK);
    spec.mounts = vec![
        Mount::bind(&volume, "/v", false),
        Mount::bind(&volume, "/w", true),
        Mount::bind(volume.join("deep"), "/new/deep", false),
        Mount {
            source: MountSource::Tmpfs {
                size: Some(1 << 20),
                mode: 0o700,
            },
            ..Mount::bind("", "/scratch", false)
        },
    ];
    cases.push(("mounts", spec));
    let mut spec = world.container("capabilities", LOOK);
    spec.capabilities = Capabilities {
        add: vec!["SYS_ADMIN".to_owned(), "NET_ADMIN".to_owned()],
        drop: vec!["CHOWN".to_owned(), "MKNOD".to_owned()],
    };
    cases.push(("capabilities", spec));
    let mut spec = world.container("unconfined", LOOK);
    spec.seccomp = Seccomp::Unconfined;
    spec.unmasked_paths = true;
    cases.push(("unconfined", spec));
    cases
}

/// What a program sees of the limits of that case, by the version of control groups.
const LIMITS: [&[&str]; 2] = [
    &[
        "cpu/cpu.shares 256",
        "cpu/cpu.cfs_quota_us 20000",
        "cpu/cpu.cfs_period_us 100000",
        "memory/memory.limit_in_bytes 67108864",
        "pids/pids.max 64",
    ],
    &["cpu.max 20000 100000", "memory.max 67108864", "pids.max 64"],
];

/// Everything of one runtime: exit code and output by case.
fn observe(runtime: Runtime) -> Vec<(&'static str, i32, Vec<String>)> {
    let mut seen = Vec::new();
    let to = &mut seen;
    run_with("compare", runtime, |world| async move {
        let sandbox = world.sandbox().await;
        for (name, spec) in cases(&world) {
            let (exit, out, err) = world.finish(&sandbox, spec).await;
            // Ours is read-only here, on top of runc's.
            let stricter = "mount /sys/fs/cgroup tmpfs ro,";
            let lines = format!("{out}{err}")
                .lines()
                .filter(|line| !line.starts_with(stricter))
                .map(str::to_owned)
                .collect();
            to.push((name, exit.code, lines));
        }
        sandbox.stop().await.unwrap();
    });
    seen
}

#[test]
fn a_program_sees_what_it_sees_under_runc() {
    let Some(runc) = ["/usr/bin/runc", "/usr/sbin/runc"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
    else {
        println!("skipped: runc is not installed");
        return;
    };
    let theirs = observe(Runtime::Runc(runc.to_path_buf()));
    let ours = observe(Runtime::Own);
    assert_eq!(ours.len(), theirs.len());
    let mut compared = 0;
    for ((name, our_code, our_lines), (_, their_code, their_lines)) in ours.iter().zip(&theirs) {
        assert_eq!(our_code, their_code, "{name}: {our_lines:#?} {their_lines:#?}");
        let missing: Vec<_> = their_lines
            .iter()
            .filter(|line| !our_lines.contains(line))
            .collect();
        let more: Vec<_> = our_lines
            .iter()
            .filter(|line| !their_lines.contains(line))
            .collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{name}: runc {missing:#?}, ours {more:#?}"
        );
        if *name == "limits" {
            let has = |limits: &&[&str]| {
                limits
                    .iter()
                    .all(|limit| our_lines.iter().any(|line| line == limit))
            };
            assert!(LIMITS.iter().any(has), "{our_lines:#?}");
        }
        compared += our_lines.len();
    }
    println!("{compared} lines of {} containers are equal", ours.len());
}

/// Set for the process that ignores signals.
const DEAF: &str = "DEPLOY_TEST_DEAF";

#[test]
fn a_program_hears_what_the_server_ignores() {
    if std::env::var_os(DEAF).is_some() {
        let seen = observe(Runtime::Own);
        let hears = |lines: &[String]| lines.iter().any(|line| line == "SigIgn 0000000");
        assert!(seen.iter().all(|(_, _, lines)| hears(lines)), "{seen:#?}");
        return;
    }
    let here = std::env::current_exe().expect("this test");
    let test = "compare::a_program_hears_what_the_server_ignores";
    let status = Command::new("sh")
        .args([
            "-c",
            "trap '' HUP USR1 TERM; exec \"$0\" --exact \"$1\" --nocapture",
        ])
        .arg(here)
        .arg(test)
        .env(DEAF, "1")
        .status()
        .expect("sh is there");
    assert!(status.success());
}
