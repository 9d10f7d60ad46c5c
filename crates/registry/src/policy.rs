//! Which tags may move, and which are not taken at all.

/// The rules for tags of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPolicy {
    /// Tags that look like a commit (`9f5adeb`, `sha-9f5adeb...`) stay where they are.
    pub commits_stay: bool,
    /// Tags that look like a version (`1.4.0`, `v1.4.0-rc.1`) stay where they are.
    pub versions_stay: bool,
    /// Repositories in which nobody may push `latest`: their names, `*` at the end for all that begin so.
    pub latest_refused: Vec<String>,
}

impl Default for TagPolicy {
    fn default() -> Self {
        Self {
            commits_stay: true,
            versions_stay: true,
            latest_refused: Vec::new(),
        }
    }
}

/// Shortest and longest abbreviation of a commit: git's default, and SHA-256.
const COMMIT_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;

impl TagPolicy {
    /// No rules: every tag may move.
    pub fn free() -> Self {
        Self {
            commits_stay: false,
            versions_stay: false,
            latest_refused: Vec::new(),
        }
    }

    /// Why a tag may not be set, or moved if it is there and leads elsewhere.
    pub fn refusal(&self, repository: &str, tag: &str, moves: bool) -> Option<String> {
        if tag == "latest"
            && self
                .latest_refused
                .iter()
                .any(|pattern| matches(pattern, repository))
        {
            return Some(format!(
                "the tag latest is refused in {repository}: push a commit or a version"
            ));
        }
        let what = match () {
            () if self.commits_stay && is_commit(tag) => "a commit",
            () if self.versions_stay && is_version(tag) => "a version",
            () => return None,
        };
        moves.then(|| {
            format!("the tag {tag} is {what} and leads to another image already: it does not move; push another tag")
        })
    }
}

fn matches(pattern: &str, repository: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => repository.starts_with(start),
        None => pattern == repository,
    }
}

/// `9f5adeb` or `sha-9f5adeb`. A word without a digit (`defaced`) and a number (`20261122`) are names that people give.
fn is_commit(tag: &str) -> bool {
    let marked = tag.strip_prefix("sha-");
    let digits = marked.unwrap_or(tag);
    let hexadecimal = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mixed = digits.bytes().any(|b| b.is_ascii_digit()) && digits.bytes().any(|b| b.is_ascii_lowercase());
    // In a whole commit all forty digits may be of one sort.
    COMMIT_DIGITS.contains(&digits.len())
        && hexadecimal
        && (mixed || marked.is_some() || matches!(digits.len(), 40 | 64))
}

/// `1.4.0` and what semver.org allows behind it, with or without `v`. A tag has no `+`.
fn is_version(tag: &str) -> bool {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let (core, rest) = match tag.split_once('-') {
        Some((core, rest)) => (core, Some(rest)),
        None => (tag, None),
    };
    let number = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    let numbers: Vec<&str> = core.split('.').collect();
    let identifier =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    numbers.len() == 3
        && numbers.into_iter().all(number)
        && rest.is_none_or(|rest| rest.split('.').all(identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_and_versions_are_told_from_names() {
        let whole = "9f5adeb98a4d1a6bcf8ff09ddfa323651648e151";
        for tag in ["9f5adeb", "sha-9f5adeb", "sha-1234567", whole] {
            assert!(is_commit(tag), "{tag}");
        }
        for tag in ["defaced", "20261122", "9f5ade", "9F5ADEB", "main", "v9f5adeb", ""] {
            assert!(!is_commit(tag), "{tag}");
        }
        for tag in ["1.2.3", "v1.2.3", "0.0.0", "1.2.3-rc.1", "10.20.30-alpha-1.x"] {
            assert!(is_version(tag), "{tag}");
        }
        for tag in [
            "1.2",
            "v1",
            "1.2.3.4",
            "01.2.3",
            "1.2.3-",
            "1.2.x",
            "latest",
            "1.2.3-rc..1",
            "",
        ] {
            assert!(!is_version(tag), "{tag}");
        }
    }

    #[test]
    fn what_stays_stays() {
        let policy = TagPolicy {
            latest_refused: vec!["prod/*".to_owned(), "shop".to_owned()],
            ..TagPolicy::default()
        };
        for (repository, tag, moves, allowed) in [
            ("a", "1.2.3", false, true),
            ("a", "1.2.3", true, false),
            ("a", "9f5adeb", true, false),
            ("a", "main", true, true),
            ("a", "latest", true, true),
            ("prod/web", "latest", false, false),
            ("shop", "latest", false, false),
            ("shop/web", "latest", false, true),
        ] {
            let refusal = policy.refusal(repository, tag, moves);
            assert_eq!(refusal.is_none(), allowed, "{repository}:{tag} {refusal:?}");
        }
        assert_eq!(TagPolicy::free().refusal("a", "1.2.3", true), None);
    }
}
