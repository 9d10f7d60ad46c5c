//! Where services get their addresses: chosen when a cluster is made, the same for as long as it lives.

use std::fs;
use std::io;
use std::path::Path;

use deploy_cluster_api::allocators::Range;
use deploy_model::{Code, Diagnostic};

/// The record, within the cluster's folder.
const RECORD: &str = "service-range";

/// The database of the API server, which clusters before the record had.
const DATABASE: &str = "revisions.db";

/// The range of the cluster in this folder. A new one gets the range that is asked for, or the default.
pub fn choose(folder: &Path, asked: Option<Range>) -> Result<Range, Diagnostic> {
    let failed = |error: io::Error| {
        Diagnostic::new(Code::ClusterStartFailed)
            .with("path", folder.display().to_string())
            .because(error.to_string())
    };
    let known = match fs::read_to_string(folder.join(RECORD)) {
        Ok(text) => {
            let range = Range::parse(text.trim());
            Some(range.ok_or_else(|| failed(io::Error::other(format!("{RECORD}: {text:?} is no range"))))?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder.join(DATABASE).exists().then(Range::default)
        }
        Err(error) => return Err(failed(error)),
    };
    let range = known.or(asked).unwrap_or_default();
    if asked.is_some_and(|asked| asked != range) {
        return Err(Diagnostic::new(Code::ClusterRangeFixed)
            .with("path", folder.display().to_string())
            .with("range", range.to_string()));
    }
    if known.is_none() {
        fs::write(folder.join(RECORD), format!("{range}\n")).map_err(failed)?;
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_keeps_its_range() {
        let folder = std::env::temp_dir().join(format!("deploy-range-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let range = Range::parse("10.112.0.0/16").expect("a range");
        assert_eq!(choose(&folder, Some(range)).ok(), Some(range));
        assert_eq!(choose(&folder, None).ok(), Some(range));
        let other = choose(&folder, Some(Range::default())).expect_err("it has one");
        assert_eq!(other.code, Code::ClusterRangeFixed);
        fs::write(folder.join(RECORD), "nonsense").expect("a file");
        assert_eq!(
            choose(&folder, None).expect_err("it is none").code,
            Code::ClusterStartFailed
        );
        fs::remove_file(folder.join(RECORD)).expect("ours");
        fs::write(folder.join(DATABASE), "").expect("a file");
        assert!(
            choose(&folder, Some(range)).is_err(),
            "one of before has the default"
        );
        assert_eq!(choose(&folder, None).ok(), Some(Range::default()));
        fs::remove_dir_all(folder).expect("ours");
    }
}
