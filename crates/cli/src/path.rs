//! Paths as [`deploy_render::source::Source`] wants them: absolute, `/`-separated, clean.

use std::path::Path;

/// `path` as seen from `cwd`, without `.`, `..` and doubled slashes. Symbolic links are not looked at.
pub fn absolute(cwd: &Path, path: &str) -> String {
    let joined = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", cwd.display())
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// `path` as a user in `cwd` would write it: relative if it is below, else as it is.
pub fn shown(cwd: &Path, path: &str) -> String {
    match Path::new(path).strip_prefix(cwd) {
        Ok(inside) if !inside.as_os_str().is_empty() => inside.display().to_string(),
        Ok(_) => ".".to_owned(),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_clean() {
        let cwd = Path::new("/a/b");
        for (path, expected) in [
            (".", "/a/b"),
            ("c", "/a/b/c"),
            ("./c//d/", "/a/b/c/d"),
            ("../c", "/a/c"),
            ("../../../..", "/"),
            ("/x/./y/../z", "/x/z"),
        ] {
            assert_eq!(absolute(cwd, path), expected, "{path}");
        }
    }

    #[test]
    fn shown_paths_are_short() {
        let cwd = Path::new("/a/b");
        for (path, expected) in [("/a/b/c/d", "c/d"), ("/a/b", "."), ("/a/bc", "/a/bc"), ("/", "/")] {
            assert_eq!(shown(cwd, path), expected, "{path}");
        }
    }
}
