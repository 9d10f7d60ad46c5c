//! The configuration file: `key = value`, `#` comments. It is read again when it changes, so a ConfigMap that is edited
//! takes effect without a restart.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `currency` | what prices are in | `USD` |
//! | `languages` | of the page, the first is the default | `en` |
//! | `error_rate` | share of requests that fail on purpose, 0 to 1 | 0 |
//! | `latency_ms` | added to each request | 0 |
//!
//! `payment.error_rate = 0.3` holds for that service only, and wins over `error_rate`.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A slower answer than this is a timeout for every client, so nobody means it.
const MAX_LATENCY_MS: u64 = 60_000;

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub currency: String,
    pub languages: Vec<String>,
    pub error_rate: f64,
    pub latency_ms: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            currency: "USD".to_owned(),
            languages: vec!["en".to_owned()],
            error_rate: 0.0,
            latency_ms: 0,
        }
    }
}

impl Config {
    /// Reads the text as this service understands it. The error names the line.
    pub fn parse(text: &str, role: &str) -> Result<Config, String> {
        let mut config = Config::default();
        // What names the service is applied last, wherever it stands.
        for named in [false, true] {
            for (number, line) in text.lines().enumerate() {
                let line = line.split('#').next().unwrap_or_default().trim();
                if line.is_empty() {
                    continue;
                }
                let wrong = |why: &str| format!("line {}: {why}", number + 1);
                let (key, value) = line.split_once('=').ok_or_else(|| wrong("expected key = value"))?;
                let (service, key) = match key.trim().split_once('.') {
                    Some((service, key)) => (Some(service), key),
                    None => (None, key.trim()),
                };
                match service {
                    Some("storefront" | "orders" | "payment") | None => {}
                    Some(other) => return Err(wrong(&format!("there is no service {other}"))),
                }
                // A line for somebody else is still checked.
                let mut elsewhere = Config::default();
                let ours = service.is_none_or(|service| service == role) && service.is_some() == named;
                let target = if ours { &mut config } else { &mut elsewhere };
                target.set(key, value.trim()).map_err(|why| wrong(&why))?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "currency" if value.len() == 3 && value.bytes().all(|b| b.is_ascii_uppercase()) => {
                self.currency = value.to_owned();
            }
            "languages" if !value.is_empty() => {
                self.languages = value.split(',').map(|language| language.trim().to_owned()).collect();
            }
            "error_rate" => {
                self.error_rate = value
                    .parse()
                    .ok()
                    .filter(|rate| (0.0..=1.0).contains(rate))
                    .ok_or("error_rate is a number from 0 to 1")?;
            }
            "latency_ms" => {
                self.latency_ms = value
                    .parse()
                    .ok()
                    .filter(|ms| *ms <= MAX_LATENCY_MS)
                    .ok_or(format!("latency_ms is a whole number up to {MAX_LATENCY_MS}"))?;
            }
            "currency" | "languages" => return Err(format!("{value:?} is no value of {key}")),
            other => return Err(format!("there is no setting {other}")),
        }
        Ok(())
    }
}

/// The current configuration and where it comes from.
pub struct WatchedConfig {
    path: Option<String>,
    role: &'static str,
    check: Duration,
    state: Mutex<State>,
}

struct State {
    text: String,
    config: Arc<Config>,
    checked: Instant,
}

/// What a look at the file brought.
pub enum Change {
    None,
    Reloaded,
    /// The new text is wrong; what was read before stays in force.
    Refused(String),
}

impl WatchedConfig {
    /// Reads the file; without a path the defaults hold.
    pub fn open(path: Option<String>, role: &'static str, check: Duration) -> Result<WatchedConfig, String> {
        let mut text = String::new();
        let mut config = Config::default();
        if let Some(path) = &path {
            text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
            config = Config::parse(&text, role).map_err(|e| format!("{path}: {e}"))?;
        }
        let state = State { text, config: Arc::new(config), checked: Instant::now() };
        Ok(WatchedConfig { path, role, check, state: Mutex::new(state) })
    }

    /// The configuration of now. The file is looked at when the last look is old enough; its text is compared, because
    /// Kubernetes swaps a link, and the new file may be as old and as long as the former one.
    pub fn current(&self) -> (Arc<Config>, Change) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = self.path.as_ref().filter(|_| state.checked.elapsed() >= self.check) else {
            return (Arc::clone(&state.config), Change::None);
        };
        state.checked = Instant::now();
        // A file that is being replaced can be absent for a moment.
        let Ok(text) = fs::read_to_string(path) else { return (Arc::clone(&state.config), Change::None) };
        if text == state.text {
            return (Arc::clone(&state.config), Change::None);
        }
        let parsed = Config::parse(&text, self.role);
        state.text = text;
        let change = match parsed {
            Ok(config) => {
                state.config = Arc::new(config);
                Change::Reloaded
            }
            Err(why) => Change::Refused(why),
        };
        (Arc::clone(&state.config), change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_its_own_lines() {
        let text = "payment.error_rate = 0.5 # only there\ncurrency = MYR\nlanguages = ms, en,zh\nerror_rate=0.1\n\n";
        let config = Config::parse(text, "payment").unwrap();
        assert_eq!((config.error_rate, config.currency.as_str()), (0.5, "MYR"));
        assert_eq!(config.languages, ["ms", "en", "zh"]);
        assert_eq!(Config::parse(text, "orders").unwrap().error_rate, 0.1);
        assert_eq!(Config::parse("", "orders").unwrap(), Config::default());
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, expected) in [
            ("currency", "line 1: expected key = value"),
            ("\ncurrency = usd", "line 2: \"usd\" is no value of currency"),
            ("error_rate = 2", "line 1: error_rate is a number from 0 to 1"),
            ("error_rate = NaN", "line 1: error_rate is a number from 0 to 1"),
            ("latency_ms = -1", "line 1: latency_ms is a whole number up to 60000"),
            ("orders.colour = red", "line 1: there is no setting colour"),
            ("cart.latency_ms = 1", "line 1: there is no service cart"),
        ] {
            assert_eq!(Config::parse(text, "payment").unwrap_err(), expected, "{text}");
        }
    }
}
