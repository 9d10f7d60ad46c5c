//! The last steps before a container's program: signals, capabilities, filter.
//!
//! Without `no_new_privs` a filter needs the administrator's capability, so it comes before capabilities are dropped;
//! with it, after (seccomp(2); runc does the same). seccompiler always sets `no_new_privs`, which would take setuid
//! programs (ping, su, sudo) from every container that may have them. So the call is made here, once, by hand; with the
//! reset of signals it is the only unsafe code of the crate.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use rustix::process::{Signal, set_parent_process_death_signal};
use seccompiler::BpfProgram;

/// Linux has signals 1 to 64 (signal(7)).
const LAST_SIGNAL: libc::c_int = 64;

/// Leaves behind what the shim has set for itself, and dies with the shim.
pub(super) fn signals() -> io::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    hear_all_signals();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

/// What is ignored stays ignored in the next program: SIGPIPE by Rust, SIGHUP by a `nohup` before the server.
#[allow(unsafe_code)]
fn hear_all_signals() {
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: the default action installs no handler, and this process has one thread. KILL, STOP and the two that
        // the C library keeps are refused, which changes nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Drops all capabilities but these, for good, and installs the filters.
pub(super) fn confine(
    capabilities: &[Capability],
    filters: &[BpfProgram],
    no_new_privs: bool,
) -> io::Result<()> {
    // The first one decides about most calls and may forbid those that follow: it comes last.
    if !no_new_privs {
        for filter in filters.iter().rev() {
            install(filter)?;
        }
    }
    drop_capabilities(capabilities).map_err(io::Error::other)?;
    if no_new_privs {
        for filter in filters.iter().rev() {
            seccompiler::apply_filter(filter).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn drop_capabilities(keep: &[Capability]) -> Result<(), caps::errors::CapsError> {
    let keep: CapsHashSet = keep.iter().copied().collect();
    for capability in caps::read(None, CapSet::Bounding)?.difference(&keep) {
        caps::drop(None, CapSet::Bounding, *capability)?;
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    Ok(())
}

/// seccomp(2) without `no_new_privs`.
#[allow(unsafe_code)]
fn install(filter: &BpfProgram) -> io::Result<()> {
    let instructions: Vec<libc::sock_filter> = filter
        .iter()
        .map(|one| libc::sock_filter {
            code: one.code,
            jt: one.jt,
            jf: one.jf,
            k: one.k,
        })
        .collect();
    let length = u16::try_from(instructions.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog {
        len: length,
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points to `len` instructions that live until the call returns; the kernel copies and checks
    // them and writes to none (kernel/seccomp.c, seccomp_prepare_user_filter).
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
