//! What steps say: a file for each step, and whoever listens.
//!
//! ```text
//! logs/RUN/JOB/NUMBER.log   `2026-11-22T16:30:00.123456Z text`, with GitHub's marks: `##[group]`, `##[error]`
//! ```
//!
//! A line is in the file, in the hands of the kernel, before anybody hears of it. So a crash of the server loses none
//! that was shown; a step's end is synced, so that a crash of the machine loses none of a step that has ended.

mod output;
mod step;

pub(crate) use output::{Ended, Output, Streams};
pub(crate) use step::StepLog;

use std::path::{Path, PathBuf};

use deploy_workflow::run::{JobId, StepNumber};

/// The file of a step below the folder of logs.
pub fn step_log(logs: &Path, run: &str, job: &JobId, step: StepNumber) -> PathBuf {
    logs.join(name(run))
        .join(name(&job.0))
        .join(format!("{step}.log"))
}

/// A name that any file system takes and that no other name becomes.
pub(crate) fn name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        let path = step_log(Path::new("/l"), "../x", &JobId("a/b.1".to_owned()), StepNumber(3));
        assert_eq!(path, Path::new("/l/%2E.%2Fx/a%2Fb.1/3.log"));
    }
}
