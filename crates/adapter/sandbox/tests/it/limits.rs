//! Memory, CPU and processes.

use deploy_sandbox::Resources;

use crate::world::{exited, run, until};

#[test]
fn limits_are_in_the_kernel_and_usage_is_counted() {
    run("limits", |world| async move {
        let sandboxes = world.open().await;
        let mut spec = world.spec("pod");
        spec.resources = Resources {
            memory: Some(256 << 20),
            cpu_shares: Some(512),
            pids: Some(100),
            ..Resources::default()
        };
        let sandbox = sandboxes.create(spec).await.unwrap();
        let mut spec = world.container(
            "one",
            "dd if=/dev/zero of=/dev/null bs=1M count=500 2>/dev/null; echo ready; sleep 1000",
        );
        spec.resources = Resources {
            memory: Some(64 << 20),
            cpu_shares: Some(128),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            pids: Some(20),
        };
        spec.oom_score_adj = Some(900);
        let info = sandbox.create_container(spec).await.unwrap();
        sandbox.start("one").await.unwrap();
        world.until_said("one", "ready").await;
        let score = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", info.pid.unwrap())).unwrap();
        assert_eq!(score.trim(), "900");
        let usage = sandbox.usage("one").await.unwrap();
        assert_eq!(usage.memory_limit_bytes, Some(64 << 20));
        assert_eq!(usage.pids_limit, Some(20));
        assert!(usage.cpu_ns > 1_000_000, "{usage:?}");
        assert!(
            usage.memory_bytes > 0 && usage.working_set_bytes <= usage.memory_bytes,
            "{usage:?}"
        );
        assert!((1..=2).contains(&usage.pids), "{usage:?}");
        let pod = sandbox.usage_pod().await.unwrap();
        assert_eq!(pod.memory_limit_bytes, Some(256 << 20));
        assert!(pod.cpu_ns >= usage.cpu_ns && pod.memory_bytes > 0, "{pod:?}");
        assert!(sandbox.usage("two").await.is_none());
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn too_much_memory_ends_a_container_and_is_told() {
    run("oom", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container("one", "exec dd if=/dev/zero of=/dev/null bs=200M count=1");
        spec.resources.memory = Some(32 << 20);
        let (exit, _, _) = world.finish(&sandbox, spec).await;
        assert_eq!((exit.code, exit.signal, exit.oom_killed), (137, Some(9), true));
        // A child that is killed does not end the container, and is told when it ends.
        let mut spec = world.container("two", "dd if=/dev/zero of=/dev/null bs=200M count=1; exit 3");
        spec.resources.memory = Some(32 << 20);
        let (exit, _, _) = world.finish(&sandbox, spec).await;
        assert!(exit.oom_killed, "{exit:?}");
        // A limit of the sandbox, not of the container.
        sandbox.stop().await.unwrap();
        let mut spec = world.spec("small");
        spec.resources.memory = Some(32 << 20);
        let sandbox = world.open().await.create(spec).await.unwrap();
        let spec = world.container("three", "exec dd if=/dev/zero of=/dev/null bs=200M count=1");
        let (exit, _, _) = world.finish(&sandbox, spec).await;
        assert_eq!((exit.code, exit.oom_killed), (137, true));
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_fork_bomb_meets_its_limit_and_can_be_killed() {
    run("bomb", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container("one", "echo ready; bomb() { bomb | bomb & }; bomb; sleep 1000");
        spec.resources.pids = Some(50);
        let mut events = sandbox.events();
        sandbox.create_container(spec).await.unwrap();
        sandbox.start("one").await.unwrap();
        world.until_said("one", "ready").await;
        until("the bomb goes off", || world.said("one").1.contains("can't fork")).await;
        assert!(sandbox.usage("one").await.unwrap().pids <= 50);
        // Another container is not touched by it.
        let (exit, out, _) = world.finish(&sandbox, world.container("two", "echo fine")).await;
        assert_eq!((exit.code, out.as_str()), (0, "fine\n"));
        sandbox.kill("one", 9, true).await.unwrap();
        exited(&mut events, "one").await;
        sandbox.stop().await.unwrap();
    });
}
