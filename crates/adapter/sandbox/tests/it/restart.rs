//! Servers and shims that die.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use deploy_sandbox::{ContainerSpec, Event, Mount, SandboxSpec, Sandboxes};

use crate::world::{PATIENCE, World, exited, run, until};

/// A server that has made a sandbox and its containers.
struct Server(Child);

impl Server {
    fn start(world: &World, sandbox: &SandboxSpec, containers: &[ContainerSpec]) -> Server {
        let options = world.options();
        let mut child = Command::new(&options.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = serde_json::to_vec(&(&options.root, &options.cgroup_parent, sandbox, containers)).unwrap();
        child.stdin.take().unwrap().write_all(&text).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "made\n");
        Server(child)
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_killed_server_loses_nothing() {
    run("adopt", |world| async move {
        let gate = world.root.join("gate");
        fs::create_dir_all(&gate).unwrap();
        let mut later = world.container(
            "later",
            "while [ ! -e /gate/open ]; do usleep 1000; done; echo went; exit 5",
        );
        later.mounts.push(Mount::bind(&gate, "/gate", true));
        let forever = world.container("forever", "echo ready; while :; do echo tick; usleep 20000; done");
        let done = world.container("done", "exit 2");
        let server = Server::start(&world, &world.spec("pod"), &[later, forever, done]);
        world.until_said("forever", "ready").await;
        server.kill();
        // One ends while there is no server.
        fs::write(gate.join("open"), "").unwrap();
        world.until_said("later", "went").await;
        let ticks = || world.said("forever").0.matches("tick").count();
        let before = ticks();
        until("the container goes on", || ticks() > before + 2).await;

        let sandboxes = world.open().await;
        let adopted = sandboxes.adopt().await;
        assert_eq!(adopted.len(), 1);
        let sandbox = &adopted[0];
        assert_eq!(sandbox.id(), "pod");
        assert_eq!(sandbox.labels()["uid"], "pod");
        assert_eq!(sandbox.container("done").unwrap().exit.unwrap().code, 2);
        let info = sandbox.container("forever").unwrap();
        assert!(info.exit.is_none() && info.started_at.is_some() && alive(info.pid.unwrap()));
        let mut events = sandbox.events();
        if sandbox.container("later").unwrap().exit.is_none() {
            exited(&mut events, "later").await;
        }
        assert_eq!(sandbox.container("later").unwrap().exit.unwrap().code, 5);
        sandbox.kill("forever", 15, false).await.unwrap();
        sandbox.kill("forever", 9, false).await.unwrap();
        assert_eq!(exited(&mut events, "forever").await.code, 137);
        // One that was given away in the meantime is not made twice.
        let error = sandboxes.create(world.spec("pod")).await.unwrap_err();
        assert_eq!(error.to_string(), "pod already exists");
        sandbox.stop().await.unwrap();
        assert!(sandboxes.adopt().await.is_empty());
        sandboxes.close().await;
    });
}

#[test]
fn with_a_shim_its_containers_die_and_leave_nothing() {
    run("lost", |world| async move {
        let sandboxes = world.open().await;
        let sandbox = sandboxes.create(world.spec("pod")).await.unwrap();
        let script = "echo ready; setsid sleep 1000 & sleep 1000";
        let info = sandbox
            .create_container(world.container("one", script))
            .await
            .unwrap();
        sandbox.start("one").await.unwrap();
        world.until_said("one", "ready").await;
        let mut events = sandbox.events();
        let shim = rustix::process::Pid::from_raw(i32::try_from(sandbox.pid()).unwrap()).unwrap();
        rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
        let lost = async { while events.next().await != Some(Event::Lost) {} };
        tokio::time::timeout(PATIENCE, lost).await.unwrap();
        assert!(!sandbox.alive());
        until("the container dies", || !alive(info.pid.unwrap())).await;
        let error = sandbox.start("one").await.unwrap_err();
        assert!(error.to_string().starts_with("the sandbox is lost"), "{error}");
        // A new one takes its place, whether the old one was stopped or not.
        let again = sandboxes.create(world.spec("pod")).await.unwrap();
        let (exit, _, _) = world.finish(&again, world.container("two", "exit 3")).await;
        assert_eq!(exit.code, 3);
        again.stop().await.unwrap();
        assert!(!world.options().root.join("pod").exists());
    });
}

#[test]
fn after_a_crash_of_all_a_sweep_leaves_nothing() {
    run("sweep", |world| async move {
        let mut spec = world.spec("pod");
        spec.host_pid = true;
        let container = world.container("one", "setsid sleep 1000 & sleep 1000");
        let server = Server::start(&world, &spec, &[container]);
        let adopted = world.open().await.adopt().await;
        let (shim, pid) = (
            adopted[0].pid(),
            adopted[0].container("one").unwrap().pid.unwrap(),
        );
        server.kill();
        let options = world.options();
        Sandboxes::sweep(&options.root, &options.cgroup_parent)
            .await
            .unwrap();
        assert!(!alive(shim) && !alive(pid));
        assert!(!options.root.exists());
        Sandboxes::sweep(&options.root, &options.cgroup_parent)
            .await
            .unwrap();
    });
}

#[test]
fn a_server_that_lets_go_can_come_back() {
    run("close", |world| async move {
        let sandboxes = world.open().await;
        let sandbox = sandboxes.create(world.spec("pod")).await.unwrap();
        sandbox
            .create_container(world.container("one", "echo ready; sleep 1000"))
            .await
            .unwrap();
        sandbox.start("one").await.unwrap();
        world.until_said("one", "ready").await;
        sandboxes.close().await;
        drop(sandbox);
        let again = world.open().await;
        let adopted = again.adopt().await;
        assert!(adopted[0].container("one").unwrap().exit.is_none());
        adopted[0].stop().await.unwrap();
    });
}
