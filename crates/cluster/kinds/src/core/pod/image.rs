//! Names of images, as far as defaulting must read them (`distribution/reference`, `pkg/util/parsers`).

use crate::limits::IMAGE_NAME_MAX;

/// Whether an image is pulled whenever a container starts if nobody says otherwise: its tag is `latest`, or it has
/// neither tag nor digest. A name that is none is not.
pub fn is_latest(image: &str) -> bool {
    match tag_and_digest(image) {
        Some((tag, digest)) => tag == Some("latest") || (tag.is_none() && digest.is_none()),
        None => false,
    }
}

/// The tag and the digest of a well-formed name.
fn tag_and_digest(image: &str) -> Option<(Option<&str>, Option<&str>)> {
    if image.len() == 64 && image.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let (named, digest) = match image.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (image, None),
    };
    // A colon before the last slash belongs to the port of the registry.
    let path_start = named.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match named[path_start..].find(':') {
        Some(colon) => (
            &named[..path_start + colon],
            Some(&named[path_start + colon + 1..]),
        ),
        None => (named, None),
    };
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if is_domain(first) => (first, rest),
        _ => ("docker.io", name),
    };
    let well_formed = name.len() <= IMAGE_NAME_MAX
        && is_host(domain)
        && path.split('/').all(is_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    well_formed.then_some((tag, digest))
}

/// Whether the first part of a name is the name of a registry.
fn is_domain(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_host(domain: &str) -> bool {
    if let Some((address, port)) = domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let hex = address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
        return hex
            && !address.is_empty()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_number));
    }
    let (host, port) = domain
        .split_once(':')
        .map_or((domain, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
    };
    host.split('.').all(label) && port.is_none_or(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `[a-z0-9]+` with `.`, `_`, `__` or dashes between.
fn is_component(part: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let edges =
        bytes.first().is_some_and(|b| alphanumeric(*b)) && bytes.last().is_some_and(|b| alphanumeric(*b));
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    edges
        && separators
            .filter(|part| !part.is_empty())
            .all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let len = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == len && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_moves_is_pulled_always() {
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        for (image, latest) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1.2", false),
            ("localhost:5000/a/b", true),
            ("localhost:5000/a/b:1", false),
            (&digest, false),
            ("", false),
            ("Nginx", false),
            ("a b", false),
            ("nginx:", false),
            ("quay.io/A/b", false),
            ("a--b/c__d", true),
            ("a...b", false),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
