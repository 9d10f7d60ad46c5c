//! Time zones by name, from the database that is built in.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where a time is shown.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    Utc,
    Named(TimeZone),
    /// An offset in seconds east of UTC; the name may be empty.
    Fixed {
        name: String,
        offset: i32,
    },
}

impl Zone {
    /// `time.LoadLocation` without "Local": names are those of the database, letter for letter.
    pub fn load(name: &[u8]) -> Option<Zone> {
        if matches!(name, b"" | b"UTC") {
            return Some(Zone::Utc);
        }
        let name = std::str::from_utf8(name).ok()?;
        let zone = TimeZone::get(name).ok()?;
        // The database ignores case; Go looks for a file of that name.
        (zone.iana_name() == Some(name)).then_some(Zone::Named(zone))
    }

    /// The abbreviation and the offset in seconds that hold at an instant.
    pub fn at(&self, unix_seconds: i64) -> (String, i32) {
        match self {
            Zone::Utc => ("UTC".to_owned(), 0),
            Zone::Fixed { name, offset } => (name.clone(), *offset),
            Zone::Named(zone) => {
                let info = zone.to_offset_info(timestamp(unix_seconds));
                (info.abbreviation().to_owned(), info.offset().seconds())
            }
        }
    }

    /// The offset that an abbreviation stands for here, best the one in effect at that wall-clock time.
    pub fn offset_of(&self, abbreviation: &str, wall_clock: i64) -> Option<i32> {
        let offsets = self.offsets_named(abbreviation);
        let in_effect = |&&offset: &&i32| self.at(wall_clock - i64::from(offset)).0 == abbreviation;
        offsets.iter().find(in_effect).or(offsets.first()).copied()
    }

    fn offsets_named(&self, abbreviation: &str) -> Vec<i32> {
        let mut offsets = Vec::new();
        match self {
            Zone::Utc if abbreviation == "UTC" => offsets.push(0),
            Zone::Fixed { name, offset } if name == abbreviation => offsets.push(*offset),
            Zone::Named(zone) => {
                let (name, offset) = self.at(i64::MIN);
                if name == abbreviation {
                    offsets.push(offset);
                }
                // Beyond the listed transitions a rule repeats them for ever.
                for transition in zone.following(Timestamp::MIN).take(MAX_TRANSITIONS) {
                    let offset = transition.offset().seconds();
                    if transition.abbreviation() == abbreviation && !offsets.contains(&offset) {
                        offsets.push(offset);
                    }
                }
            }
            _ => {}
        }
        offsets
    }
}

/// More changes than any zone has had so far.
const MAX_TRANSITIONS: usize = 400;

/// The nearest instant that the database covers: the years -9999 to 9999.
fn timestamp(unix_seconds: i64) -> Timestamp {
    let inside = unix_seconds.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(inside).unwrap_or(Timestamp::UNIX_EPOCH)
}
