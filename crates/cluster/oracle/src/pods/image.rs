//! The image of scenarios: Debian's static busybox, each of its programs by its name, and two users.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_image::{Config, Contents, Pack, write_archive};

/// Where Debian's package busybox-static puts it.
pub const BUSYBOX: &str = "/bin/busybox";

const FOLDERS: &[&str] = &["bin", "tmp", "etc", "proc", "dev", "sys", "www"];
const FILES: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n",
    ),
    ("etc/group", "root:x:0:\napp:x:1001:\nmore:x:1002:app\n"),
];

/// Writes an archive of the image below a folder, under this name, with what a container of it runs by itself and with
/// these programs besides, each with its place in the image.
///
/// # Errors
///
/// What is missing on this machine, or could not be written.
pub fn archive(
    folder: &Path,
    reference: &str,
    entrypoint: &[&str],
    programs: &[(&str, &Path)],
) -> Result<PathBuf, String> {
    let said = |what: &Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let root = folder.join("image");
    let _ = fs::remove_dir_all(&root);
    for part in FOLDERS {
        fs::create_dir_all(root.join(part)).map_err(said(&root))?;
    }
    let program = Path::new(BUSYBOX);
    fs::copy(program, root.join("bin/busybox")).map_err(said(program))?;
    let list = Command::new(program)
        .arg("--list")
        .output()
        .map_err(said(program))?;
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        if name != "busybox" {
            symlink("busybox", root.join("bin").join(name)).map_err(said(&root))?;
        }
    }
    for (place, program) in programs {
        fs::copy(program, root.join(place)).map_err(said(program))?;
    }
    for (file, text) in FILES {
        fs::write(root.join(file), text).map_err(said(&root))?;
    }
    let config = Config {
        env: vec!["PATH=/bin".to_owned()],
        entrypoint: entrypoint.iter().map(|word| (*word).to_owned()).collect(),
        ..Config::default()
    };
    let reference = reference
        .parse()
        .map_err(|error| format!("{reference}: {error}"))?;
    let path = folder.join("image.tar");
    let contents = Contents {
        reference: &reference,
        config: &config,
        layers: &[root],
        pack: Pack {
            root_owned: true,
            mtime_s: Some(0),
        },
    };
    write_archive(&path, &contents).map_err(|error| error.to_string())?;
    Ok(path)
}
