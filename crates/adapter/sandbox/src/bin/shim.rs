//! What the tests of this crate execute: a shim, or a server that they kill.

use std::io::{Read, Write};
use std::path::PathBuf;

use deploy_sandbox::{ContainerSpec, Options, Runtime, SandboxSpec, Sandboxes};

fn main() {
    deploy_sandbox::shim::dispatch();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(server());
}

/// Makes what standard input says, and says when it is made. Then it waits to be killed.
async fn server() {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .expect("standard input");
    let (root, cgroup_parent, sandbox, containers): (PathBuf, String, SandboxSpec, Vec<ContainerSpec>) =
        serde_json::from_str(&text).expect("what to make");
    let options = Options {
        root,
        cgroup_parent,
        program: "/proc/self/exe".into(),
        runtime: Runtime::Own,
    };
    let sandboxes = Sandboxes::open(options).await.expect("sandboxes");
    let sandbox = sandboxes.create(sandbox).await.expect("a sandbox");
    for container in containers {
        let id = container.id.clone();
        sandbox.create_container(container).await.expect("a container");
        sandbox.start(&id).await.expect("a start");
    }
    std::io::stdout().write_all(b"made\n").expect("standard output");
    std::future::pending::<()>().await;
}
