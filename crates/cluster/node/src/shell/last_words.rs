//! The last lines of a container that has failed, from its log (`TerminationMessageFallbackToLogsOnError`).

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::limits;

/// So much of the end of a file is looked at: the lines of a message and what CRI writes before each.
const TAIL_BYTES_MAX: u64 = 16 * 1024;

/// The end of a log in CRI's form, without what CRI writes; empty where there is none.
pub(super) fn from_log(path: &Path) -> String {
    let Ok(mut file) = File::open(path) else {
        return String::new();
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let start = length.saturating_sub(TAIL_BYTES_MAX);
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(start)).is_err()
        || file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes).is_err()
    {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    // The first line may have lost its beginning.
    let whole = if start > 0 {
        text.split_once('\n').map_or("", |(_, rest)| rest)
    } else {
        &text
    };
    last_lines(whole)
}

/// Lines look like `2025-01-01T00:00:00.0Z stdout F text`; `P` says that the line goes on in the next one.
fn last_lines(log: &str) -> String {
    let mut lines: VecDeque<String> = VecDeque::new();
    for line in log.lines() {
        let mut parts = line.splitn(4, ' ').skip(2);
        let (Some(tag), Some(text)) = (parts.next(), parts.next()) else {
            continue;
        };
        let end = if tag.starts_with('P') { "" } else { "\n" };
        lines.push_back(format!("{text}{end}"));
        if lines.len() > limits::MESSAGE_LOG_LINES_MAX {
            lines.pop_front();
        }
    }
    let all: String = lines.into_iter().collect();
    let mut start = all.len().saturating_sub(limits::MESSAGE_LOG_BYTES_MAX);
    while !all.is_char_boundary(start) {
        start += 1;
    }
    all[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_the_message() {
        let log = "2025-01-01T00:00:00Z stdout F one\n2025-01-01T00:00:00Z stderr P tw\n2025-01-01T00:00:00Z stderr F o\n";
        assert_eq!(last_lines(log), "one\ntwo\n");
        let long: String = (0..200).map(|n| format!("t stdout F line {n}\n")).collect();
        let found = last_lines(&long);
        assert!(
            found.starts_with("line 120\n") && found.ends_with("line 199\n"),
            "{found}"
        );
        let wide = format!("t stdout F {}\n", "ä".repeat(3000));
        assert_eq!(
            last_lines(&wide).len(),
            limits::MESSAGE_LOG_BYTES_MAX - 1,
            "no letter is cut"
        );
    }
}
