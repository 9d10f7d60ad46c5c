//! Which root a job gets: `runs-on` through the label map of `deploy.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a job's root is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The machine's own system folders and toolchains, beneath an overlay.
    Host,
    /// An image of the store, by name.
    Image(String),
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    /// `host`, or the name of an image.
    fn from_str(text: &str) -> Result<Place, Self::Err> {
        Ok(match text.trim() {
            "host" => Place::Host,
            image => Place::Image(image.to_owned()),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Host => f.write_str("host"),
            Place::Image(name) => f.write_str(name),
        }
    }
}

/// No runner has these labels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// `runs-on` is empty.
    #[error("runs-on names no label; known are {known}")]
    None {
        /// The labels that are known.
        known: String,
    },
    /// A label is not in the map.
    #[error("no runner has the label {label:?}; known are {known}: map it with ci.labels in deploy.toml")]
    Unknown {
        /// Which.
        label: String,
        /// The labels that are known.
        known: String,
    },
}

/// Labels and what they stand for. Labels ignore case, as GitHub's do; one that ends in `*` stands for all that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(BTreeMap<String, Place>);

impl Default for Labels {
    /// What people write for a Linux runner is this machine.
    fn default() -> Labels {
        let names = ["ubuntu-*", "debian-*", "linux", "self-hosted", own_arch()];
        Labels(names.map(|name| (name.to_owned(), Place::Host)).into())
    }
}

impl Labels {
    /// Adds or replaces one.
    #[must_use]
    pub fn with(mut self, label: &str, place: Place) -> Labels {
        self.0.insert(label.to_lowercase(), place);
        self
    }

    /// What a job with these labels gets. An image wins over the machine, as `[self-hosted, my-image]` means the image.
    pub fn place(&self, wanted: &[String]) -> Result<Place, NoPlace> {
        let mut found = None;
        for label in wanted {
            let place = self.of(label).ok_or_else(|| NoPlace::Unknown {
                label: label.clone(),
                known: self.known(),
            })?;
            if found.is_none() || matches!(place, Place::Image(_)) && found == Some(&Place::Host) {
                found = Some(place);
            }
        }
        found
            .cloned()
            .ok_or_else(|| NoPlace::None { known: self.known() })
    }

    fn of(&self, label: &str) -> Option<&Place> {
        let label = label.to_lowercase();
        let longest = |(name, place)| {
            let name: &String = name;
            let prefix = name.strip_suffix('*')?;
            label.starts_with(prefix).then_some((prefix.len(), place))
        };
        self.0.get(&label).or_else(|| {
            let all = self.0.iter().filter_map(longest);
            all.max_by_key(|(length, _)| *length).map(|(_, place)| place)
        })
    }

    fn known(&self) -> String {
        self.0.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

/// The label that GitHub gives a runner of this architecture.
fn own_arch() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn usual_labels_are_this_machine() {
        let map = Labels::default();
        for one in [
            &["ubuntu-latest"][..],
            &["Ubuntu-22.04"],
            &["self-hosted", "linux"],
        ] {
            assert_eq!(map.place(&labels(one)), Ok(Place::Host), "{one:?}");
        }
    }

    #[test]
    fn an_image_wins_over_the_machine() {
        let image = Place::Image("debian:12".to_owned());
        let map = Labels::default().with("Big", image.clone());
        assert_eq!(map.place(&labels(&["self-hosted", "big"])), Ok(image.clone()));
        assert_eq!(map.place(&labels(&["big", "self-hosted"])), Ok(image));
    }

    #[test]
    fn a_name_wins_over_a_pattern() {
        let image = Place::Image("ubuntu:24.04".to_owned());
        let map = Labels::default().with("ubuntu-24.04", image.clone());
        assert_eq!(map.place(&labels(&["ubuntu-24.04"])), Ok(image));
        assert_eq!(map.place(&labels(&["ubuntu-22.04"])), Ok(Place::Host));
    }

    #[test]
    fn an_unknown_label_is_named() {
        let error = Labels::default().place(&labels(&["self-hosted", "windows-latest"]));
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("\"windows-latest\"") && text.contains("ubuntu-*"),
            "{text}"
        );
        assert!(matches!(Labels::default().place(&[]), Err(NoPlace::None { .. })));
    }
}
