//! What only a process of its own shows: pipes, devices, terminals, bytes that are no text.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use deploy_cli::{Invocation, Terminal};
use deploy_model::Exit;

fn deploy() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.env_clear().env("HOME", "/nonexistent");
    command
}

#[test]
fn a_reader_that_had_enough_is_no_error() {
    let mut child = deploy()
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}

#[test]
fn a_full_disk_is_one() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = deploy()
        .arg("explain")
        .stdout(full)
        .output()
        .expect("the binary runs");
    let talk = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        talk.contains("DEP-CLI-002") && talk.contains("no space left on device"),
        "{talk}"
    );
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let output = deploy()
        .arg("render")
        .arg(OsStr::from_bytes(b"a\xffb"))
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("DEP-CLI-001"));
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let coloured = |stderr: bool, env: &[(&str, &str)], args: &[&str]| {
        let invocation = Invocation {
            args: args.iter().map(Into::into).collect(),
            cwd: "/".into(),
            env: env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            terminal: Terminal {
                stdin: false,
                stdout: false,
                stderr,
            },
            stdin: Box::new(std::io::empty()),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(deploy_cli::run(invocation, &mut out, &mut err), Exit::Usage);
        String::from_utf8(err).expect("UTF-8").contains('\x1b')
    };
    for (expected, stderr, env, args) in [
        (true, true, [].as_slice(), ["nothing"].as_slice()),
        (false, false, &[], &["nothing"]),
        (false, true, &[("NO_COLOR", "1")], &["nothing"]),
        (false, true, &[("TERM", "dumb")], &["nothing"]),
        (false, true, &[("DEPLOY_COLOR", "never")], &["nothing"]),
        (
            true,
            false,
            &[("NO_COLOR", "1")],
            &["--color", "always", "nothing"],
        ),
    ] {
        assert_eq!(coloured(stderr, env, args), expected, "{stderr} {env:?} {args:?}");
    }
}
