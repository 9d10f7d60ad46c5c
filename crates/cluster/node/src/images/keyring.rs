//! `imagePullSecrets`: which credentials are for which image (pkg/credentialprovider/keyring.go, config.go).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deploy_registry_client::Credentials;
use serde_json::{Map, Value};

use super::limits;

/// Docker's registry in docker's own configuration.
const DOCKER_HOST: &str = "index.docker.io";

/// Credentials by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    /// `host[:port][/path]`, which may have `*`, and who; the most specific first.
    entries: Vec<(String, Credentials)>,
}

impl Keyring {
    /// The keyring of secrets of the types `kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg`. Others, and
    /// those that cannot be read, hold nothing.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut entries = Vec::new();
        for secret in secrets {
            let auths = match secret["type"].as_str() {
                Some("kubernetes.io/dockerconfigjson") => {
                    let mut config = content(&secret["data"][".dockerconfigjson"]);
                    config.as_mut().and_then(|config| match config["auths"].take() {
                        Value::Object(auths) => Some(auths),
                        _ => None,
                    })
                }
                Some("kubernetes.io/dockercfg") => match content(&secret["data"][".dockercfg"]) {
                    Some(Value::Object(auths)) => Some(auths),
                    _ => None,
                },
                _ => None,
            };
            entries.extend(auths.iter().flat_map(read));
        }
        // In reverse order the longer of two paths stands first; equal ones stay in the order of the secrets.
        entries.sort_by(|(a, _), (b, _)| b.cmp(a));
        Self { entries }
    }

    /// The credentials for a repository, `docker.io/library/nginx`, the best first.
    pub fn lookup(&self, repository: &str) -> Vec<Credentials> {
        let matching = |entry: &&(String, Credentials)| matches(&entry.0, repository);
        let default =
            |entry: &&(String, Credentials)| entry.0 == DOCKER_HOST && repository.starts_with("docker.io/");
        let take = |found: &mut dyn Iterator<Item = &(String, Credentials)>| -> Vec<Credentials> {
            found
                .take(limits::CREDENTIALS_MAX)
                .map(|(_, credentials)| credentials.clone())
                .collect()
        };
        let found = take(&mut self.entries.iter().filter(matching));
        if found.is_empty() {
            return take(&mut self.entries.iter().filter(default));
        }
        found
    }
}

fn content(data: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(data.as_str()?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn read(auths: &Map<String, Value>) -> Vec<(String, Credentials)> {
    let entry = |(location, entry): (&String, &Value)| Some((key(location), credentials(entry)?));
    auths
        .iter()
        .take(limits::KEYRING_ENTRIES_MAX)
        .filter_map(entry)
        .collect()
}

/// `https://host/v1/` and `host` are the same.
fn key(location: &str) -> String {
    let rest = location
        .strip_prefix("https://")
        .or_else(|| location.strip_prefix("http://"))
        .unwrap_or(location);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = if path.starts_with("/v2/") || path.starts_with("/v1/") {
        &path[3..]
    } else {
        path
    };
    if path.is_empty() || path == "/" {
        host.to_owned()
    } else {
        format!("{host}{path}")
    }
}

fn credentials(entry: &Value) -> Option<Credentials> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Some(Credentials::identity(text("username").unwrap_or_default(), token));
    }
    if let Some(auth) = text("auth") {
        // docker pads its base64 with zeros at times.
        let bytes = STANDARD.decode(auth.trim()).ok()?;
        let pair = String::from_utf8(bytes).ok()?;
        let (username, password) = pair.split_once(':')?;
        return Some(Credentials::basic(username, password.trim_end_matches('\0')));
    }
    Some(Credentials::basic(
        text("username")?,
        text("password").unwrap_or_default(),
    ))
}

/// Host by host name with `*` in its labels, port equal, path as a prefix.
fn matches(glob: &str, target: &str) -> bool {
    let parts = |text: &str| -> (String, Option<String>, String) {
        let (host, path) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.to_owned())),
            _ => (host, None),
        };
        (host.to_owned(), port, path.to_owned())
    };
    let (glob_host, glob_port, glob_path) = parts(glob);
    let (host, port, path) = parts(target);
    let labels = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (globs, names) = (labels(&glob_host), labels(&host));
    glob_port == port
        && globs.len() == names.len()
        && globs
            .iter()
            .zip(&names)
            .all(|(glob, name)| fits(glob.as_bytes(), name.as_bytes()))
        && path.starts_with(&glob_path)
}

/// `*` and `?` in one label. Linear: a star goes back only to the last one.
fn fits(glob: &[u8], name: &[u8]) -> bool {
    let (mut at, mut star, mut behind) = (0, None, 0);
    let mut place = 0;
    while place < name.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some(at);
                behind = place;
                at += 1;
            }
            Some(&letter) if letter == b'?' || letter == name[place] => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some(star) => {
                    at = star + 1;
                    behind += 1;
                    place = behind;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|&letter| letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(auths: &Value) -> Value {
        let config = json!({ "auths": auths }).to_string();
        json!({
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": STANDARD.encode(config)},
        })
    }

    #[test]
    fn the_most_specific_entry_comes_first() {
        let keyring = Keyring::of(&[secret(&json!({
            "https://index.docker.io/v1/": {"auth": STANDARD.encode("hub:word")},
            "quay.io": {"username": "quay", "password": "1"},
            "quay.io/team": {"username": "team", "password": "2"},
            "*.example.com:5000": {"username": "star", "password": "3"},
            "broken": {"auth": "!"},
            "empty": {},
        }))]);
        let basic = Credentials::basic;
        for (repository, expected) in [
            ("docker.io/library/nginx", vec![basic("hub", "word")]),
            ("quay.io/team/a", vec![basic("team", "2"), basic("quay", "1")]),
            ("quay.io/other/a", vec![basic("quay", "1")]),
            ("a.example.com:5000/b", vec![basic("star", "3")]),
            ("a.example.com/b", vec![]),
            ("a.b.example.com:5000/b", vec![]),
            ("empty/a", vec![]),
        ] {
            assert_eq!(keyring.lookup(repository), expected, "{repository}");
        }
    }

    #[test]
    fn both_types_of_secrets_and_none() {
        let old = json!({
            "type": "kubernetes.io/dockercfg",
            "data": {".dockercfg": STANDARD.encode(r#"{"a.io":{"username":"u","password":"p"}}"#)},
        });
        let opaque = json!({"type": "Opaque", "data": {".dockercfg": "e30="}});
        let broken = json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30"}});
        let keyring = Keyring::of(&[opaque, broken, old]);
        assert_eq!(keyring.lookup("a.io/b"), [Credentials::basic("u", "p")]);
    }

    #[test]
    fn credentials_have_no_text_form() {
        let keyring = Keyring::of(&[secret(
            &json!({"a.io": {"username": "who", "password": "hidden"}}),
        )]);
        let shown = format!("{keyring:?}");
        assert!(!shown.contains("hidden") && !shown.contains("who"), "{shown}");
    }

    #[test]
    fn globs() {
        for (glob, name, fit) in [
            ("*", "abc", true),
            ("a*c", "abbc", true),
            ("a*c*", "abcb", true),
            ("a?c", "abc", true),
            ("a*d", "abc", false),
            ("", "a", false),
            ("a", "", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(glob.as_bytes(), name.as_bytes()), fit, "{glob} {name}");
        }
    }
}
