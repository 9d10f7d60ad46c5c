//! How the binary is linked: so that a cold process is at work as early as possible.
//!
//! - **At fixed addresses.** A position-independent executable corrects 17,000 addresses in 90 pages before `main` runs, and
//!   copies each of those pages. What is given up is the random address of the program itself; stack and heap keep
//!   theirs, and next to nothing here is `unsafe`.
//! - **With the C library in it.** To find, map and bind three shared libraries takes a third of the time of
//!   `deploy kustomize build` of one Service. One file that runs on every Linux is what we ship anyway.
//!
//! Rust has `-C target-feature=+crt-static` for the second, but a flag for all crates of all profiles would have every
//! proc-macro and test linked so, and there is no flag for one binary. So the linker is told where it finds archives in
//! the place of shared libraries. Where there are none (some distributions pack them apart), it takes the shared ones.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that Rust's standard library links, and the archives that take their places.
const LIBRARIES: [(&str, &[&str]); 3] = [
    ("libgcc_s.a", &["libgcc_eh.a", "libgcc.a", "libc.a"]),
    ("libm.a", &["libm.a"]),
    ("libc.a", &["libc.a", "libgcc_eh.a", "libgcc.a"]),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") || !is("PROFILE", "release")
    {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-no-pie");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder for what this writes"));
    let native = env::var("HOST") == env::var("TARGET");
    if native && write_scripts(&out).is_some() {
        println!("cargo:rustc-link-arg-bins=-static");
        println!("cargo:rustc-link-arg-bins=-L{}", out.display());
    }
}

/// For each library a text that leads the linker to its archives; `None` where one of them is not installed.
fn write_scripts(folder: &Path) -> Option<()> {
    for (name, archives) in LIBRARIES {
        let paths: Option<Vec<String>> = archives.iter().map(|archive| installed(archive)).collect();
        fs::write(folder.join(name), format!("GROUP({})\n", paths?.join(" "))).ok()?;
    }
    Some(())
}

/// Where the C compiler finds a library.
fn installed(archive: &str) -> Option<String> {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let asked = Command::new(linker)
        .arg(format!("-print-file-name={archive}"))
        .output()
        .ok()?;
    let path = String::from_utf8(asked.stdout).ok()?;
    let path = path.trim();
    // A name that is not found is printed as it is. Blanks would be read as two names.
    (path.starts_with('/') && !path.contains(char::is_whitespace) && Path::new(path).is_file())
        .then(|| path.to_owned())
}
