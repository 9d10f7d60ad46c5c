//! A packed chart (`.tgz`): its files, with helm's checks of names and sizes.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

use super::File;
use crate::helm::go::quote::quoted;
use crate::limits::{CHART_BYTES, CHART_FILES};

/// Why an archive holds no chart. The texts are helm's.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes do not begin as gzip does.
    #[error("gzip: invalid header")]
    Header,
    /// An entry's name begins with a slash below its first folder.
    #[error("chart illegally contains absolute paths")]
    AbsolutePath,
    /// An entry is not inside a folder.
    #[error(
        "chart illegally contains content outside the base directory: {}",
        quoted(name)
    )]
    OutsideBase {
        /// The entry's name.
        name: String,
    },
    /// An entry's name leads upwards.
    #[error("chart illegally references parent directory")]
    ParentPath,
    /// An entry's name begins with a drive letter.
    #[error("chart contains illegally named files")]
    DrivePath,
    /// `Chart.yaml` at the root of the archive.
    #[error("chart yaml not in base directory")]
    ChartYamlAtRoot,
    /// More bytes, or more files, than a chart may have.
    #[error("decompressed chart is larger than the maximum size {CHART_BYTES}")]
    TooLarge,
    /// Nothing in it.
    #[error("no files in chart archive")]
    Empty,
    /// Cut off or damaged.
    #[error("{0}")]
    Damaged(String),
}

/// What may still be unpacked. One budget serves an archive and all archives inside it.
#[derive(Clone, Debug)]
pub struct Budget {
    bytes: u64,
    files: usize,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            bytes: CHART_BYTES,
            files: CHART_FILES,
        }
    }
}

impl Budget {
    /// Takes one file of this size out of the budget; false if it does not fit.
    pub fn take(&mut self, size: u64) -> bool {
        if self.files == 0 || size > self.bytes {
            return false;
        }
        self.files -= 1;
        self.bytes -= size;
        true
    }
}

/// The files of an archive in its order, their names without the first folder.
pub fn files(bytes: &[u8], budget: &mut Budget) -> Result<Vec<File>, ArchiveError> {
    if bytes.len() < 10 {
        return Err(if bytes.is_empty() {
            damaged("EOF")
        } else {
            ArchiveError::Header
        });
    }
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        return Err(ArchiveError::Header);
    }
    // Headers of empty entries and padding cost no budget below, so the stream as a whole has a bound too.
    let stream =
        MultiGzDecoder::new(bytes).take(budget.bytes.saturating_add(512 * 3 * (budget.files as u64 + 1)));
    let mut archive = tar::Archive::new(stream);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if name.ends_with('/') {
            continue;
        }
        let name = relative_name(&name)?;
        let size = entry.size();
        if !budget.take(size) {
            return Err(ArchiveError::TooLarge);
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data).map_err(unreadable)?;
        if (data.len() as u64) < size {
            return Err(damaged("unexpected EOF"));
        }
        files.push(File::new(name, without_bom(data)));
    }
    if files.is_empty() {
        return Err(ArchiveError::Empty);
    }
    Ok(files)
}

/// The content without a leading UTF-8 byte order mark.
pub fn without_bom(mut data: Vec<u8>) -> Vec<u8> {
    if data.starts_with(b"\xef\xbb\xbf") {
        data.drain(..3);
    }
    data
}

/// The name below the archive's first folder, cleaned, or why it is refused. Archives from Windows have backslashes.
fn relative_name(name: &str) -> Result<String, ArchiveError> {
    let delimiter = if name.contains('\\') { '\\' } else { '/' };
    let (first, rest) = name.split_once(delimiter).unwrap_or((name, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(ArchiveError::AbsolutePath);
    }
    let clean = cleaned(&rest);
    if clean == "." {
        return Err(ArchiveError::OutsideBase {
            name: name.to_owned(),
        });
    }
    if clean.starts_with("..") {
        return Err(ArchiveError::ParentPath);
    }
    if matches!(clean.as_bytes(), [letter, b':', b'/', ..] if letter.is_ascii_alphabetic()) {
        return Err(ArchiveError::DrivePath);
    }
    if first == "Chart.yaml" {
        return Err(ArchiveError::ChartYamlAtRoot);
    }
    Ok(clean)
}

/// Go's `path.Clean` of a relative path.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return ".".to_owned();
    }
    parts.join("/")
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("unexpected EOF"),
        _ => ArchiveError::Damaged(error.to_string()),
    }
}

fn damaged(text: &str) -> ArchiveError {
    ArchiveError::Damaged(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_helm_does() {
        for (name, expected) in [
            ("c/Chart.yaml", Ok("Chart.yaml")),
            ("c\\templates\\a.yaml", Ok("templates/a.yaml")),
            ("c/./a//b/../c", Ok("a/c")),
            ("c//a", Err("chart illegally contains absolute paths")),
            (
                "c",
                Err("chart illegally contains content outside the base directory: \"c\""),
            ),
            ("c/../x", Err("chart illegally references parent directory")),
            ("c/x:/a", Err("chart contains illegally named files")),
            (
                "Chart.yaml",
                Err("chart illegally contains content outside the base directory: \"Chart.yaml\""),
            ),
            ("Chart.yaml/a", Err("chart yaml not in base directory")),
        ] {
            let name = relative_name(name).map_err(|e| e.to_string());
            assert_eq!(name.as_deref().map_err(String::as_str), expected);
        }
    }
}
