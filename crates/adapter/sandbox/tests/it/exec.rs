//! Processes in running containers, and those who attach.

use std::time::Duration;

use deploy_sandbox::{ExecSpec, Sandbox, SandboxError, User};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::world::{PATIENCE, World, exited, run};

fn exec(script: &str) -> ExecSpec {
    ExecSpec {
        args: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        ..ExecSpec::default()
    }
}

async fn text(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut text = String::new();
    let mut stream = stream.expect("the stream was asked for");
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text))
        .await
        .expect("the stream does not end")
        .unwrap();
    text
}

/// Reads until something has come.
async fn until(stream: &mut (impl AsyncRead + Unpin), wanted: &str) -> String {
    let mut all = Vec::new();
    let read = async {
        let mut buffer = [0; 1024];
        while !String::from_utf8_lossy(&all).contains(wanted) {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "ended after {:?}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&buffer[..count]);
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, read).await;
    assert!(outcome.is_ok(), "{wanted:?} does not come");
    String::from_utf8_lossy(&all).into_owned()
}

async fn running(world: &World) -> Sandbox {
    let sandbox = world.sandbox().await;
    let mut spec = world.container("one", "echo ready; sleep 1000");
    spec.env.push(("OF".to_owned(), "container".to_owned()));
    spec.cwd = "/data".to_owned();
    spec.resources.memory = Some(64 << 20);
    sandbox.create_container(spec).await.unwrap();
    sandbox.start("one").await.unwrap();
    world.until_said("one", "ready").await;
    sandbox
}

#[test]
fn a_process_in_a_container_is_like_its_own() {
    run("exec", |world| async move {
        let sandbox = running(&world).await;
        let mut one = sandbox
            .exec("one", exec("echo $OF $HOME; pwd; id -u; grep -E 'CapEff|Seccomp:' /proc/self/status; echo no >&2; exit 9"))
            .await
            .unwrap();
        let (out, err) = (text(one.stdout.take()).await, text(one.stderr.take()).await);
        assert_eq!(
            out,
            "container /root\n/data\n0\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n"
        );
        assert_eq!(err, "no\n");
        assert_eq!(one.wait().await.unwrap().code, 9);
        assert_eq!(one.wait().await.unwrap().code, 9, "asked again");

        let mut spec = exec("cat; id -u; id -g; pwd; echo $A $OF");
        spec.stdin = true;
        spec.user = Some(User {
            uid: 1000,
            gid: 1000,
            groups: Vec::new(),
        });
        spec.cwd = Some("/tmp".to_owned());
        spec.env = Some(vec![
            ("PATH".to_owned(), "/bin".to_owned()),
            ("A".to_owned(), "b".to_owned()),
        ]);
        let mut two = sandbox.exec("one", spec).await.unwrap();
        let mut stdin = two.stdin.take().unwrap();
        stdin.write_all(b"typed\n").await.unwrap();
        drop(stdin);
        assert_eq!(text(two.stdout.take()).await, "typed\n1000\n1000\n/tmp\nb\n");
        assert_eq!(two.wait().await.unwrap().code, 0);

        // It counts towards the container's limits.
        let mut three = sandbox.exec("one", exec("cat /proc/self/cgroup")).await.unwrap();
        let groups = text(three.stdout.take()).await;
        assert!(groups.contains("/pods/pod/one\n"), "{groups}");
        three.wait().await.unwrap();
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn what_cannot_be_executed_says_why() {
    run("exec-cannot", |world| async move {
        let sandbox = running(&world).await;
        let mut spec = exec("");
        spec.args = vec!["bash".to_owned()];
        let error = sandbox.exec("one", spec).await.unwrap_err();
        assert_eq!(
            error,
            SandboxError::Program("exec: \"bash\": executable file not found in $PATH".to_owned())
        );
        let error = sandbox.exec("two", exec("true")).await.unwrap_err();
        assert_eq!(error, SandboxError::NotFound("two".to_owned()));
        let mut events = sandbox.events();
        sandbox.kill("one", 9, false).await.unwrap();
        exited(&mut events, "one").await;
        let error = sandbox.exec("one", exec("true")).await.unwrap_err();
        assert_eq!(error.to_string(), "container one is not running");
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_terminal_has_a_size_and_an_end() {
    run("terminal", |world| async move {
        let sandbox = running(&world).await;
        let mut spec = exec("echo start; tty; read line; stty size; echo got $line; echo $TERM; exit 6");
        (spec.tty, spec.stdin) = (true, true);
        let mut one = sandbox.exec("one", spec).await.unwrap();
        let mut out = one.stdout.take().unwrap();
        assert!(until(&mut out, "/dev/pts/").await.starts_with("start\r\n"));
        one.resizer.as_ref().unwrap().resize(132, 43).unwrap();
        one.stdin.as_mut().unwrap().write_all(b"words\n").await.unwrap();
        let rest = text(Some(out)).await;
        assert!(rest.contains("43 132\r\ngot words\r\nxterm\r\n"), "{rest:?}");
        assert_eq!(one.wait().await.unwrap().code, 6);
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_process_can_be_killed_and_its_container_takes_it_along() {
    run("exec-kill", |world| async move {
        let sandbox = running(&world).await;
        let mut one = sandbox.exec("one", exec("sleep 1000")).await.unwrap();
        one.kill(15).await.unwrap();
        assert_eq!(one.wait().await.unwrap().code, 143);
        let mut two = sandbox.exec("one", exec("sleep 1000")).await.unwrap();
        let mut events = sandbox.events();
        sandbox.kill("one", 9, false).await.unwrap();
        exited(&mut events, "one").await;
        assert_eq!(two.wait().await.unwrap().code, 137);
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn those_attached_hear_and_speak() {
    run("attach", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container(
            "one",
            "while read line; do echo \"heard $line\"; echo err >&2; done; echo over",
        );
        (spec.stdin, spec.stdin_once) = (true, true);
        let mut events = sandbox.events();
        sandbox.create_container(spec).await.unwrap();
        sandbox.start("one").await.unwrap();
        let mut listener = sandbox.attach("one").await.unwrap();
        let mut stdin = listener.stdin.take().unwrap();
        let second = sandbox.attach("one").await.unwrap();
        assert!(second.stdin.is_none(), "only the first speaks");
        stdin.write_all(b"one\ntwo\n").await.unwrap();
        drop(stdin);
        let (out, err) = (
            text(listener.stdout.take()).await,
            text(listener.stderr.take()).await,
        );
        assert_eq!(
            (out.as_str(), err.as_str()),
            ("heard one\nheard two\nover\n", "err\nerr\n")
        );
        assert_eq!(text(second.stdout).await, out);
        assert_eq!(exited(&mut events, "one").await.code, 0);
        assert_eq!(world.said("one").0, out);
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_terminal_of_a_container_is_attached() {
    run("attach-tty", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container("one", "read line; stty size; echo got $line");
        (spec.stdin, spec.tty) = (true, true);
        let mut events = sandbox.events();
        sandbox.create_container(spec).await.unwrap();
        sandbox.start("one").await.unwrap();
        let mut listener = sandbox.attach("one").await.unwrap();
        listener.resizer.as_ref().unwrap().resize(99, 22).unwrap();
        listener.stdin.as_mut().unwrap().write_all(b"it\n").await.unwrap();
        let out = text(listener.stdout.take()).await;
        assert!(out.ends_with("22 99\r\ngot it\r\n"), "{out:?}");
        assert_eq!(exited(&mut events, "one").await.code, 0);
        assert!(world.said("one").0.contains("got it"));
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn who_leaves_or_sleeps_does_not_stop_the_container() {
    run("attach-slow", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container("one", "read go; yes line | head -n 200000; echo over");
        spec.stdin = true;
        let mut events = sandbox.events();
        sandbox.create_container(spec).await.unwrap();
        sandbox.start("one").await.unwrap();
        let gone = sandbox.attach("one").await.unwrap();
        drop(gone);
        // Takes nothing: after the patience of the shim the container goes on without it.
        let sleeper = sandbox.attach("one").await.unwrap();
        let mut speaker = sandbox.attach("one").await.unwrap();
        speaker.stdin.as_mut().unwrap().write_all(b"go\n").await.unwrap();
        drop(speaker);
        let exit = tokio::time::timeout(Duration::from_secs(40), exited(&mut events, "one"))
            .await
            .unwrap();
        assert_eq!(exit.code, 0);
        drop(sleeper);
        sandbox.stop().await.unwrap();
    });
}
