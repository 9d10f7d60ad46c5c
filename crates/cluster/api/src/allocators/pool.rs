//! Numbers of which each is given out once: addresses, ports.

use std::collections::HashSet;

/// A range of numbers. Those that nobody chooses are taken at random from the upper part, so that the lower one stays
/// free for those who do (KEP-3070 for addresses, KEP-3668 for ports).
#[derive(Clone, Debug)]
pub struct Pool {
    first: u32,
    last: u32,
    dynamic_from: u32,
    used: HashSet<u32>,
}

/// Why a number cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Somebody has it.
    Taken,
    /// It is not in the range.
    Outside,
}

impl Pool {
    /// The numbers `first..=last`, of which the first `chosen` are given out by choice as long as there are others.
    pub fn new(first: u32, last: u32, chosen: u32) -> Pool {
        Pool {
            first,
            last,
            dynamic_from: first.saturating_add(chosen).min(last),
            used: HashSet::new(),
        }
    }

    /// Takes a number.
    pub fn take(&mut self, number: u32) -> Result<(), Refused> {
        if !(self.first..=self.last).contains(&number) {
            return Err(Refused::Outside);
        }
        if self.used.insert(number) {
            Ok(())
        } else {
            Err(Refused::Taken)
        }
    }

    /// Takes a free number: the first at or behind a random place. `None` when all are taken. `random` gives a number
    /// below its argument.
    pub fn take_any(&mut self, random: impl Fn(u32) -> u32) -> Option<u32> {
        let part = |from: u32, to: u32| {
            let start = from + random(to - from + 1);
            (start..=to)
                .chain(from..start)
                .find(|number| !self.used.contains(number))
        };
        let upper = part(self.dynamic_from, self.last);
        let free = upper.or_else(|| {
            (self.first < self.dynamic_from).then(|| part(self.first, self.dynamic_from - 1))?
        })?;
        self.used.insert(free);
        Some(free)
    }

    /// Gives a number back.
    pub fn give_back(&mut self, number: u32) {
        self.used.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_given_out_once() {
        let mut pool = Pool::new(10, 19, 4);
        assert_eq!(pool.take(9), Err(Refused::Outside));
        assert_eq!(pool.take(20), Err(Refused::Outside));
        assert_eq!(pool.take(15), Ok(()));
        assert_eq!(pool.take(15), Err(Refused::Taken));
        let mut taken: Vec<u32> = (0..9)
            .map(|_| pool.take_any(|bound| bound - 1).unwrap())
            .collect();
        assert!(
            taken[..5].iter().all(|number| *number >= 14),
            "the upper part comes first: {taken:?}"
        );
        taken.sort_unstable();
        assert_eq!(taken, [10, 11, 12, 13, 14, 16, 17, 18, 19]);
        assert_eq!(pool.take_any(|_| 0), None);
        pool.give_back(12);
        assert_eq!(pool.take_any(|_| 0), Some(12));
    }
}
