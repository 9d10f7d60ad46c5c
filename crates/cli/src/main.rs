//! The `deploy` binary: it hands the process to [`deploy_cli::run`], and nothing else.

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use deploy_cli::{Invocation, Terminal};
use deploy_model::Exit;

/// Large enough that a render reaches the pipe in a few writes.
const STDOUT_BUFFER_BYTES: usize = 64 * 1024;

fn main() -> ExitCode {
    // A pod's shim is this program executed again, and single-threaded: before anything else.
    deploy_sandbox::shim::dispatch();
    ExitCode::from(command() as u8)
}

fn command() -> Exit {
    let invocation = Invocation {
        args: std::env::args_os().skip(1).collect(),
        // A folder that was removed under us: absolute paths still work.
        cwd: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        env: std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect(),
        terminal: Terminal {
            stdin: io::stdin().is_terminal(),
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
        },
        stdin: Box::new(io::stdin()),
    };
    let mut out = BufWriter::with_capacity(STDOUT_BUFFER_BYTES, io::stdout().lock());
    deploy_cli::run(invocation, &mut out, &mut io::stderr().lock())
}
