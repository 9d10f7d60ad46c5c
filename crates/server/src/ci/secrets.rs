//! What workflows get as `secrets`: files of the data folder, one for each.
//!
//! `config/secrets/NAME` is for all repositories, `config/secrets/<repository>/NAME` for one, which goes first. Files are
//! read when a run begins, so that a new value needs no restart.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::limits;

/// The secrets of a repository, by name. What cannot be read is not there.
pub(super) fn secrets(data: &Path, repository: &str) -> BTreeMap<String, String> {
    let all = data.join("config/secrets");
    let mut found = BTreeMap::new();
    for folder in [all.clone(), all.join(repository)] {
        found.extend(of_folder(&folder));
    }
    found
}

fn of_folder(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let read = |path: PathBuf| {
        let metadata = fs::metadata(&path).ok()?;
        if !metadata.is_file() || metadata.len() > limits::SECRET_BYTES {
            return None;
        }
        let text = fs::read_to_string(&path).ok()?;
        // Editors end files with a line feed, and nobody's password has one.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        (!text.is_empty()).then(|| text.to_owned())
    };
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let value = is_name(&name).then(|| read(entry.path()))??;
            Some((name.to_ascii_uppercase(), value))
        })
        .take(limits::SECRETS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_the_repository_go_first() {
        let data = std::env::temp_dir().join(format!("deploy-secrets-{}", std::process::id()));
        let folder = data.join("config/secrets/team/shop");
        fs::create_dir_all(&folder).expect("a folder");
        for (path, text) in [
            ("config/secrets/TOKEN", "all\n"),
            ("config/secrets/OTHER", "other"),
            ("config/secrets/empty", "\n"),
            ("config/secrets/not-a-name", "x"),
            ("config/secrets/team/shop/token", "own"),
        ] {
            fs::write(data.join(path), text).expect("a file");
        }
        let pairs = |repository: &str| -> Vec<String> {
            let found = secrets(&data, repository);
            found
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        assert_eq!(pairs("team/shop"), ["OTHER=other", "TOKEN=own"]);
        assert_eq!(pairs("team/other"), ["OTHER=other", "TOKEN=all"]);
        fs::remove_dir_all(data).expect("it is ours");
    }
}
