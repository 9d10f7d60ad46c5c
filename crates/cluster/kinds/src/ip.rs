//! IP addresses in fields (`apimachinery/pkg/util/validation/ip.go`).

use std::net::{IpAddr, Ipv6Addr};

use crate::cursor::{Field, Findings};
use crate::field::go_quote;

/// Reads an address as upstream's older fields take it: leading zeros in an IPv4 address are fine.
pub fn parse(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // The last part of an IPv6 address may be an IPv4 address.
    let v4_start = text.rfind(':').map_or(0, |colon| colon + 1);
    let (head, v4) = text.split_at(v4_start);
    let octets: Vec<String> = v4
        .split('.')
        .map(|octet| octet.parse::<u8>().ok().map(|o| o.to_string()))
        .collect::<Option<_>>()?;
    format!("{head}{}", octets.join(".")).parse().ok()
}

/// Checks an address in a field that is older than the strict rules.
pub fn validate_legacy(address: &Field<'_>, text: &str, out: &mut Findings) {
    if parse(text).is_none() {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        out.push(address.invalid_value(text, detail));
    }
}

/// Warns of an address that newer versions will refuse, or that is not in its canonical form.
pub fn warning(path: &str, text: &str) -> Option<String> {
    let address = parse(text)?;
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(strict)) if strict.to_ipv4_mapped().is_none() => {
            let canonical = strict.to_string();
            (canonical != text).then(|| {
                format!(
                    "{path}: IPv6 address {} should be in RFC 5952 canonical format ({})",
                    go_quote(text),
                    go_quote(&canonical)
                )
            })
        }
        Ok(IpAddr::V4(_)) => None,
        _ => Some(format!(
            "{path}: non-standard IP address {} will be considered invalid in a future Kubernetes release: use {}",
            go_quote(text),
            go_quote(&plain(address))
        )),
    }
}

/// An address as Go writes it: an IPv4 address within IPv6 as IPv4.
fn plain(address: IpAddr) -> String {
    match address {
        IpAddr::V6(v6) => v6
            .to_ipv4_mapped()
            .map_or_else(|| v6.to_string(), |v4| v4.to_string()),
        IpAddr::V4(v4) => v4.to_string(),
    }
}

/// Whether it is an IPv4 address written as an IPv6 address.
pub fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Whether two addresses are one of each family.
pub fn is_dual_stack(first: &str, second: &str) -> bool {
    let is_v6 = |text: &str| {
        parse(text).map(|address| match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().is_none() || v6 == Ipv6Addr::UNSPECIFIED,
            IpAddr::V4(_) => false,
        })
    };
    matches!((is_v6(first), is_v6(second)), (Some(first), Some(second)) if first != second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_fields_take_leading_zeros_and_warn() {
        assert_eq!(parse("010.1.1.1"), "10.1.1.1".parse().ok());
        for bad in [
            "",
            "10.1.1",
            "10.1.1.256",
            "a",
            "1.2.3.4/8",
            "10.1.1.1.1",
            "::1%eth0",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        for (text, warned) in [
            ("10.0.0.1", None),
            ("fd00::1", None),
            (
                "010.0.0.1",
                Some(
                    "p: non-standard IP address \"010.0.0.1\" will be considered invalid in a future Kubernetes release: \
                     use \"10.0.0.1\"",
                ),
            ),
            (
                "FD00::1",
                Some("p: IPv6 address \"FD00::1\" should be in RFC 5952 canonical format (\"fd00::1\")"),
            ),
        ] {
            assert_eq!(warning("p", text).as_deref(), warned);
        }
        assert!(is_dual_stack("10.0.0.1", "fd00::1"));
        assert!(!is_dual_stack("10.0.0.1", "10.0.0.2"));
    }
}
