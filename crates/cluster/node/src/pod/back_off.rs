//! Waiting longer each time (`client-go/util/flowcontrol/backoff.go`).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How long to wait, remembered between failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackOff {
    first: Duration,
    longest: Duration,
    entry: Option<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    wait: Duration,
    updated: Timestamp,
}

impl BackOff {
    /// Waits `first`, then twice as long each time, never above `longest`.
    pub fn new(first: Duration, longest: Duration) -> BackOff {
        BackOff {
            first,
            longest,
            entry: None,
        }
    }

    /// Until when to wait after something that happened at `event`; `None` where it may be tried now.
    pub fn until(&self, event: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let entry = self.entry.as_ref().filter(|entry| !self.expired(entry, event))?;
        let until = after(event, entry.wait);
        (now < until).then_some(until)
    }

    /// It is tried now, after something that happened at `event`.
    pub fn next(&mut self, event: Timestamp, now: Timestamp) {
        let wait = match &self.entry {
            Some(entry) if !self.expired(entry, event) => entry.wait.saturating_mul(2).min(self.longest),
            _ => self.first,
        };
        self.entry = Some(Entry { wait, updated: now });
    }

    /// What is waited after the next failure.
    pub fn wait(&self) -> Duration {
        self.entry.as_ref().map_or(Duration::ZERO, |entry| entry.wait)
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.entry = None;
    }

    fn expired(&self, entry: &Entry, event: Timestamp) -> bool {
        event > after(entry.updated, self.longest.saturating_mul(2))
    }
}

/// A time some time later; the end of time where that is beyond it.
pub fn after(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| time.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// How long from `from` to `to`; nothing where that is in the past.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// A time span as Go writes it: `10s`, `1m20s`, `1.5s`, `120ms`.
pub fn shown(span: Duration) -> String {
    let (total, nanos) = (span.as_secs(), span.subsec_nanos());
    if total == 0 {
        return match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{nanos}ns"),
            1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
            _ => format!("{}ms", decimal(nanos, 1_000_000)),
        };
    }
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    let fraction = decimal(nanos, 1_000_000_000);
    let seconds = match fraction.strip_prefix("0.") {
        Some(fraction) => format!("{seconds}.{fraction}s"),
        None => format!("{seconds}s"),
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

/// `nanos / unit` without trailing zeros.
fn decimal(nanos: u32, unit: u32) -> String {
    let (whole, rest) = (nanos / unit, nanos % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let rest = format!("{rest:0digits$}");
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn the_first_restart_is_at_once_and_then_each_waits_twice_as_long() {
        let mut back_off = BackOff::new(Duration::from_secs(10), Duration::from_secs(300));
        let mut waits = Vec::new();
        let mut now = 100;
        for _ in 0..8 {
            let event = at(now);
            let until = back_off.until(event, event);
            waits.push(until.map_or(0, |until| until.as_second() - now));
            now = until.map_or(now, Timestamp::as_second);
            back_off.next(event, at(now));
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(
            back_off.until(at(now + 601), at(now + 601)),
            None,
            "it has run for long"
        );
        back_off.next(at(now + 601), at(now + 601));
        assert_eq!(back_off.wait(), Duration::from_secs(10));
    }

    #[test]
    fn spans_are_shown_as_go_does() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (1_500, "1.5s"),
            (10_000, "10s"),
            (80_000, "1m20s"),
            (300_000, "5m0s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(shown(Duration::from_millis(millis)), text);
        }
        assert_eq!(shown(Duration::from_micros(1_250)), "1.25ms");
    }
}
