//! Whether a site takes a release now, and when it will.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::site::{Releases, Sale, Site};

/// What stands against a release now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The sale, in English and in Chinese.
    pub name: (String, String),
    /// Whether it can be approved, or needs an override with a reason.
    pub releases: Releases,
    /// The first moment at which nothing stands against it any more.
    pub until: Timestamp,
}

/// What stands against a release into a site at a time; a freeze before a confirmation.
pub fn held(site: &Site, now: Timestamp) -> Option<Held> {
    let today = now.to_zoned(site.time_zone.clone()).date();
    let on = |day: Date| {
        site.sale_calendar
            .iter()
            .filter(move |sale| sale.from <= day && day <= sale.to)
    };
    let first = on(today).min_by_key(|sale| sale.releases == Releases::Confirm)?;
    Some(Held {
        name: (first.name.clone(), first.name_zh.clone()),
        releases: first.releases,
        until: first_free(&site.sale_calendar, today, &site.time_zone),
    })
}

/// The start of the first day that no sale covers. Each round passes the end of a sale, so there are no more rounds than
/// sales.
fn first_free(sales: &[Sale], today: Date, zone: &TimeZone) -> Timestamp {
    let mut day = today;
    while let Some(sale) = sales.iter().find(|sale| sale.from <= day && day <= sale.to) {
        match sale.to.checked_add(1.day()) {
            Ok(next) => day = next,
            Err(_) => return Timestamp::MAX,
        }
    }
    // A day begins at another time than midnight where clocks change at midnight.
    day.to_zoned(zone.clone())
        .map_or(Timestamp::MAX, |start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let text = "
apiVersion: deploy.platform/v1alpha1
kind: Site
metadata: { name: us }
spec:
  country: US
  timeZone: America/New_York
  saleCalendar:
    - { name: { en: Black Friday, zh: 黑色星期五 }, from: 2026-11-27, to: 2026-11-30, releases: freeze }
    - { name: Cyber week, from: 2026-11-30, to: 2026-12-04, releases: confirm }
    - { name: Later, from: 2026-12-18, to: 2026-12-24, releases: freeze }
";
        crate::site::read(text.as_bytes(), "sites.yaml")
            .expect("it is right")
            .remove(0)
    }

    fn at(text: &str) -> Option<Held> {
        held(&site(), text.parse().expect("a time"))
    }

    #[test]
    fn a_day_is_the_sites_own() {
        // 04:59 in UTC is 23:59 of the day before in New York.
        assert_eq!(at("2026-11-27T04:59:59Z"), None);
        let held = at("2026-11-27T05:00:00Z").expect("it is frozen");
        assert_eq!(
            (held.name.1.as_str(), held.releases),
            ("黑色星期五", Releases::Freeze)
        );
        // What follows without a gap counts: the next possible time is behind both.
        assert_eq!(held.until.to_string(), "2026-12-05T05:00:00Z");
    }

    #[test]
    fn a_freeze_comes_before_a_confirmation_and_ends_with_its_day() {
        assert_eq!(
            at("2026-11-30T12:00:00Z").map(|held| held.releases),
            Some(Releases::Freeze)
        );
        assert_eq!(
            at("2026-12-01T12:00:00Z").map(|held| held.releases),
            Some(Releases::Confirm)
        );
        assert_eq!(at("2026-12-05T05:00:00Z"), None);
    }
}
