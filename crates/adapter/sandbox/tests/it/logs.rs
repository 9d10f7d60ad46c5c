//! What is written to logs.

use std::fs;

use deploy_sandbox::LogFile;

use crate::world::{exited, run};

#[test]
fn lines_are_whole_tagged_and_complete() {
    run("lines", |world| async move {
        let sandbox = world.sandbox().await;
        let script = "seq 1 20000; printf 'no end'; exec >&-; echo late >&2";
        let (_, out, err) = world.finish(&sandbox, world.container("one", script)).await;
        let expected: String = (1..=20000)
            .map(|number| format!("{number}\n"))
            .collect::<String>()
            + "no end";
        assert!(out == expected, "{} of {} bytes", out.len(), expected.len());
        assert_eq!(err, "late\n");
        let text = fs::read_to_string(world.log("one")).unwrap();
        assert!(text.lines().any(|line| line.ends_with(" stdout P no end")));
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_flood_is_bounded_in_memory_and_on_disk() {
    run("flood", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container("one", "yes 'much ado' | head -c 50000000");
        spec.log = Some(LogFile {
            path: world.log("one"),
            max_size: 1 << 20,
            max_files: 3,
        });
        let mut events = sandbox.events();
        sandbox.create_container(spec).await.unwrap();
        sandbox.start("one").await.unwrap();
        assert_eq!(exited(&mut events, "one").await.code, 0);
        let files: Vec<u64> = fs::read_dir(&world.root)
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("one.log"))
            .map(|entry| entry.metadata().unwrap().len())
            .collect();
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(
            files.iter().all(|size| *size <= (1 << 20) + (256 << 10)),
            "{files:?}"
        );
        let status = fs::read_to_string(format!("/proc/{}/status", sandbox.pid())).unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap()
            .to_owned();
        let kilobytes: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kilobytes < 40_000, "{peak}");
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_process_that_keeps_the_pipe_does_not_keep_the_exit() {
    run("keeps", |world| async move {
        let sandboxes = world.open().await;
        let mut spec = world.spec("pod");
        spec.share_pids = true;
        let sandbox = sandboxes.create(spec).await.unwrap();
        // An exec's child outlives the exec and holds its output open.
        sandbox
            .create_container(world.container("one", "echo ready; sleep 1000"))
            .await
            .unwrap();
        sandbox.start("one").await.unwrap();
        world.until_said("one", "ready").await;
        let args = ["/bin/sh", "-c", "setsid sleep 999 & echo done; exit 4"];
        let spec = deploy_sandbox::ExecSpec {
            args: args.map(str::to_owned).to_vec(),
            ..Default::default()
        };
        let mut exec = sandbox.exec("one", spec).await.unwrap();
        assert_eq!(exec.wait().await.unwrap().code, 4);
        let (exit, out, _) = world
            .finish(
                &sandbox,
                world.container("two", "setsid sleep 998 & echo done; exit 5"),
            )
            .await;
        assert_eq!((exit.code, out.as_str()), (5, "done\n"));
        sandbox.stop().await.unwrap();
    });
}
