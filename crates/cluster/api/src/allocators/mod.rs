//! Cluster addresses and node ports of Services (`pkg/registry/core/service/storage/alloc.go`).
//!
//! What is taken is known from the Services themselves when the server starts, so nothing can get lost between the two.
//! A write takes what it needs before it happens ([`Allocators::reserve`]); the [`Reservation`] gives it back unless
//! the write is kept. One family: IPv4.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::identifiers;
use crate::status::StatusError;
use pool::Pool;

mod families;
pub mod pool;
mod service;

/// Upstream's default: `--service-node-port-range`.
const NODE_PORTS: (u32, u32) = (30000, 32767);

/// The range of cluster addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    network: u32,
    prefix: u8,
}

/// Gives out addresses and ports; clones share them.
#[derive(Clone)]
pub struct Allocators {
    pools: Arc<Mutex<Pools>>,
}

struct Pools {
    addresses: Pool,
    ports: Pool,
}

/// What a write has taken. Dropped, it gives that back; kept, it gives back what the write no longer needs.
#[must_use = "what is dropped is given back"]
pub struct Reservation {
    allocators: Option<Allocators>,
    taken: Holdings,
    left: Holdings,
    dry_run: bool,
}

/// Addresses and ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    addresses: BTreeSet<u32>,
    ports: BTreeSet<u32>,
}

impl Range {
    /// Reads `10.96.0.0/16`. Ranges smaller than /28 leave no room, and are `None` like everything that is no range.
    pub fn parse(text: &str) -> Option<Range> {
        let (address, prefix) = text.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| (8..=28).contains(prefix))?;
        let network = u32::from(address);
        (network.trailing_zeros() >= u32::from(32 - prefix)).then_some(Range { network, prefix })
    }

    /// The address of the service `kubernetes`: the first.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 1)
    }

    fn pool(&self) -> Pool {
        let size = 1_u32 << (32 - self.prefix);
        // ipallocator/ipallocator.go calculateRangeOffset
        let chosen = (size / 16).clamp(16, 256);
        let chosen = if size <= 16 { 0 } else { chosen };
        Pool::new(self.network + 1, self.network + size - 2, chosen)
    }
}

impl Default for Range {
    /// 10.96.0.0/16
    fn default() -> Range {
        Range {
            network: u32::from(Ipv4Addr::new(10, 96, 0, 0)),
            prefix: 16,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.network), self.prefix)
    }
}

impl Allocators {
    /// Allocators that know what the Services that there are have taken. An address or port that two of them have, or
    /// that is outside, is left to them: nobody else gets it.
    pub fn new(range: Range, services: impl Iterator<Item = Value>) -> Allocators {
        let (first, last) = NODE_PORTS;
        // portallocator/allocator.go calculateRangeOffset
        let chosen = ((last - first + 1) / 32).clamp(16, 128);
        let mut pools = Pools {
            addresses: range.pool(),
            ports: Pool::new(first, last, chosen),
        };
        for service in services {
            let held = service::holdings(&service);
            for address in held.addresses {
                // The error says that it is taken or not ours: nothing to do in either case.
                let _ = pools.addresses.take(address);
            }
            for port in held.ports {
                let _ = pools.ports.take(port);
            }
        }
        Allocators {
            pools: Arc::new(Mutex::new(pools)),
        }
    }

    /// Takes the addresses and ports that a new or changed Service needs, and fills them in, with everything about
    /// families. `old` is what is there.
    pub fn reserve(
        &self,
        new: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Reservation, StatusError> {
        let mut reservation = Reservation {
            allocators: Some(self.clone()),
            taken: Holdings::default(),
            left: Holdings::default(),
            dry_run,
        };
        match old {
            None => service::create(new, &mut reservation)?,
            Some(old) => service::update(new, old, &mut reservation)?,
        }
        Ok(reservation)
    }

    /// Gives back what a Service that is gone has held.
    pub fn release(&self, service: &Value) {
        self.give_back(&service::holdings(service));
    }

    fn give_back(&self, holdings: &Holdings) {
        let mut pools = self.lock();
        for address in &holdings.addresses {
            pools.addresses.give_back(*address);
        }
        for port in &holdings.ports {
            pools.ports.give_back(*port);
        }
    }

    // A panic while the lock is held leaves whole numbers taken or free.
    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// A reservation of nothing, for objects that are no Services.
    pub fn nothing() -> Reservation {
        Reservation {
            allocators: None,
            taken: Holdings::default(),
            left: Holdings::default(),
            dry_run: false,
        }
    }

    /// The write is on disk: what it has taken stays taken, and what it has left is free. A dry run gives all back.
    pub fn keep(mut self) {
        if self.dry_run {
            return;
        }
        if let Some(allocators) = self.allocators.take() {
            allocators.give_back(&self.left);
        }
    }

    fn take_address(&mut self, address: u32) -> Result<(), pool::Refused> {
        self.with(|pools| pools.addresses.take(address))?;
        self.taken.addresses.insert(address);
        Ok(())
    }

    fn take_any_address(&mut self) -> Option<u32> {
        let address = self.with(|pools| pools.addresses.take_any(random))?;
        self.taken.addresses.insert(address);
        Some(address)
    }

    fn take_port(&mut self, port: u32) -> Result<(), pool::Refused> {
        self.with(|pools| pools.ports.take(port))?;
        self.taken.ports.insert(port);
        Ok(())
    }

    fn take_any_port(&mut self) -> Option<u32> {
        let port = self.with(|pools| pools.ports.take_any(random))?;
        self.taken.ports.insert(port);
        Some(port)
    }

    fn with<T>(&self, operation: impl FnOnce(&mut Pools) -> T) -> T {
        let allocators = self
            .allocators
            .as_ref()
            .expect("a reservation that takes has allocators until it is kept");
        operation(&mut allocators.lock())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(allocators) = &self.allocators {
            allocators.give_back(&self.taken);
        }
    }
}

fn random(bound: u32) -> u32 {
    u32::try_from(identifiers::random_below(bound.into())).expect("below a bound of 32 bits")
}

#[cfg(test)]
mod tests;
