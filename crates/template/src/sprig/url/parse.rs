//! URLs as Go's `net/url` takes them apart and puts them together.

use std::net::Ipv6Addr;

use super::escape::{Part, escape, unescape};
use crate::quote::quote;
use crate::sprig::text::find;

/// The parts of a URL, without escapes except in the query and the opaque part.
#[derive(Default)]
pub(in crate::sprig) struct Url {
    pub scheme: Vec<u8>,
    pub opaque: Vec<u8>,
    pub user: Option<UserInfo>,
    /// With the port.
    pub host: Vec<u8>,
    pub path: Vec<u8>,
    pub query: Vec<u8>,
    pub fragment: Vec<u8>,
}

/// The name and the password before the host.
pub(in crate::sprig) struct UserInfo {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl UserInfo {
    /// As it stands in a URL.
    pub fn escaped(&self) -> Vec<u8> {
        let mut out = escape(&self.name, Part::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend(escape(password, Part::User));
        }
        out
    }
}

impl Url {
    /// `url.Parse`. The error is Go's text.
    pub fn parse(text: &[u8]) -> Result<Url, String> {
        let (main, fragment) = cut(text, b"#");
        let shown = |url: &[u8], e: String| format!("parse {}: {e}", quote(url));
        let mut url = Url::parse_main(main).map_err(|e| shown(main, e))?;
        url.fragment = unescape(fragment.unwrap_or_default(), Part::Fragment).map_err(|e| shown(text, e))?;
        Ok(url)
    }

    fn parse_main(text: &[u8]) -> Result<Url, String> {
        if text.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Url::default();
        if text == b"*" {
            url.path = text.to_vec();
            return Ok(url);
        }
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = cut(rest, b"?");
        url.query = query.unwrap_or_default().to_vec();
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            if cut(rest, b"/").0.contains(&b':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let mut path = rest;
        if let Some(after) = rest.strip_prefix(b"//")
            && (!url.scheme.is_empty() || !after.starts_with(b"/"))
        {
            let end = find(after, b"/").unwrap_or(after.len());
            let (authority, after) = after.split_at(end);
            url.read_authority(authority)?;
            path = after;
        }
        url.path = unescape(path, Part::Path)?;
        Ok(url)
    }

    fn read_authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let at = authority.iter().rposition(|&b| b == b'@');
        self.host = host(&self.scheme, &authority[at.map_or(0, |at| at + 1)..])?;
        let Some(at) = at else {
            return Ok(());
        };
        let info = &authority[..at];
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
        if !info.iter().all(allowed) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = cut(info, b":");
        self.user = Some(UserInfo {
            name: unescape(name, Part::User)?,
            password: password.map(|p| unescape(p, Part::User)).transpose()?,
        });
        Ok(())
    }

    /// The host without the port and without brackets.
    pub fn hostname(&self) -> &[u8] {
        let mut host = self.host.as_slice();
        if let Some(colon) = host.iter().rposition(|&b| b == b':')
            && valid_port(&host[colon..])
        {
            host = &host[..colon];
        }
        host.strip_prefix(b"[")
            .and_then(|h| h.strip_suffix(b"]"))
            .unwrap_or(host)
    }

    /// `URL.String`.
    pub fn joined(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.push_hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend(escape(&self.fragment, Part::Fragment));
        }
        out
    }

    /// Authority and path.
    fn push_hierarchy(&self, out: &mut Vec<u8>) {
        if !self.host.is_empty() || self.user.is_some() || !self.scheme.is_empty() && !self.path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend(user.escaped());
            out.push(b'@');
        }
        out.extend(escape(&self.host, Part::Host));
        let path = if self.path == b"*" {
            b"*".to_vec()
        } else {
            escape(&self.path, Part::Path)
        };
        if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
            out.push(b'/');
        }
        if out.is_empty() && cut(&path, b"/").0.contains(&b':') {
            // Else the segment would be read as a scheme.
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

/// What stands before and after the first separator.
fn cut<'a>(text: &'a [u8], separator: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match find(text, separator) {
        Some(at) => (&text[..at], Some(&text[at + separator.len()..])),
        None => (text, None),
    }
}

/// The scheme, if there is one, and what follows its colon.
fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (i, &b) in text.iter().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..i], &text[i + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn host(scheme: &[u8], text: &[u8]) -> Result<Vec<u8>, String> {
    match text.iter().rposition(|&b| b == b'[') {
        Some(0) => return bracketed_host(text),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    let mut colon = find(text, b":");
    if !matches!(scheme, b"http" | b"https") {
        // Lists of hosts with ports are tolerated in the URLs of databases.
        colon = text.iter().rposition(|&b| b == b':');
    }
    if let Some(colon) = colon {
        check_port(&text[colon..])?;
    }
    unescape(text, Part::Host)
}

fn bracketed_host(text: &[u8]) -> Result<Vec<u8>, String> {
    let Some(close) = text.iter().rposition(|&b| b == b']') else {
        return Err("missing ']' in host".to_owned());
    };
    let port = &text[close + 1..];
    check_port(port)?;
    let name = &text[1..close];
    // The zone may hold nearly anything.
    let zone = find(name, b"%25").unwrap_or(name.len());
    let mut address = unescape(&name[..zone], Part::Host)?;
    let bare = String::from_utf8_lossy(&address).into_owned();
    address.extend(unescape(&name[zone..], Part::Zone)?);
    let is_v6 = bare.parse::<Ipv6Addr>().is_ok();
    if bare.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err("invalid IP-literal".to_owned());
    }
    if !is_v6 || address.ends_with(b"%") && zone < name.len() {
        return Err(format!(
            "invalid host: ParseAddr({}): unable to parse IP",
            quote(&address)
        ));
    }
    Ok([b"[", address.as_slice(), b"]", port].concat())
}

fn valid_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn check_port(port: &[u8]) -> Result<(), String> {
    if valid_port(port) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", quote(port)))
}
