//! Paths of the host and what they must be (`pkg/volume/hostpath`).

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Checks a `hostPath` of this type, or makes it where the type says so.
///
/// # Errors
/// Why it is not what it should be, in upstream's words.
pub fn check(path: &str, r#type: &str) -> Result<(), String> {
    if path.split('/').any(|part| part == "..") {
        return Err(format!("invalid HostPath `{path}`: must not contain '..'"));
    }
    let place = Path::new(path);
    let found = fs::metadata(place).ok();
    let is = |kind: fn(&Metadata) -> bool| found.as_ref().is_some_and(kind);
    let failed = |what: &str| Err(format!("hostPath type check failed: {path} is not {what}"));
    match r#type {
        // The runtime makes what is not there.
        "" | "DirectoryOrCreate" if found.is_none() => made(make_folder(place)),
        "" => Ok(()),
        "DirectoryOrCreate" | "Directory" if !is(Metadata::is_dir) => failed("a directory"),
        "FileOrCreate" if found.is_none() => made(make_file(place)),
        "FileOrCreate" | "File" if !is(Metadata::is_file) => failed("a file"),
        "Socket" if !is(|found| found.file_type().is_socket()) => failed("a socket file"),
        "CharDevice" if !is(|found| found.file_type().is_char_device()) => failed("a character device"),
        "BlockDevice" if !is(|found| found.file_type().is_block_device()) => failed("a block device"),
        "DirectoryOrCreate" | "Directory" | "FileOrCreate" | "File" | "Socket" | "CharDevice"
        | "BlockDevice" => Ok(()),
        unknown => Err(format!("{unknown} is an invalid volume type")),
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Its folder must be there.
fn make_file(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .map(|_| ())
}

fn made(result: io::Result<()>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::scratch::Scratch;
    use std::os::unix::net::UnixListener;

    #[test]
    fn types_are_checked_and_made() {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
        fs::create_dir(at("folder")).expect("a folder");
        fs::write(at("file"), "x").expect("a file");
        let _listener = UnixListener::bind(at("socket")).expect("a socket");
        let fits = [
            ("folder", "Directory"),
            ("folder", "DirectoryOrCreate"),
            ("new/deep", "DirectoryOrCreate"),
            ("unset/deep", ""),
            ("file", ""),
            ("file", "File"),
            ("file", "FileOrCreate"),
            ("new-file", "FileOrCreate"),
            ("socket", "Socket"),
        ];
        for (name, r#type) in fits {
            assert_eq!(check(&at(name), r#type), Ok(()), "{name} {type}");
        }
        assert!(Path::new(&at("new/deep")).is_dir() && Path::new(&at("unset/deep")).is_dir());
        assert!(Path::new(&at("new-file")).is_file());
        let fails = [
            ("file", "Directory", "a directory"),
            ("file", "DirectoryOrCreate", "a directory"),
            ("none", "Directory", "a directory"),
            ("folder", "File", "a file"),
            ("folder", "FileOrCreate", "a file"),
            ("none", "File", "a file"),
            ("file", "Socket", "a socket file"),
            ("file", "CharDevice", "a character device"),
            ("file", "BlockDevice", "a block device"),
        ];
        for (name, r#type, what) in fails {
            let path = at(name);
            let expected = format!("hostPath type check failed: {path} is not {what}");
            assert_eq!(check(&path, r#type), Err(expected), "{type}");
        }
        assert_eq!(check("/dev/null", "CharDevice"), Ok(()));
        assert!(check(&at("no/folder/file"), "FileOrCreate").is_err());
        assert_eq!(
            check("/a/../etc", ""),
            Err("invalid HostPath `/a/../etc`: must not contain '..'".to_owned())
        );
        assert_eq!(check("/", "Odd"), Err("Odd is an invalid volume type".to_owned()));
    }
}
