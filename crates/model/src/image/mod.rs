//! Names of container images, and what they are made of: references, digests, manifests.
//!
//! What is accepted, and in which words it is refused, is what github.com/distribution/reference v0.6.0 does with
//! `ParseNormalizedNamed`; kubelet, containerd and docker all use it.

mod hash;
pub mod manifest;

use std::fmt;
use std::str::FromStr;

pub use self::hash::Hasher;

/// The registry of a name that has none.
const DEFAULT_DOMAIN: &str = "docker.io";
/// Its older name, which means the same.
const LEGACY_DOMAIN: &str = "index.docker.io";
/// The namespace of a name of one part on the default registry.
const OFFICIAL_PREFIX: &str = "library/";
/// The tag of a name that has neither tag nor digest.
const DEFAULT_TAG: &str = "latest";
/// Longest path of a repository (reference.go, `RepositoryNameTotalLengthMax`).
const PATH_MAX: usize = 255;
/// Longest tag (regexp.go, `tag`).
const TAG_MAX: usize = 128;
/// Shortest hexadecimal part of a digest (regexp.go, `digestPat`).
const DIGEST_HEX_MIN: usize = 32;

/// Why a text names no image. The texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// 64 hexadecimal digits are the id of an image, not a name.
    Identifier(String),
    /// A repository has upper-case letters.
    Uppercase(String),
    /// A repository is longer than 255 characters.
    TooLong,
    /// It has not the form of a reference.
    Format,
    /// The part after `@` is no digest.
    Digest(DigestError),
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(text) => write!(
                f,
                "invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            ),
            Self::Uppercase(name) => write!(
                f,
                "invalid reference format: repository name ({name}) must be lowercase"
            ),
            Self::TooLong => write!(f, "repository name must not be more than {PATH_MAX} characters"),
            Self::Format => f.write_str("invalid reference format"),
            Self::Digest(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReferenceError {}

/// Why a text is no digest. The texts are those of github.com/opencontainers/go-digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestError {
    /// Not `algorithm:hexadecimal`.
    Format,
    /// An algorithm that nobody uses for images.
    Algorithm,
    /// The wrong number of digits for its algorithm.
    Length,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "invalid checksum digest format",
            Self::Algorithm => "unsupported digest algorithm",
            Self::Length => "invalid checksum digest length",
        })
    }
}

impl std::error::Error for DigestError {}

/// How a digest was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// What every registry uses.
    Sha256,
    /// Allowed by the image specification, rare.
    Sha512,
}

/// A content address, `sha256:` and 64 lower-case hexadecimal digits, or `sha512:` and 128.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// The digest whose SHA-256 sum is this.
    pub fn sha256(sum: &[u8; 32]) -> Self {
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in sum {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
        Self(text)
    }

    /// How it was computed.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        }
    }

    /// Its hexadecimal digits, without the algorithm. They are a safe file name.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Format)?;
        let hexadecimal = |b: u8| b.is_ascii_hexdigit();
        if algorithm.is_empty() || hex.is_empty() || !hex.bytes().all(hexadecimal) {
            return Err(DigestError::Format);
        }
        let digits = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return Err(DigestError::Algorithm),
        };
        if hex.len() != digits {
            return Err(DigestError::Length);
        }
        if hex.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestError::Format);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The full name of an image: registry, repository, and a tag, a digest or both.
///
/// ```
/// use deploy_model::image::Reference;
///
/// let reference: Reference = "nginx".parse()?;
/// assert_eq!(reference.to_string(), "docker.io/library/nginx:latest");
/// # Ok::<(), deploy_model::image::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry, `docker.io` or `host:port`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry, `library/nginx`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and repository, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The tag; `latest` where neither a tag nor a digest was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest, else the tag.
    pub fn version(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => DEFAULT_TAG,
        }
    }

    /// The same repository, at this digest and no tag.
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            domain: self.domain.clone(),
            path: self.path.clone(),
            tag: None,
            digest: Some(digest),
        }
    }

    /// Whether this text says itself which version it means, instead of leaving it to the default tag.
    pub fn names_version(text: &str) -> bool {
        let last = text.rsplit('/').next().unwrap_or(text);
        last.contains([':', '@'])
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let identifier = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(identifier) {
            return Err(ReferenceError::Identifier(text.to_owned()));
        }
        let (domain, remainder) = split_domain(text);
        let repository = remainder.split(':').next().unwrap_or_default();
        if repository.chars().any(char::is_uppercase) {
            return Err(ReferenceError::Uppercase(repository.to_owned()));
        }
        let (named, digest) = match remainder.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (&*remainder, None),
        };
        // The name and the tag are judged first, as upstream's one expression over the whole does.
        let (path, tag) = match named.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (named, None),
        };
        let well_formed = is_domain(domain)
            && path.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(looks_like_digest);
        if !well_formed {
            return Err(ReferenceError::Format);
        }
        if path.len() > PATH_MAX {
            return Err(ReferenceError::TooLong);
        }
        let digest: Option<Digest> = match digest {
            Some(digest) => Some(digest.parse().map_err(ReferenceError::Digest)?),
            None => None,
        };
        let tag = match (tag, &digest) {
            (None, None) => Some(DEFAULT_TAG),
            (tag, _) => tag,
        };
        Ok(Self {
            domain: domain.to_owned(),
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// The registry of a name and what remains, after the rules for short names (normalize.go, `splitDockerDomain`).
fn split_domain(text: &str) -> (&str, String) {
    let Some((first, rest)) = text.split_once('/') else {
        return (DEFAULT_DOMAIN, format!("{OFFICIAL_PREFIX}{text}"));
    };
    let (domain, remainder) = if first == LEGACY_DOMAIN {
        (DEFAULT_DOMAIN, rest)
    } else if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) {
        (first, rest)
    } else {
        (DEFAULT_DOMAIN, text)
    };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        return (domain, format!("{OFFICIAL_PREFIX}{remainder}"));
    }
    (domain, remainder.to_owned())
}

