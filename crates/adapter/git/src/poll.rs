//! Remotes that tell nothing by themselves: asked for their references now and then, and fetched from.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::command::{Bounds, Git};
use crate::error::GitError;
use crate::limits;
use crate::oid::Oid;
use crate::repositories::Repository;

/// A repository elsewhere.
#[derive(Clone)]
pub struct Remote {
    url: String,
    authorization: Option<String>,
}

/// Never with its credentials, and without what a URL may hide.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.url).finish()
    }
}

impl Remote {
    /// A remote that is reached by `https:` or `http:`. Credentials do not belong into its URL, where logs would show them.
    ///
    /// # Errors
    /// [`GitError::Invalid`] for any other URL: `file:` and `ext:` would reach this machine's own files and programs.
    pub fn new(url: &str) -> Result<Remote, GitError> {
        let invalid = || GitError::Invalid {
            what: "the URL of a remote",
            // What stands before an @ may be a password.
            given: url
                .rsplit_once('@')
                .map_or(url, |(_, rest)| rest)
                .chars()
                .take(200)
                .collect(),
        };
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or_else(invalid)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_good = !authority.is_empty()
            && !authority.contains('@')
            && !authority.starts_with('-')
            && url.len() <= 2_000
            && url.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if !is_good {
            return Err(invalid());
        }
        Ok(Remote {
            url: url.to_owned(),
            authorization: None,
        })
    }

    /// The same with a user and a password or token.
    #[must_use]
    pub fn with_password(mut self, user: &str, password: &str) -> Remote {
        self.authorization = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        self
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// By the environment, which only the same user can read: arguments are in every list of processes.
    fn authorize(&self, command: &mut std::process::Command) {
        command.args([
            "-c",
            "protocol.https.allow=always",
            "-c",
            "protocol.http.allow=always",
        ]);
        command.args(["-c", "http.followRedirects=initial"]);
        if let Some(authorization) = &self.authorization {
            command
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", self.url))
                .env("GIT_CONFIG_VALUE_0", format!("Authorization: {authorization}"));
        }
    }
}

/// References of a remote and what they name.
pub type References = BTreeMap<String, Oid>;

impl Git {
    /// What a remote has: its branches and tags.
    ///
    /// # Errors
    /// Git's words about what the remote refuses.
    pub async fn references_of(&self, remote: &Remote) -> Result<References, GitError> {
        let mut command = self.command(None);
        remote.authorize(&mut command);
        command.args([
            "ls-remote",
            "--refs",
            "--quiet",
            "--heads",
            "--tags",
            "--",
            &remote.url,
        ]);
        command.current_dir("/");
        let bounds = Bounds {
            bytes: limits::LIST_BYTES,
            time: limits::REMOTE_TIME,
        };
        let output = self
            .run(command, "ls-remote", Vec::new(), bounds)
            .await?
            .done("ls-remote")?;
        String::from_utf8_lossy(&output)
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(oid, name)| Ok((name.to_owned(), oid.parse()?)))
            .collect()
    }
}

impl Repository {
    /// Makes branches and tags equal to those of a remote. Its caller then settles the repository, which tells what changed.
    ///
    /// # Errors
    /// Git's words.
    pub async fn fetch(&self, remote: &Remote) -> Result<(), GitError> {
        let mut command = self.git.command(Some(&self.folder));
        remote.authorize(&mut command);
        command
            .args(["-c", "transfer.fsckObjects=true", "-c", "fetch.unpackLimit=1"])
            .args([
                "fetch",
                "--quiet",
                "--prune",
                "--force",
                "--no-tags",
                "--no-write-fetch-head",
            ])
            .args(["--no-recurse-submodules", "--end-of-options", &remote.url])
            .args(["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"])
            .env("GIT_COMMITTER_NAME", "poll")
            .env("GIT_COMMITTER_EMAIL", "poll@deploy");
        let bounds = Bounds {
            bytes: limits::LIST_BYTES,
            time: limits::TRANSFER_TIME,
        };
        self.git
            .run(command, "fetch", Vec::new(), bounds)
            .await?
            .done("fetch")
            .map(drop)
    }
}

/// When a remote is asked next, and what its answers mean. It is pure: its owner asks and waits.
#[derive(Clone, Debug)]
pub struct Poll {
    interval: Duration,
    failures: u32,
    known: Option<References>,
}

/// What an answer of a remote means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// References that differ from the answer before; none at the first answer.
    pub changed: Vec<String>,
    /// How long to wait.
    pub wait: Duration,
}

impl Poll {
    /// A remote that is to be asked so often while all goes well.
    pub fn new(interval: Duration) -> Poll {
        Poll {
            interval: interval.max(limits::BACKOFF_FIRST),
            failures: 0,
            known: None,
        }
    }

    /// The remote has answered.
    pub fn answered(&mut self, references: References) -> Next {
        self.failures = 0;
        let mut changed = Vec::new();
        if let Some(known) = &self.known {
            for (name, oid) in &references {
                if known.get(name) != Some(oid) {
                    changed.push(name.clone());
                }
            }
            changed.extend(
                known
                    .keys()
                    .filter(|name| !references.contains_key(*name))
                    .cloned(),
            );
            changed.sort();
        }
        self.known = Some(references);
        Next {
            changed,
            wait: self.interval,
        }
    }

    /// The remote has not answered: the wait doubles from failure to failure, and never ends.
    pub fn failed(&mut self) -> Next {
        let doubled = limits::BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        Next {
            changed: Vec::new(),
            wait: doubled.min(limits::BACKOFF_LONGEST.max(self.interval)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(pairs: &[(&str, char)]) -> References {
        pairs
            .iter()
            .map(|(name, digit)| {
                let oid = digit.to_string().repeat(40).parse().expect("digits");
                ((*name).to_owned(), oid)
            })
            .collect()
    }

    #[test]
    fn changes_are_seen_and_failures_slow_it_down() {
        let mut poll = Poll::new(Duration::from_secs(60));
        let next = poll.answered(references(&[("refs/heads/a", 'a'), ("refs/heads/b", 'b')]));
        assert_eq!((next.changed.len(), next.wait.as_secs()), (0, 60));
        let waits: Vec<u64> = (0..12).map(|_| poll.failed().wait.as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]);
        let next = poll.answered(references(&[("refs/heads/b", 'c'), ("refs/heads/c", 'd')]));
        assert_eq!(next.changed, ["refs/heads/a", "refs/heads/b", "refs/heads/c"]);
        assert_eq!(poll.failed().wait.as_secs(), 5);
        for _ in 0..100 {
            poll.failed();
        }
        assert_eq!(poll.failed().wait, limits::BACKOFF_LONGEST);
    }

    #[test]
    fn urls() {
        for good in ["https://github.com/a/b.git", "http://127.0.0.1:7080/git/a.git"] {
            assert_eq!(Remote::new(good).expect(good).url(), good);
        }
        for bad in [
            "",
            "file:///etc",
            "/etc",
            "ext::sh -c id",
            "ssh://a/b",
            "git@github.com:a/b",
            "https://",
            "https://-x/y",
            "https://user:secret@host/x",
            "--upload-pack=id",
            "https://a/ b",
            "https://a/\n",
        ] {
            let refused = Remote::new(bad).expect_err(bad).to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
