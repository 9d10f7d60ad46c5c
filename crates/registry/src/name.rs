//! Names of repositories and tags (distribution-spec, "Pulling manifests").

use crate::error::RegistryError;
use crate::limits;

/// Characters of a tag.
const TAG_CHARS: usize = 128;

/// Whether this is a repository's name: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`.
pub fn is_repository(text: &str) -> bool {
    text.len() <= limits::NAME_CHARS && text.split('/').all(is_component)
}

/// Whether this is a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= TAG_CHARS
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// Refuses what is no repository's name.
pub fn repository(text: &str) -> Result<(), RegistryError> {
    if is_repository(text) {
        return Ok(());
    }
    Err(RegistryError::NameInvalid)
}

fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let bounded = bytes.first().is_some_and(|&byte| alphanumeric(byte))
        && bytes.last().is_some_and(|&byte| alphanumeric(byte));
    bounded
        && bytes.split(|&byte| alphanumeric(byte)).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|&byte| byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_specifications() {
        for name in ["a", "shop/web", "a.b/c_d/e__f/g---h", "0", "manifests/tags/blobs"] {
            assert!(is_repository(name), "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "", "/", "a/", "/a", "a//b", "A", "a/../b", "..", ".", "a_", "_a", "a___b", "a..b", "a b",
            "a%2fb", "ä", "a\0b", "a/.", "-a", &long,
        ] {
            assert!(!is_repository(name), "{name}");
        }
    }

    #[test]
    fn tags_are_the_specifications() {
        let longest = "a".repeat(128);
        for tag in ["latest", "_", "v1.2.3-rc.1", "A-b_c.D", &longest] {
            assert!(is_tag(tag), "{tag}");
        }
        let longer = "a".repeat(129);
        for tag in ["", ".a", "-a", "a/b", "a:b", "a b", "..", "ü", "a+b", &longer] {
            assert!(!is_tag(tag), "{tag}");
        }
    }
}
