//! Versions: loose parsing, order, and the next ones.

use std::cmp::Ordering;
use std::fmt;

/// Bytes of a version text that are read at most.
const MAX_VERSION_BYTES: usize = 256;

/// A semantic version. Two versions are equal if neither is newer: the build metadata does not count.
#[derive(Clone, Debug)]
pub struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) prerelease: String,
    pub(super) metadata: String,
    pub(super) original: String,
}

/// Why a text is no version; the text is Masterminds'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum VersionError {
    #[error("invalid semantic version")]
    Invalid,
    #[error("version string empty")]
    Empty,
    #[error("version string is too long (max {MAX_VERSION_BYTES} bytes)")]
    TooLong,
    #[error("invalid characters in version")]
    Characters,
    #[error("version segment starts with 0")]
    LeadingZero,
    #[error("invalid prerelease string")]
    Prerelease,
    #[error("invalid metadata string")]
    Metadata,
    #[error("{context}strconv.ParseUint: parsing {segment:?}: value out of range")]
    OutOfRange {
        /// What stands before the message of `strconv`.
        context: &'static str,
        /// The number.
        segment: String,
    },
}

impl Version {
    /// Reads `1`, `1.2`, `v1.2.3-rc.1+build`: everything after the major number may be missing.
    pub fn parse(text: &str) -> Result<Version, VersionError> {
        Version::parse_bytes(text.as_bytes())
    }

