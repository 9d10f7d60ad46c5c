//! Ranges of addresses in fields (`apimachinery/pkg/util/validation/ip.go`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cursor::{Field, Findings};
use crate::field::go_quote;
use crate::ip;

/// An address and how many of its bits name the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// As it was written; it may have bits beyond the range.
    pub address: IpAddr,
    /// 0 to 32 or 128.
    pub bits: u8,
}

impl Cidr {
    /// Reads a range as upstream's older fields take it: leading zeros are fine.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address = ip::parse(address)?;
        if bits.is_empty() || bits.len() > 8 || !bits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bits: u32 = bits.parse().ok()?;
        let bits = u8::try_from(bits).ok().filter(|bits| *bits <= width(address))?;
        Some(Self { address, bits })
    }

    /// The first address of the range.
    pub fn first(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        }
    }

    /// Whether the other range lies within this one and is not the same.
    pub fn strictly_contains(&self, other: &Self) -> bool {
        let same_family = self.address.is_ipv4() == other.address.is_ipv4();
        let narrowed = Self {
            address: other.address,
            bits: self.bits,
        };
        same_family && other.bits > self.bits && narrowed.first() == self.first()
    }

    fn canonical(&self) -> String {
        format!("{}/{}", self.first(), self.bits)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Checks a range in a field that is older than the strict rules.
pub fn validate_legacy(place: &Field<'_>, text: &str, out: &mut Findings) {
    if Cidr::parse(text).is_none() {
        let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        out.push(place.invalid_value(text, detail));
    }
}

/// Checks a range by today's rules.
pub fn validate(place: &Field<'_>, text: &str, out: &mut Findings) {
    let Some(range) = Cidr::parse(text) else {
        return validate_legacy(place, text, out);
    };
    let strict = strict(text);
    let detail = if strict.is_none() {
        "must not have leading 0s in IP or prefix length".to_owned()
    } else if ip::is_mapped(range.address) {
        "must not have an IPv4-mapped IPv6 address".to_owned()
    } else if range.first() != range.address {
        "must not have bits set beyond the prefix length".to_owned()
    } else if range.canonical() != text {
        format!("must be in canonical form ({})", go_quote(&range.canonical()))
    } else {
        return;
    };
    out.push(place.invalid_value(text, detail));
}

/// Warnings about a range that newer versions will refuse.
pub fn warnings(path: &str, text: &str) -> Vec<String> {
    let Some(range) = Cidr::parse(text) else {
        return Vec::new();
    };
    let (quoted, canonical) = (go_quote(text), go_quote(&range.canonical()));
    let mut out = Vec::new();
    if range.first() != range.address {
        let single = go_quote(&format!("{}/{}", range.address, width(range.address)));
        out.push(format!(
            "{path}: CIDR value {quoted} is ambiguous in this context (should be {canonical} or {single}?)"
        ));
    }
    if strict(text).is_none() || ip::is_mapped(range.address) {
        out.push(format!(
            "{path}: non-standard CIDR value {quoted} will be considered invalid in a future Kubernetes release: use \
             {canonical}"
        ));
    }
    let plain = format!("{}/{}", range.address, range.bits);
    if out.is_empty() && range.address.is_ipv6() && plain != text {
        out.push(format!(
            "{path}: IPv6 CIDR value {quoted} should be in RFC 5952 canonical format ({})",
            go_quote(&plain)
        ));
    }
    out
}

/// Whether these are ranges of both families.
pub fn is_dual_stack(ranges: &Field<'_>) -> bool {
    let families: Vec<bool> = ranges
        .strings()
        .filter_map(Cidr::parse)
        .map(|range| range.address.is_ipv6())
        .collect();
    families.contains(&true) && families.contains(&false)
}

fn strict(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let plain = bits == "0" || !bits.starts_with('0');
    Some((address.parse().ok()?, bits.parse().ok().filter(|_| plain)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_judged_as_upstream_judges_them() {
        for (text, ok) in [
            ("10.0.0.0/8", true),
            ("010.0.0.0/08", true),
            ("10.0.0.0", false),
            ("10.0.0.0/33", false),
            ("fd00::/129", false),
            ("fd00::/64", true),
            ("10.0.0.0/-1", false),
        ] {
            assert_eq!(Cidr::parse(text).is_some(), ok, "{text}");
        }
        assert_eq!(
            warnings("p", "10.0.0.1/8"),
            [
                "p: CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \
                 \"10.0.0.1/32\"?)"
            ]
        );
        let outer = Cidr::parse("10.0.0.0/8").expect("a range");
        assert!(outer.strictly_contains(&Cidr::parse("10.1.0.0/16").expect("a range")));
        assert!(!outer.strictly_contains(&outer));
    }
}
