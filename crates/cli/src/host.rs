use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use deploy_template::func::Host;

/// The clock, randomness and environment of this machine, for templates that ask.
pub struct SystemHost<'a> {
    env: &'a BTreeMap<String, String>,
    time_zone: String,
}

impl<'a> SystemHost<'a> {
    /// The host of a process with this environment.
    pub fn new(env: &'a BTreeMap<String, String>) -> SystemHost<'a> {
        SystemHost {
            env,
            time_zone: time_zone(env.get("TZ").map(String::as_str)),
        }
    }
}

impl Host for SystemHost<'_> {
    fn now_unix_nanos(&self) -> i128 {
        let signed = |nanos: u128| i128::try_from(nanos).unwrap_or(i128::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => signed(since.as_nanos()),
            Err(before) => -signed(before.duration().as_nanos()),
        }
    }

    fn time_zone(&self) -> &str {
        &self.time_zone
    }

    fn fill_random(&mut self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("Linux has getrandom(2) since 3.17, and it fails for no buffer");
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }
}

/// The local zone as Go finds it: `TZ` if it is set (empty means UTC), else where `/etc/localtime` points, else UTC.
fn time_zone(tz: Option<&str>) -> String {
    let zone = match tz {
        Some(tz) => tz.trim_start_matches(':').to_owned(),
        None => fs::read_link("/etc/localtime")
            .map(|target| target.to_string_lossy().into_owned())
            .unwrap_or_default(),
    };
    let name = match zone.split_once("/zoneinfo/") {
        Some((_, name)) => name,
        None => &zone,
    };
    if name.is_empty() || name.starts_with('/') {
        "UTC".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones() {
        for (tz, expected) in [
            ("", "UTC"),
            ("Asia/Shanghai", "Asia/Shanghai"),
            (":Europe/Berlin", "Europe/Berlin"),
            ("/usr/share/zoneinfo/Asia/Kuala_Lumpur", "Asia/Kuala_Lumpur"),
            ("/some/file", "UTC"),
        ] {
            assert_eq!(time_zone(Some(tz)), expected, "{tz}");
        }
    }

    #[test]
    fn the_clock_runs_and_random_bytes_differ() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        let mut host = SystemHost::new(&env);
        assert!(host.now_unix_nanos() > 1_700_000_000_000_000_000);
        let (mut a, mut b) = ([0; 32], [0; 32]);
        host.fill_random(&mut a);
        host.fill_random(&mut b);
        assert_ne!(a, b);
        assert_eq!((host.env("A"), host.env("B")), (Some("1".to_owned()), None));
    }
}
