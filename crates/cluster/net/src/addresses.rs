//! Which network the pods have, and which pod has which address of it. Pure: what the kernel says goes in.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// Its first address.
    pub first: Ipv4Addr,
    /// How many bits are common to all of them.
    pub length: u8,
}

impl Cidr {
    /// The network of this length that an address is in.
    pub fn around(address: Ipv4Addr, length: u8) -> Cidr {
        let length = length.min(32);
        Cidr {
            first: Ipv4Addr::from_bits(address.to_bits() & mask(length)),
            length,
        }
    }

    /// True for its addresses.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.length) == self.first.to_bits()
    }

    /// True where they share an address.
    pub fn overlaps(&self, other: &Cidr) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// The bits of the mask.
    pub fn mask(&self) -> u32 {
        mask(self.length)
    }

    /// The nth address of it.
    pub fn nth(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits() | (n & !mask(self.length)))
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is no range of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of IPv4 addresses")]
pub struct NoCidr;

impl FromStr for Cidr {
    type Err = NoCidr;

    fn from_str(text: &str) -> Result<Cidr, NoCidr> {
        let (address, length) = text.split_once('/').ok_or(NoCidr)?;
        let length: u8 = length.parse().map_err(|_| NoCidr)?;
        if length > 32 {
            return Err(NoCidr);
        }
        Ok(Cidr::around(address.parse().map_err(|_| NoCidr)?, length))
    }
}

/// Pods get a network of 254 addresses, which is more than the 110 pods that a node takes.
const POD_NETWORK_LENGTH: u8 = 24;
/// Where it is looked for: first 10.128.0.0/9, away from what Docker (172.17), k3s (10.42), kind (10.244) and services
/// (10.96) use; then, where a VPN has all of 10.0.0.0/8, the other private ranges.
const POOLS: [Cidr; 4] = [
    pool([10, 128, 0, 0], 9),
    pool([172, 16, 0, 0], 12),
    pool([192, 168, 0, 0], 16),
    pool([100, 64, 0, 0], 10),
];

const fn pool([a, b, c, d]: [u8; 4], length: u8) -> Cidr {
    Cidr {
        first: Ipv4Addr::new(a, b, c, d),
        length,
    }
}

/// A network for the pods of the cluster `id`, the same one each time as long as nothing that the machine reaches
/// overlaps it. None where all are taken.
pub fn pod_network(id: &str, taken: &[Cidr]) -> Option<Cidr> {
    let free = |candidate: &Cidr| {
        taken
            .iter()
            .all(|other| other.length == 0 || !other.overlaps(candidate))
    };
    POOLS.iter().find_map(|pool| {
        let count = 1 << (POD_NETWORK_LENGTH - pool.length);
        let start = spread(id.as_bytes()) % count;
        (0..count)
            .map(|step| pool.nth(((start + step) % count) << (32 - POD_NETWORK_LENGTH)))
            .map(|first| Cidr::around(first, POD_NETWORK_LENGTH))
            .find(free)
    })
}

