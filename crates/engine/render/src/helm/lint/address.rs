//! URLs and mail addresses as helm's linter accepts them: Go's `net/url` and the rules of govalidator.

/// Whether Go's `url.ParseRequestURI` takes the text and finds a scheme.
pub(super) fn is_request_url(text: &str) -> bool {
    Url::parse(text).is_some_and(|url| url.has_scheme)
}

struct Url<'a> {
    has_scheme: bool,
    host: &'a str,
    path: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Url<'a>> {
        if text.is_empty() || text.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return None;
        }
        let (scheme, rest) = split_scheme(text)?;
        let has_scheme = !scheme.is_empty();
        let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
        if !rest.starts_with('/') {
            // `mailto:x` has an opaque rest; a relative reference is no request.
            return has_scheme.then_some(Url {
                has_scheme,
                host: "",
                path: "",
            });
        }
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) if has_scheme => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            _ => ("", rest),
        };
        let host = match authority.rsplit_once('@') {
            Some((user, host)) if is_user(user) => host,
            Some(_) => return None,
            None => authority,
        };
        (is_host(host) && has_whole_escapes(path)).then_some(Url {
            has_scheme,
            host,
            path,
        })
    }
}

/// The scheme, or nothing if there is none; `None` if the text begins with a colon.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    for (i, b) in text.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i > 0 => return Some((&text[..i], &text[i + 1..])),
            b':' => return None,
            _ => break,
        }
    }
    Some(("", text))
}

fn is_user(user: &str) -> bool {
    user.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b))
        && has_whole_escapes(user)
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.rsplit_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let allowed =
        |b: u8| !b.is_ascii() || b.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&b);
    is_port && name.bytes().all(allowed) && has_whole_escapes(name)
}

/// Whether two hexadecimal digits follow each percent sign.
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

const URL_MIN_BYTES: usize = 3;
const URL_MAX_CHARS: usize = 2083;

/// Whether the text looks like the address of a page, with or without its scheme.
pub(super) fn is_url(text: &str) -> bool {
    if text.len() <= URL_MIN_BYTES || text.chars().count() >= URL_MAX_CHARS || text.starts_with('.') {
        return false;
    }
    if text.contains(char::is_whitespace) {
        return false;
    }
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let Some(url) = Url::parse(whole.split('#').next().unwrap_or_default()) else {
        return false;
    };
    if url.host.starts_with('.') || (url.host.is_empty() && !url.path.contains('.')) {
        return false;
    }
    // A bare word is a path, not a host.
    if !text.contains([':', '.']) {
        return false;
    }
    let rest = ["ftp", "tcp", "udp", "ws", "wss", "http", "https"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme)?.strip_prefix("://"))
        .unwrap_or(text);
    let after_user = |at: usize| &rest[at + 1..];
    std::iter::once(rest)
        .chain(
            rest.match_indices('@')
                .filter(|(at, _)| *at > 0)
                .map(|(at, _)| after_user(at)),
        )
        .any(is_host_and_path)
}

fn is_host_and_path(text: &str) -> bool {
    let (authority, _) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                return address.parse::<std::net::Ipv6Addr>().is_ok() && is_optional_port(port);
            }
            None => return false,
        },
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    is_optional_port(port) && is_host_name(host.strip_suffix('.').unwrap_or(host))
}

fn is_optional_port(port: &str) -> bool {
    port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| {
            (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        })
}

fn is_host_name(host: &str) -> bool {
    let solid = |c: char| c.is_ascii_alphanumeric() || ('\u{a1}'..='\u{ffff}').contains(&c);
    host.split('.').all(|label| {
        label.starts_with(solid)
            && label.ends_with(solid)
            && label.chars().all(|c| solid(c) || c == '-' || c == '_')
    })
}

/// Whether the text is a mail address (RFC 5322 without comments).
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_local = match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => !quoted.contains(['"', '\r', '\n']),
        None => local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.chars().all(is_atom)),
    };
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let Some((labels, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let letter = |c: char| c.is_ascii_alphabetic() || is_wide(c);
    let solid = |c: char| letter(c) || c.is_ascii_digit();
    is_local
        && labels.starts_with(solid)
        && labels.ends_with(solid)
        && labels.chars().all(|c| solid(c) || "-._~".contains(c))
        && top.starts_with(letter)
        && top.ends_with(letter)
        && top.chars().all(|c| solid(c) || "-_~".contains(c))
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_wide(c)
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_urls() {
        for url in [
            "https://example.com",
            "http://user:pw@example.com:80/a%20b?q",
            "mailto:someone",
            "file:///tmp/x.svg",
            "http://[::1]:80/",
            "http://例.cn/图",
        ] {
            assert!(is_request_url(url), "{url}");
        }
        for text in [
            "",
            "example.com",
            "/path",
            "://x",
            "http://a b/",
            "http://a:x/",
            "http://a/%zz",
            "1http://x",
            "http://::1/",
        ] {
            assert!(!is_request_url(text), "{text}");
        }
    }

    #[test]
    fn urls_of_maintainers() {
        for url in [
            "https://example.com/a",
            "example.com",
            "example.com:8080/x",
            "http://localhost",
            "http://10.0.0.1/",
            "https://github.com/someone?tab=x#y",
            "http://me@example.com",
            "a-b_c.example.com",
        ] {
            assert!(is_url(url), "{url}");
        }
        for text in [
            "",
            "foo",
            "a b.com",
            ".example.com",
            "http://",
            "http://-a.com",
            "http://a..b",
            "ab",
        ] {
            assert!(!is_url(text), "{text}");
        }
    }

    #[test]
    fn emails() {
        for address in [
            "a@b.co",
            "first.last+tag@sub.example.org",
            "\"odd one\"@example.com",
            "人@例.公司",
        ] {
            assert!(is_email(address), "{address}");
        }
        for text in [
            "", "a", "a@b", "@b.co", "a@.co", "a b@c.de", ".a@b.co", "a@b.c0", "a@-b.co",
        ] {
            assert!(!is_email(text), "{text}");
        }
    }
}
