//! What a container may not do.

use deploy_sandbox::{Capabilities, Seccomp};

use crate::world::run;

/// The lines of /proc/self/status that tell how a process is confined.
const STATUS: &str = "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status";

fn field(status: &str, name: &str) -> String {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
        .to_owned()
}

#[test]
fn capabilities_and_filters_are_as_asked() {
    run("confined", |world| async move {
        let sandbox = world.sandbox().await;
        let (_, out, _) = world.finish(&sandbox, world.container("default", STATUS)).await;
        assert_eq!(field(&out, "CapBnd"), "00000000a80425fb");
        assert_eq!(field(&out, "CapEff"), "00000000a80425fb");
        assert_eq!(field(&out, "CapInh"), "0000000000000000");
        assert_eq!(field(&out, "CapAmb"), "0000000000000000");
        assert_eq!(
            field(&out, "NoNewPrivs"),
            "0",
            "setuid programs work unless they are forbidden"
        );
        assert_eq!(field(&out, "Seccomp"), "2");

        let mut spec = world.container("strict", STATUS);
        spec.allow_privilege_escalation = false;
        spec.user.uid = 1000;
        spec.capabilities = Capabilities {
            add: vec!["NET_ADMIN".to_owned()],
            drop: vec!["ALL".to_owned()],
        };
        let (_, out, _) = world.finish(&sandbox, spec).await;
        assert_eq!(field(&out, "CapBnd"), "0000000000001000");
        assert_eq!(field(&out, "CapEff"), "0000000000000000");
        assert_eq!(field(&out, "NoNewPrivs"), "1");
        assert_eq!(field(&out, "Seccomp"), "2");

        let mut spec = world.container(
            "open",
            &format!("{STATUS}; ls /dev/ | wc -l; echo x > /proc/sys/kernel/domainname"),
        );
        spec.privileged = true;
        let (_, out, err) = world.finish(&sandbox, spec).await;
        assert_eq!(field(&out, "Seccomp"), "0");
        assert_eq!(field(&out, "CapEff"), field(&out, "CapBnd"));
        assert!(u64::from_str_radix(&field(&out, "CapEff"), 16).unwrap() & (1 << 21) != 0);
        assert_eq!(err, "", "/proc/sys is writable");

        let mut spec = world.container("unconfined", STATUS);
        spec.seccomp = Seccomp::Unconfined;
        let (_, out, _) = world.finish(&sandbox, spec).await;
        assert_eq!(field(&out, "Seccomp"), "0");
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_profile_in_a_file_is_kept() {
    run("profile", |world| async move {
        let sandbox = world.sandbox().await;
        let path = world.root.join("profile.json");
        std::fs::write(
            &path,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#,
        )
        .unwrap();
        let mut spec = world.container("one", "mkdir /x; echo $?");
        spec.seccomp = Seccomp::File(path);
        let (_, out, err) = world.finish(&sandbox, spec).await;
        assert_eq!(
            (out.as_str(), err.contains("No space left")),
            ("1\n", true),
            "{err}"
        );
        let mut spec = world.container("two", "true");
        spec.seccomp = Seccomp::File(world.root.join("none.json"));
        let error = sandbox.create_container(spec).await.unwrap_err();
        assert!(
            error.to_string().contains("cannot load seccomp profile"),
            "{error}"
        );
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn the_machine_is_out_of_reach() {
    // Files are only opened to be written, so that a failure of this test harms nobody.
    run("reach", |world| async move {
        let sandbox = world.sandbox().await;
        let script = "
            try() { \"$@\" >/dev/null 2>&1 && echo \"could: $*\"; }
            write() { (: >> \"$1\") 2>/dev/null && echo \"may write $1\"; }
            write /proc/sys/kernel/panic; write /proc/sysrq-trigger; write /proc/irq/default_smp_affinity
            write /sys/kernel/mm/ksm/run; write /sys/fs/cgroup/memory/memory.limit_in_bytes
            write /sys/fs/cgroup/memory.max
            write /sys/fs/cgroup/cgroup.procs; write /sys/fs/cgroup/devices/devices.allow; try mkdir /sys/fs/cgroup/pids/x
            try mount -t tmpfs none /tmp; try mount -o remount,rw /proc/sys; try unshare -m true
            try unshare -U true; try chroot /nowhere; head -c 1 /proc/kcore /proc/keys 2>/dev/null | grep -v '^==>' | grep .
            [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ] || [ -e /sys/fs/cgroup/memory.stat ] || echo no groups
            mknod /tmp/disk b 254 0; mknod /tmp/mem c 1 1
            try head -c 1 /tmp/disk; try head -c 1 /tmp/mem
            ls /sys/firmware /proc/scsi /proc/acpi 2>/dev/null | grep -v : | grep .
            ls /proc | grep -c '^[0-9]' | grep -qE '^[0-9]$' || echo sees others
            echo end";
        let (_, out, _) = world.finish(&sandbox, world.container("one", script)).await;
        assert_eq!(out, "end\n");
        let mut spec = world.container("ro", "touch /x || touch /dev/shm/y && echo only memory");
        spec.rootfs.read_only = true;
        let (_, out, _) = world.finish(&sandbox, spec).await;
        assert_eq!(out, "only memory\n");
        sandbox.stop().await.unwrap();
    });
}
