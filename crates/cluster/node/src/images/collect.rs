//! Which images go when the disk is full: a decision of data (pkg/kubelet/images/image_gc_manager.go).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use deploy_image::{DiskUsage, Image};
use deploy_model::image::Digest;
use jiff::Timestamp;

use super::limits;

/// Since when each image is known, and when a container last used it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    records: HashMap<Digest, Record>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    seen: Timestamp,
    /// None while no container was seen to use it.
    used: Option<Timestamp>,
    size: u64,
}

impl Ledger {
    /// What is there and in use now.
    pub fn observe(&mut self, images: &[Arc<Image>], in_use: &HashSet<Digest>, now: Timestamp) {
        for image in images {
            let record = self.records.entry(image.id.clone()).or_insert(Record {
                seen: now,
                used: None,
                size: 0,
            });
            record.size = image.size;
            if in_use.contains(&image.id) {
                record.used = Some(now);
            }
        }
        let there: HashSet<&Digest> = images.iter().map(|image| &image.id).collect();
        self.records.retain(|id, _| there.contains(id));
    }
}

/// What is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bytes that must become free; none below the threshold.
    pub wanted: u64,
    /// Images in the order of their going.
    pub remove: Vec<Digest>,
}

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Bytes that had to become free.
    pub wanted: u64,
    /// Bytes of what went.
    pub freed: u64,
    /// The images that went.
    pub removed: Vec<Arc<Image>>,
}

impl Collected {
    /// The warning `FreeDiskSpaceFailed` of the node, if there was not enough to remove.
    pub fn failure(&self) -> Option<String> {
        (self.freed < self.wanted).then(|| {
            format!(
                "Failed to garbage collect required amount of images. Attempted to free {} bytes, but only found {} bytes eligible to free.",
                self.wanted, self.freed
            )
        })
    }
}

/// From [`limits::HIGH_PERCENT`] on, enough to come down to [`limits::LOW_PERCENT`]: what was used longest ago first,
/// never what is in use or younger than [`limits::MIN_AGE`].
pub fn plan(ledger: &Ledger, usage: DiskUsage, in_use: &HashSet<Digest>, now: Timestamp) -> Plan {
    let available = usage.available.min(usage.capacity);
    // In 128 bits: a hundred times the capacity of a large disk array is more than 64 hold.
    let percent = |part: u64| u128::from(part) * 100 / u128::from(usage.capacity.max(1));
    let used = 100 - percent(available);
    if usage.capacity == 0 || used < u128::from(limits::HIGH_PERCENT) {
        return Plan::default();
    }
    let target = u128::from(usage.capacity) * u128::from(100 - limits::LOW_PERCENT) / 100;
    let wanted = u64::try_from(target)
        .unwrap_or(u64::MAX)
        .saturating_sub(available);
    let old_enough = |record: &Record| {
        let age = now.duration_since(record.seen);
        age >= jiff::SignedDuration::try_from(limits::MIN_AGE).unwrap_or(jiff::SignedDuration::MAX)
    };
    let mut candidates: Vec<(&Digest, &Record)> = ledger
        .records
        .iter()
        .filter(|(id, record)| !in_use.contains(id) && old_enough(record))
        .collect();
    candidates.sort_by_key(|(id, record)| (record.used, record.seen, *id));
    let mut plan = Plan {
        wanted,
        remove: Vec::new(),
    };
    let mut freed = 0_u64;
    for (id, record) in candidates {
        if freed >= wanted {
            break;
        }
        freed = freed.saturating_add(record.size);
        plan.remove.push(id.clone());
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> Digest {
        Digest::sha256(&[number; 32])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("a time")
    }

    /// Images of 10 bytes each: when seen, when used.
    fn ledger(images: &[(u8, i64, Option<i64>)]) -> Ledger {
        let record = |seen, used: Option<i64>| Record {
            seen: at(seen),
            used: used.map(at),
            size: 10,
        };
        Ledger {
            records: images
                .iter()
                .map(|&(number, seen, used)| (id(number), record(seen, used)))
                .collect(),
        }
    }

    fn removed(available: u64, in_use: &[u8]) -> (u64, Vec<u8>) {
        let ledger = ledger(&[(1, 0, Some(50)), (2, 5, Some(20)), (3, 3, None), (4, 950, None)]);
        let usage = DiskUsage {
            capacity: 100,
            available,
        };
        let in_use = in_use.iter().copied().map(id).collect();
        let plan = plan(&ledger, usage, &in_use, at(1000));
        let numbers = plan.remove.iter().map(|removed| {
            (1..=4)
                .find(|number| id(*number) == *removed)
                .expect("one of ours")
        });
        (plan.wanted, numbers.collect())
    }

    #[test]
    fn below_the_high_threshold_nothing_goes() {
        assert_eq!(removed(16, &[]), (0, vec![]));
        assert_eq!(removed(100, &[]), (0, vec![]));
    }

    #[test]
    fn down_to_the_low_threshold_the_longest_unused_go_first() {
        assert_eq!(removed(15, &[]), (5, vec![3]));
        assert_eq!(removed(5, &[]), (15, vec![3, 2]));
        assert_eq!(removed(0, &[]), (20, vec![3, 2]));
        assert_eq!(removed(0, &[2, 3]), (20, vec![1]));
    }

    #[test]
    fn what_is_young_or_used_stays() {
        // 4 is 50 seconds old.
        assert_eq!(removed(0, &[1, 2, 3]), (20, vec![]));
    }

    #[test]
    fn a_disk_without_size_decides_nothing() {
        let usage = DiskUsage {
            capacity: 0,
            available: 0,
        };
        assert_eq!(
            plan(&ledger(&[(1, 0, None)]), usage, &HashSet::new(), at(1000)),
            Plan::default()
        );
    }

    #[test]
    fn too_little_is_a_warning() {
        let collected = Collected {
            wanted: 20,
            freed: 10,
            removed: Vec::new(),
        };
        assert_eq!(
            collected.failure().as_deref(),
            Some(
                "Failed to garbage collect required amount of images. Attempted to free 20 bytes, but only found 10 bytes eligible to free."
            )
        );
        assert_eq!(Collected::default().failure(), None);
    }
}