fn is_domain(text: &str) -> bool {
    let host_and_port = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else {
            return false;
        };
        let hexadecimal = |b: u8| b.is_ascii_hexdigit() || b == b':';
        if address.is_empty() || !address.bytes().all(hexadecimal) {
            return false;
        }
        match rest.strip_prefix(':') {
            Some(port) => Some(port),
            None if rest.is_empty() => None,
            None => return false,
        }
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        if !host.split('.').all(is_domain_component) {
            return false;
        }
        port
    };
    host_and_port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_domain_component(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Lower-case letters and digits, joined by one dot, one or two underscores, or any number of hyphens.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(|&b| alphanumeric(b)) || !bytes.last().is_some_and(|&b| alphanumeric(b)) {
        return false;
    }
    bytes.split(|&b| alphanumeric(b)).all(|separator| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-')
    })
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= TAG_MAX
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// The form alone: whether the algorithm is known and its length right is the next question.
fn looks_like_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let component = |part: &str| {
        part.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(component)
        && hex.len() >= DIGEST_HEX_MIN
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "9b2cd8b1b7d3b6d1c5fd2f7ab2e0a3d0b5b6a2d1e8f9c0a1b2c3d4e5f6071829";

    fn parsed(text: &str) -> Result<String, String> {
        text.parse::<Reference>()
            .map(|reference| reference.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_become_full() {
        for (text, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("a/b", "docker.io/a/b:latest"),
            ("docker.io/debian", "docker.io/library/debian:latest"),
            ("index.docker.io/debian:12", "docker.io/library/debian:12"),
            ("localhost/debian", "localhost/debian:latest"),
            ("LOCALDOMAIN/debian", "LOCALDOMAIN/debian:latest"),
            ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
            ("192.168.0.1:80", "docker.io/library/192.168.0.1:80"),
            ("[fc00::1]:5000/docker", "[fc00::1]:5000/docker:latest"),
            ("dock__er/do---cker.x", "docker.io/dock__er/do---cker.x:latest"),
            ("Docker/docker", "Docker/docker:latest"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(full), "{text}");
        }
        let digested = format!("ghcr.io/a/b:1@sha256:{HEX}");
        assert_eq!(parsed(&digested).as_deref(), Ok(&*digested));
        let only = format!("docker.io/library/a@sha256:{HEX}");
        assert_eq!(parsed(&format!("a@sha256:{HEX}")).as_deref(), Ok(&*only));
    }

    #[test]
    fn refusals_have_upstreams_words() {
        let long = format!("{}/docker", "a".repeat(260));
        for (text, error) in [
            ("", "invalid reference format"),
            ("-docker", "invalid reference format"),
            ("docker///docker", "invalid reference format"),
            ("docker/", "invalid reference format"),
            ("dock..er/docker", "invalid reference format"),
            ("dock_.er/docker", "invalid reference format"),
            ("https://github.com/docker/docker", "invalid reference format"),
            ("fc00::1:5000/debian", "invalid reference format"),
            ("[fe80::1%eth0]:5000/debian", "invalid reference format"),
            ("a:b c", "invalid reference format"),
            ("a@sha256:abc", "invalid reference format"),
            (
                "docker/Docker",
                "invalid reference format: repository name (docker/Docker) must be lowercase",
            ),
            (
                "Nginx:X",
                "invalid reference format: repository name (library/Nginx) must be lowercase",
            ),
            (
                long.as_str(),
                "repository name must not be more than 255 characters",
            ),
        ] {
            assert_eq!(parsed(text).err().as_deref(), Some(error), "{text}");
        }
        assert_eq!(
            parsed(HEX).err(),
            Some(format!(
                "invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"
            ))
        );
        assert_eq!(
            parsed(&format!("a@md5:{HEX}")).err().as_deref(),
            Some("unsupported digest algorithm")
        );
        assert_eq!(
            parsed(&format!("a@sha256:{HEX}00")).err().as_deref(),
            Some("invalid checksum digest length")
        );
    }

    #[test]
    fn a_digest_knows_its_parts() {
        let digest = Digest::sha256(&[0xab; 32]);
        assert_eq!(digest.hex(), "ab".repeat(32));
        assert_eq!(digest.as_str().parse(), Ok(digest.clone()));
        assert_eq!(digest.algorithm(), Algorithm::Sha256);
        assert_eq!(
            format!("sha256:{}", "AB".repeat(32)).parse::<Digest>(),
            Err(DigestError::Format)
        );
    }
}
