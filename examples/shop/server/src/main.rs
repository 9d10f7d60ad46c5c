//! One binary, three services: `shop storefront`, `shop orders`, `shop payment`.
//!
//! A sample with everything that delivery and observation need: health and readiness, metrics, structured logs, traces
//! across services, a configuration that is read again when it changes, and a clean end. A configuration can make it
//! slow or wrong on purpose.

mod client;
mod clock;
mod config;
mod http;
mod json;
mod log;
mod metrics;
mod random;
mod service;
mod termination;

use std::env;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use config::WatchedConfig;
use log::Log;
use service::{Role, Service, Settings};

/// Each connection that is kept alive holds a thread; more wait in the listener's queue.
const WORKERS: usize = 64;

/// A worker parses a bounded request and answers from memory.
const WORKER_STACK_BYTES: usize = 256 * 1024;

/// How long after SIGTERM requests are still taken, so that every proxy has seen that we are no longer ready.
const DRAIN_DEFAULT_MS: u64 = 2_000;

/// How often the configuration is looked at.
const CONFIG_CHECK_DEFAULT_MS: u64 = 1_000;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("shop: {message}");
            ExitCode::from(2)
        }
    }
}

fn start() -> Result<(), String> {
    let role: Role = env::args().nth(1).unwrap_or_default().parse()?;
    let listen = text("SHOP_LISTEN", "0.0.0.0:8080");
    let listener = TcpListener::bind(&listen).map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let address = listener.local_addr().map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let terminated = termination::watch().map_err(|e| format!("cannot watch for SIGTERM: {e}"))?;

    let settings = Settings {
        role,
        site: text("SHOP_SITE", "local"),
        version: text("SHOP_VERSION", env!("CARGO_PKG_VERSION")),
        orders_url: text("ORDERS_URL", "http://127.0.0.1:8081"),
        payment_url: text("PAYMENT_URL", "http://127.0.0.1:8082"),
    };
    let drain = Duration::from_millis(number("SHOP_DRAIN_MS", DRAIN_DEFAULT_MS)?);
    let check = Duration::from_millis(number("SHOP_CONFIG_CHECK_MS", CONFIG_CHECK_DEFAULT_MS)?);
    let log = Log::new(role.name(), &settings.site);
    let config = WatchedConfig::open(env::var("SHOP_CONFIG").ok(), role.name(), check)?;
    let service = Arc::new(Service::new(settings, config, log));
    service.log.event("info", "listening", &[("address", &address.to_string())]);

    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let service = Arc::clone(&service);
            let listener = listener.try_clone().map_err(|e| e.to_string())?;
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(WORKER_STACK_BYTES)
                .spawn(move || http::accept(&listener, &*service))
                .map_err(|e| e.to_string())
        })
        .collect::<Result<_, String>>()?;

    terminated.wait();
    service.stop_being_ready();
    service.log.event("info", "draining", &[]);
    thread::sleep(drain);
    service.stop();
    wake(address);
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked".to_owned())?;
    }
    service.log.event("info", "stopped", &[]);
    Ok(())
}

/// A worker that waits for a connection learns that we stop when one comes.
fn wake(address: SocketAddr) {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    for _ in 0..WORKERS {
        // One that fails had nobody to wake.
        let _ = TcpStream::connect_timeout(&address, Duration::from_millis(100));
    }
}

fn text(name: &str, default: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
}

fn number(name: &str, default: u64) -> Result<u64, String> {
    match env::var(name) {
        Ok(value) => value.parse().map_err(|_| format!("{name} is not a number of milliseconds: {value:?}")),
        Err(_) => Ok(default),
    }
}