/// FNV-1a: a number that spreads names evenly, the same on every machine.
pub(crate) fn spread(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// Who has which address of the pods' network.
#[derive(Clone, Debug)]
pub struct Addresses {
    network: Cidr,
    holders: BTreeMap<Ipv4Addr, String>,
    last: u32,
}

/// Every address is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no address is free in {network}")]
pub struct Exhausted {
    /// Of which network.
    pub network: Cidr,
}

impl Addresses {
    /// All free but for the gateway's.
    pub fn new(network: Cidr) -> Addresses {
        Addresses {
            network,
            holders: BTreeMap::new(),
            last: 1,
        }
    }

    /// The network.
    pub fn network(&self) -> Cidr {
        self.network
    }

    /// The node's address in it, the first.
    pub fn gateway(&self) -> Ipv4Addr {
        self.network.nth(1)
    }

    /// The address of a pod that has one.
    pub fn of(&self, holder: &str) -> Option<Ipv4Addr> {
        let found = self.holders.iter().find(|(_, name)| *name == holder);
        found.map(|(address, _)| *address)
    }

    /// Notes an address that a pod has already. False where it is not to be had.
    pub fn claim(&mut self, holder: &str, address: Ipv4Addr) -> bool {
        if !self.usable(address) || self.holders.contains_key(&address) {
            return false;
        }
        self.holders.insert(address, holder.to_owned());
        self.last = self.last.max(address.to_bits() - self.network.first.to_bits());
        true
    }

    /// The address of a pod: what it has, or the one that was not used for longest, so that nobody who remembers the
    /// last pod of an address meets the next one soon.
    ///
    /// # Errors
    /// [`Exhausted`]
    pub fn take(&mut self, holder: &str) -> Result<Ipv4Addr, Exhausted> {
        if let Some(address) = self.of(holder) {
            return Ok(address);
        }
        let size = !self.network.mask();
        let free = (1..=size)
            .map(|step| (self.last.wrapping_add(step)) & size)
            .find(|n| {
                let address = self.network.nth(*n);
                self.usable(address) && !self.holders.contains_key(&address)
            })
            .ok_or(Exhausted {
                network: self.network,
            })?;
        self.last = free;
        let address = self.network.nth(free);
        self.holders.insert(address, holder.to_owned());
        Ok(address)
    }

    /// Gives up what a pod has.
    pub fn release(&mut self, holder: &str) {
        self.holders.retain(|_, name| name != holder);
    }

    fn usable(&self, address: Ipv4Addr) -> bool {
        let last = self.network.nth(u32::MAX);
        self.network.contains(address)
            && address != self.network.first
            && address != last
            && address != self.gateway()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cluster_keeps_its_network_and_gives_way_to_the_machine() {
        let first = pod_network("0a1b2c3d", &[]).unwrap();
        assert_eq!(pod_network("0a1b2c3d", &[]), Some(first));
        assert!(POOLS[0].contains(first.first));
        assert_ne!(pod_network("0a1b2c3e", &[]), Some(first));
        let second = pod_network("0a1b2c3d", &[first]).unwrap();
        assert!(!second.overlaps(&first));
        // A default route covers everything and forbids nothing; a VPN of 10/8 leaves other ranges.
        assert_eq!(pod_network("0a1b2c3d", &[cidr("0.0.0.0/0")]), Some(first));
        let other = pod_network("0a1b2c3d", &[cidr("10.0.0.0/8")]).unwrap();
        assert!(POOLS[1].contains(other.first));
        assert_eq!(pod_network("0a1b2c3d", &POOLS), None);
    }

    #[test]
    fn addresses_come_back_last() {
        let mut addresses = Addresses::new(cidr("10.1.2.0/29"));
        assert_eq!(addresses.gateway(), Ipv4Addr::new(10, 1, 2, 1));
        let taken: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|pod| addresses.take(pod).unwrap().octets()[3])
            .collect();
        assert_eq!(taken, [2, 3, 4]);
        addresses.release("a");
        let taken: Vec<_> = ["d", "e", "f"]
            .iter()
            .map(|pod| addresses.take(pod).unwrap().octets()[3])
            .collect();
        assert_eq!(taken, [5, 6, 2]);
        assert_eq!(addresses.take("b"), Ok(Ipv4Addr::new(10, 1, 2, 3)));
        assert_eq!(
            addresses.take("g"),
            Err(Exhausted {
                network: cidr("10.1.2.0/29")
            })
        );
    }

    #[test]
    fn what_living_pods_have_is_claimed() {
        let mut addresses = Addresses::new(cidr("10.1.2.0/24"));
        assert!(addresses.claim("a", Ipv4Addr::new(10, 1, 2, 9)));
        assert!(!addresses.claim("b", Ipv4Addr::new(10, 1, 2, 9)));
        assert!(!addresses.claim("b", Ipv4Addr::new(10, 1, 3, 9)));
        assert!(!addresses.claim("b", Ipv4Addr::new(10, 1, 2, 1)));
        assert_eq!(addresses.take("b"), Ok(Ipv4Addr::new(10, 1, 2, 10)));
        assert_eq!(addresses.of("a"), Some(Ipv4Addr::new(10, 1, 2, 9)));
    }

    #[test]
    fn ranges_are_read_and_written() {
        assert_eq!(cidr("10.96.3.4/16").to_string(), "10.96.0.0/16");
        assert_eq!(cidr("0.0.0.0/0").mask(), 0);
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "fd00::/8", "10.0.0/8"] {
            assert_eq!(wrong.parse::<Cidr>(), Err(NoCidr), "{wrong}");
        }
    }
}
