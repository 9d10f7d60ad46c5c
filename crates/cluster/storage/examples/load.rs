//! Figures of the store: durable writes per second, lists, deliveries to watches, the time to open, memory.
//!
//! `cargo run --release -p deploy-cluster-storage --example load [FOLDER]`, on the disk that is to be measured.
#![allow(clippy::print_stdout, reason = "the figures are its output")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deploy_cluster_storage::{Change, Encoded, Expected, Key, Options, Store, Write};
use tokio::task::JoinSet;

/// The size of a small Deployment as JSON.
const BODY_BYTES: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .map_or_else(|| std::env::temp_dir().join("deploy-load"), PathBuf::from);
    drop(std::fs::remove_dir_all(&folder));
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(&folder))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

async fn run(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let before = resident_kib();
    let start = Instant::now();
    let store = Store::open(&Options::new(folder))?;
    println!(
        "open, empty: {:.1} ms, {} KiB",
        ms(start.elapsed()),
        resident_kib().saturating_sub(before)
    );
    store.close().await;
    drop(store);
    let start = Instant::now();
    let store = Store::open(&Options::new(folder))?;
    println!("open again, empty: {:.1} ms", ms(start.elapsed()));
    let cpu = cpu_ms();
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!("idle: {} ms of CPU in 3 s", cpu_ms() - cpu);

    for (writers, seconds) in [(1, 3), (64, 3), (1, 3)] {
        writes(&store, writers, Duration::from_secs(seconds)).await;
    }
    for watches in [0, 1_000] {
        deliveries(&store, watches).await;
    }
    for file in ["revisions.db", "revisions.db-wal"] {
        println!(
            "{file}: {:.1} MB",
            std::fs::metadata(folder.join(file))?.len() as f64 / 1e6
        );
    }
    store.close().await;
    drop(store);
    drop(std::fs::remove_dir_all(folder));

    let store = Store::open(&Options::new(folder))?;
    fill(&store, 100_000).await;
    lists(&store);
    gets(&store);
    let start = Instant::now();
    store.compact(store.revision()).await?;
    println!(
        "compaction of 100,000 rows that stay: {:.0} ms",
        ms(start.elapsed())
    );
    store.close().await;
    drop(store);
    for _ in 0..3 {
        let (start, cpu) = (Instant::now(), cpu_ms());
        let store = Store::open(&Options::new(folder))?;
        println!(
            "open, 100,000 objects: {:.0} ms, {} ms of CPU",
            ms(start.elapsed()),
            cpu_ms() - cpu
        );
        store.close().await;
    }
    Ok(())
}

fn put(resource: &str, name: String, expected: Expected) -> Write {
    let before = format!("{{\"metadata\":{{\"name\":\"{name}\",\"resourceVersion\":\"");
    let after = format!("\"}},\"data\":\"{}\"}}", "x".repeat(BODY_BYTES));
    let change = Change::Put(Encoded::new(before.into_bytes(), after.into_bytes()));
    Write {
        key: Key::new(resource, "default", name),
        expected,
        change,
    }
}

/// Writers that each wait for their answer before the next write.
async fn writes(store: &Store, writers: usize, time: Duration) {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    let first = store.revision();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < time {
                let name = format!("{first}-{writer}-{}", latencies.len());
                let sent = Instant::now();
                store
                    .write(put("/configmaps", name, Expected::Absent))
                    .await
                    .expect("the disk works");
                latencies.push(sent.elapsed());
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    latencies.sort_unstable();
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    println!(
        "{writers} writers: {rate:.0} durable creates/s, {}",
        quantiles(&latencies)
    );
}

/// One writer; the time from its answer's sending to the moment when every watch has the event.
async fn deliveries(store: &Store, watches: usize) {
    let writes = 300;
    let mut tasks = JoinSet::new();
    for _ in 0..watches {
        let mut watch = store
            .watch("/watched", None, store.revision())
            .expect("now is not compacted");
        tasks.spawn(async move {
            let mut arrivals = Vec::with_capacity(writes);
            for _ in 0..writes {
                watch.next().await.expect("the store is open");
                arrivals.push(Instant::now());
            }
            arrivals
        });
    }
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 0..writes {
        store
            .write(put("/watched", format!("{watches}-{number}"), Expected::Absent))
            .await
            .expect("the disk works");
        sent.push(Instant::now());
    }
    let rate = writes as f64 / start.elapsed().as_secs_f64();
    let mut last = sent.clone();
    for arrivals in tasks.join_all().await {
        for (last, arrival) in last.iter_mut().zip(arrivals) {
            *last = arrival.max(*last);
        }
    }
    let mut delays: Vec<Duration> = last.iter().zip(&sent).map(|(last, sent)| *last - *sent).collect();
    delays.sort_unstable();
    println!(
        "{watches} watches: {rate:.0} writes/s of one writer; the last watch has it after {}",
        quantiles(&delays)
    );
}

async fn fill(store: &Store, count: usize) {
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for task in 0..250 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0..count / 250 {
                let write = put("/configmaps", format!("{task}-{number}"), Expected::Absent);
                store.write(write).await.expect("the disk works");
            }
        });
    }
    tasks.join_all().await;
    println!(
        "250 writers: {:.0} durable creates/s",
        count as f64 / start.elapsed().as_secs_f64()
    );
}

fn lists(store: &Store) {
    let mut times = Vec::new();
    let mut after = None;
    for _ in 0..200 {
        let start = Instant::now();
        let page = store
            .list("/configmaps", None, None, None, Some(500))
            .expect("now is not compacted");
        times.push(start.elapsed());
        after = page.entries.last().map(|entry| entry.key.clone());
    }
    times.sort_unstable();
    println!("list of 500 of 100,000: {}", quantiles(&times));
    let mut times = Vec::new();
    let at = store.revision() - 1_000;
    for _ in 0..50 {
        let start = Instant::now();
        store
            .list("/configmaps", None, Some(at), after.as_ref(), Some(500))
            .expect("a moment ago");
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("its next page, 1,000 revisions ago: {}", quantiles(&times));
}

fn gets(store: &Store) {
    let start = Instant::now();
    for number in 0..100_000 {
        let key = Key::new(
            "/configmaps",
            "default",
            format!("{}-{}", number % 250, number / 250),
        );
        assert!(store.get(&key).is_some());
    }
    println!("get: {:.2} µs", start.elapsed().as_secs_f64() * 10.0);
}

fn quantiles(sorted: &[Duration]) -> String {
    let at =
        |share: f64| sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)));
    let [half, most] = [0.5, 0.99].map(|share| at(share).map_or(0.0, |time| ms(*time)));
    format!("p50 {half:.3} ms, p99 {most:.3} ms")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

fn resident_kib() -> u64 {
    status("VmRSS:")
}

/// User and system time of the process.
fn cpu_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |place: usize| {
        fields
            .get(place)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) * 10
}
