//! As much of RFC 3986 as references between schemas need.

/// The part before and the part behind the first `#`.
pub fn split(text: &str) -> (&str, &str) {
    text.split_once('#').unwrap_or((text, ""))
}

/// The scheme, if there is one.
pub fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut chars = scheme.chars();
    let valid = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    valid.then_some(scheme)
}

/// A reference seen from a base (RFC 3986 5.2.2), both without fragment.
pub fn join(base: &str, reference: &str) -> String {
    if scheme(reference).is_some() || base.is_empty() {
        return reference.to_owned();
    }
    if reference.is_empty() {
        return base.to_owned();
    }
    let Some(scheme) = scheme(base) else {
        return reference.to_owned();
    };
    let rest = &base[scheme.len() + 1..];
    let Some(hierarchy) = rest.strip_prefix("//") else {
        // `urn:` and the like have no path to walk.
        return base.to_owned();
    };
    if let Some(network) = reference.strip_prefix("//") {
        return format!("{scheme}://{network}");
    }
    let end = hierarchy.find(['/', '?']).unwrap_or(hierarchy.len());
    let (authority, path) = hierarchy.split_at(end);
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    if reference.starts_with('?') {
        return format!("{scheme}://{authority}{path}{reference}");
    }
    let (target, query) = match reference.split_once('?') {
        Some((target, query)) => (target, format!("?{query}")),
        None => (reference, String::new()),
    };
    let merged = if target.starts_with('/') {
        target.to_owned()
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{target}")
    };
    format!("{scheme}://{authority}{}{query}", without_dots(&merged))
}

/// A fragment with `%41` read as `A`; `None` if an escape is broken.
pub fn decoded(fragment: &str) -> Option<String> {
    if !fragment.contains('%') {
        return Some(fragment.to_owned());
    }
    let mut out = Vec::new();
    let mut bytes = fragment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || {
                char::from(bytes.next()?)
                    .to_digit(16)
                    .and_then(|d| u8::try_from(d).ok())
            };
            out.push(digit()? * 16 + digit()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

/// A fragment as a URL has it; slashes stay.
pub fn encoded(fragment: &str) -> String {
    let mut out = String::new();
    for byte in fragment.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~$&+:=@/".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        match *segment {
            "." if last => parts.push(""),
            "." => {}
            ".." => {
                parts.pop();
                if last {
                    parts.push("");
                }
            }
            segment => parts.push(segment),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined() {
        for (base, reference, target) in [
            ("file:///values.schema.json", "", "file:///values.schema.json"),
            ("file:///values.schema.json", "other.json", "file:///other.json"),
            ("http://a.b/c/d?q", "../e/./f", "http://a.b/e/f"),
            ("http://a.b/c/d", "/e", "http://a.b/e"),
            ("http://a.b/c/d", "//x/e", "http://x/e"),
            ("http://a.b/c/d", "urn:x:y", "urn:x:y"),
            ("urn:x:y", "z", "urn:x:y"),
            ("http://a.b", "z", "http://a.b/z"),
        ] {
            assert_eq!(join(base, reference), target, "{base} {reference}");
        }
        assert_eq!(decoded("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(decoded("%4"), None);
        assert_eq!(encoded("/a b/ü"), "/a%20b/%C3%BC");
    }
}
