//! What every command needs to know of the repository: where it is, what is in it, and how to run a program there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask is a folder of the repository")
        .to_owned()
}

/// The folder of the external cases, if it is there.
pub fn external_cases() -> Option<PathBuf> {
    let path = match std::env::var_os("DEPLOY_CONFORMANCE") {
        Some(path) => PathBuf::from(path),
        None => root().parent()?.join("shared/conformance"),
    };
    path.is_dir().then_some(path)
}

/// A text file below the root.
pub fn read(path: &str) -> Result<String, String> {
    let path = root().join(path);
    fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes a text file below the root, and says whether that changed it.
pub fn write(path: &str, text: &str) -> Result<bool, String> {
    let changed = read(path).ok().as_deref() != Some(text);
    let path = root().join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(changed)
}

/// The files that Git tracks or would track, relative to the root.
pub fn files() -> Result<Vec<String>, String> {
    let list = stdout(
        Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(root()),
    )?;
    let mut files: Vec<String> = list
        .lines()
        .map(str::to_owned)
        .filter(|f| root().join(f).is_file())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// What `cargo metadata` says of the workspace; with all dependencies if `deep`.
pub fn metadata(deep: bool) -> Result<serde_json::Value, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]);
    if !deep {
        command.arg("--no-deps");
    }
    let text = stdout(command.current_dir(root()))?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))
}

/// Runs a program to its end and returns what it printed.
pub fn stdout(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|e| format!("{name} cannot be started: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "{name}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}"))
}