    pub(super) fn parse_bytes(bytes: &[u8]) -> Result<Version, VersionError> {
        if bytes.len() > MAX_VERSION_BYTES {
            return Err(VersionError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| VersionError::Invalid)?;
        let parts = Parts::scan(text, |b| b.is_ascii_digit()).ok_or(VersionError::Invalid)?;
        if parts.length != text.len() {
            return Err(VersionError::Invalid);
        }
        let number = |segment: &str| segment_number(segment, "error parsing version segment: ");
        let version = Version {
            major: number(parts.major)?,
            minor: number(parts.minor.unwrap_or("0"))?,
            patch: number(parts.patch.unwrap_or("0"))?,
            prerelease: parts.prerelease.unwrap_or_default().to_owned(),
            metadata: parts.metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        };
        check_prerelease(&version.prerelease)?;
        Ok(version)
    }

    /// Reads only what the specification of semantic versions calls one: three numbers, no `v`.
    pub fn parse_strict(text: &str) -> Result<Version, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > MAX_VERSION_BYTES {
            return Err(VersionError::TooLong);
        }
        let mut numbers = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return Err(VersionError::Invalid);
        };
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, Some(metadata)),
            None => (rest, None),
        };
        let (patch, prerelease) = match rest.split_once('-') {
            Some((patch, prerelease)) => (patch, Some(prerelease)),
            None => (rest, None),
        };
        if metadata.is_some_and(|m| !identifiers(m)) {
            return Err(VersionError::Metadata);
        }
        if let Some(prerelease) = prerelease {
            if !identifiers(prerelease) {
                return Err(VersionError::Prerelease);
            }
            check_prerelease(prerelease)?;
        }
        let segments = [major, minor, patch];
        for segment in segments {
            if !segment.bytes().all(|b| b.is_ascii_digit()) {
                return Err(VersionError::Characters);
            }
            if segment.len() > 1 && segment.starts_with('0') {
                return Err(VersionError::LeadingZero);
            }
        }
        Ok(Version {
            major: strict_number(major)?,
            minor: strict_number(minor)?,
            patch: strict_number(patch)?,
            prerelease: prerelease.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// 0.0.0, read from nothing.
    pub(in crate::sprig) fn zero() -> Version {
        Version {
            major: 0,
            minor: 0,
            patch: 0,
            prerelease: String::new(),
            metadata: String::new(),
            original: String::new(),
        }
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number.
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// What stands after the first hyphen, without it.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// What stands after the plus, without it.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text that was read.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// A copy with other numbers and no prerelease or metadata; `None` where a number would overflow.
    pub(super) fn next(&self, raise: impl FnOnce(&mut Version) -> Option<()>) -> Option<Version> {
        let mut next = self.clone();
        raise(&mut next)?;
        next.prerelease.clear();
        next.metadata.clear();
        next.rename();
        Some(next)
    }

    /// Makes the original text what the parts say, with the `v` that it had.
    pub(super) fn rename(&mut self) {
        let prefix = if self.original.starts_with('v') { "v" } else { "" };
        self.original = format!("{prefix}{self}");
    }
}

/// The order of precedence.
impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let numbers = |v: &Version| (v.major, v.minor, v.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
            }
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Without the `v`, with all three numbers.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// Compares prereleases part by part; a missing part is older than any.
pub(super) fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let mut theirs = b.split('.');
    let mut ours = a.split('.');
    loop {
        let order = match (ours.next(), theirs.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => compare_parts(a.unwrap_or_default(), b.unwrap_or_default()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Numbers are older than texts; what does not fit 64 bits is a text.
fn compare_parts(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (a.is_empty(), b.is_empty()) {
        (true, _) => return Ordering::Less,
        (_, true) => return Ordering::Greater,
        _ => {}
    }
    match (a.parse::<u64>().ok(), b.parse::<u64>().ok()) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The parts of a version text at the start of some text.
pub(super) struct Parts<'a> {
    pub major: &'a str,
    pub minor: Option<&'a str>,
    pub patch: Option<&'a str>,
    pub prerelease: Option<&'a str>,
    pub metadata: Option<&'a str>,
    /// How many bytes the version takes.
    pub length: usize,
}

impl<'a> Parts<'a> {
    /// Takes the longest version off the start; a segment consists of the bytes that `in_segment` names.
    pub fn scan(text: &'a str, in_segment: impl Fn(u8) -> bool) -> Option<Parts<'a>> {
        let mut at = usize::from(text.starts_with('v'));
        let segment = |from: usize| {
            let length = text.as_bytes()[from..]
                .iter()
                .take_while(|&&b| in_segment(b))
                .count();
            (length > 0).then(|| &text[from..from + length])
        };
        let major = segment(at)?;
        at += major.len();
        let mut dotted = || {
            let found = text[at..].starts_with('.').then(|| segment(at + 1)).flatten()?;
            at += 1 + found.len();
            Some(found)
        };
        let minor = dotted();
        // The patch follows a minor only, but a dot that did not start a minor starts no patch either.
        let patch = dotted();
        let mut after = |sign: char| {
            let found = text[at..].strip_prefix(sign).and_then(identifiers_prefix)?;
            at += 1 + found.len();
            Some(found)
        };
        let prerelease = after('-');
        let metadata = after('+');
        Some(Parts {
            major,
            minor,
            patch,
            prerelease,
            metadata,
            length: at,
        })
    }
}

fn in_identifier(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-'
}

/// The longest run of identifiers with dots between them; none if it would be empty.
fn identifiers_prefix(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let run = |from: usize| bytes[from..].iter().take_while(|&&b| in_identifier(b)).count();
    let mut end = run(0);
    if end == 0 {
        return None;
    }
    while bytes.get(end) == Some(&b'.') {
        match run(end + 1) {
            0 => break,
            length => end += 1 + length,
        }
    }
    Some(&text[..end])
}

/// Whether the text is identifiers with dots between them and nothing else.
fn identifiers(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(in_identifier))
}

/// Numbers in a prerelease have no leading zeros.
pub(super) fn check_prerelease(text: &str) -> Result<(), VersionError> {
    let zero_first =
        |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
    if text.split('.').any(zero_first) {
        return Err(VersionError::LeadingZero);
    }
    Ok(())
}

pub(super) fn valid_prerelease(text: &str) -> Result<(), VersionError> {
    if !identifiers(text) {
        return Err(VersionError::Prerelease);
    }
    check_prerelease(text)
}

pub(super) fn valid_metadata(text: &str) -> Result<(), VersionError> {
    if identifiers(text) {
        Ok(())
    } else {
        Err(VersionError::Metadata)
    }
}

fn segment_number(segment: &str, context: &'static str) -> Result<u64, VersionError> {
    segment.parse().map_err(|_| VersionError::OutOfRange {
        context,
        segment: segment.to_owned(),
    })
}

fn strict_number(segment: &str) -> Result<u64, VersionError> {
    if segment.is_empty() {
        // Go hands the empty text to strconv, whose complaint is about syntax; nothing shows it.
        return Err(VersionError::Invalid);
    }
    segment_number(segment, "")
}
