//! Sets of completion indexes, written as `1,3-5`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::tally::has_failed;
use crate::object;

/// The label and annotation of a pod that say which index it works on.
pub const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// How often the pods of an index have failed.
pub const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";

/// More indexes than a Job can have.
const INDEX_MAX: u32 = 100_000;

/// Completion indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexes(BTreeSet<u32>);

impl Indexes {
    /// Reads `1,3-5`. What is no number is left out.
    pub fn parse(text: &str) -> Indexes {
        let mut set = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
                set.extend(first..=last.min(INDEX_MAX));
            }
        }
        Indexes(set)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, index: u32) -> bool {
        self.0.contains(&index)
    }

    pub fn extend(&mut self, more: impl IntoIterator<Item = u32>) {
        self.0.extend(more);
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for index in &self.0 {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *index => *last = *index,
                _ => ranges.push((*index, *index)),
            }
        }
        let parts: Vec<String> = ranges
            .into_iter()
            .map(|(first, last)| match last - first {
                0 => first.to_string(),
                // Two neighbours are listed, three are a range.
                1 => format!("{first},{last}"),
                _ => format!("{first}-{last}"),
            })
            .collect();
        f.write_str(&parts.join(","))
    }
}

/// The index that a pod works on.
pub fn of(pod: &Value) -> Option<u32> {
    object::annotation(pod, INDEX)?.parse().ok()
}

/// How often the index of a pod has failed before this pod.
fn failures_before(pod: &Value) -> i64 {
    object::annotation(pod, FAILURES)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

/// How often each index has failed, by the newest of its pods.
pub fn failures(job: &Value, pods: &[Arc<Value>]) -> BTreeMap<u32, i64> {
    let mut failures: BTreeMap<u32, i64> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| has_failed(job, pod)) {
        if let Some(index) = of(pod) {
            let known = failures.entry(index).or_default();
            *known = (*known).max(failures_before(pod) + 1);
        }
    }
    failures
}

/// Indexes that have failed more often than `backoffLimitPerIndex` allows.
pub fn failed(job: &Value, pods: &[Arc<Value>], known: Indexes, completed: &Indexes) -> Indexes {
    let limit = object::integer(job, "/spec/backoffLimitPerIndex");
    let mut all = known;
    let spent = failures(job, pods)
        .into_iter()
        .filter(|(_, count)| *count > limit)
        .map(|(index, _)| index);
    all.extend(spent.filter(|index| !completed.contains(*index)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        for text in ["", "0", "1,3-5", "0-2", "1,2,7", "0-3,5,9-12"] {
            assert_eq!(Indexes::parse(text).to_string(), text);
        }
        assert_eq!(Indexes::parse("1,x,3-4").to_string(), "1,3,4");
    }
}
