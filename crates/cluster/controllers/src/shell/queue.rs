//! A work queue: keys that wait to be looked at, each at most once, and never by two workers at a time.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::controller::Key;

/// The first wait after a failure; each further one doubles it (upstream's `ItemExponentialFailureRateLimiter`).
const BACKOFF_FIRST: Duration = Duration::from_millis(5);

/// The longest wait after failures: what is wrong may be mended by people, who look after a minute.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Keys of one controller.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// In the order in which they came.
    ready: VecDeque<Key>,
    /// Waiting: in `ready`, or to be put there when its worker is done.
    dirty: HashSet<Key>,
    /// With a worker.
    busy: HashSet<Key>,
    /// To be looked at later, the earliest first.
    delayed: BTreeSet<(Instant, Key)>,
    /// When each delayed key is due: once, at the earliest time that was asked for.
    due: HashMap<Key, Instant>,
    failures: HashMap<Key, u32>,
    closed: bool,
}

impl Queue {
    /// A key is to be looked at. While a worker has it, it waits for that look to end.
    pub fn add(&self, key: Key) {
        let mut state = self.lock();
        if state.dirty.insert(key.clone()) && !state.busy.contains(&key) {
            state.ready.push_back(key);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// A key is to be looked at after a while.
    pub fn add_after(&self, key: Key, wait: Duration) {
        self.lock().delay(key, Instant::now() + wait);
        self.changed.notify_one();
    }

    /// The next key, for the worker who calls; `None` when the queue is closed.
    pub async fn next(&self) -> Option<Key> {
        loop {
            let woken = self.changed.notified();
            let until = {
                let mut state = self.lock();
                if state.closed {
                    // The next worker must hear of it too.
                    self.changed.notify_one();
                    return None;
                }
                state.promote(Instant::now());
                if let Some(key) = state.ready.pop_front() {
                    state.dirty.remove(&key);
                    state.busy.insert(key.clone());
                    if !state.ready.is_empty() || !state.delayed.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(key);
                }
                state.delayed.first().map(|(at, _)| *at)
            };
            match until {
                Some(at) => {
                    tokio::select! {
                        () = woken => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => woken.await,
            }
        }
    }

    /// The worker is done with a key, and all went well.
    pub fn done(&self, key: &Key) {
        self.lock().failures.remove(key);
        self.release(key);
    }

    /// The worker is done with a key for now; it is tried again, later each time.
    pub fn failed(&self, key: &Key) {
        let wait = {
            let mut state = self.lock();
            let failures = state.failures.entry(key.clone()).or_default();
            let wait = BACKOFF_FIRST
                .saturating_mul(1 << (*failures).min(20))
                .min(BACKOFF_MAX);
            *failures = failures.saturating_add(1);
            wait
        };
        self.release(key);
        self.add_after(key.clone(), wait);
    }

    /// No more keys for anybody.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn release(&self, key: &Key) {
        let mut state = self.lock();
        state.busy.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is complete or none: a panicked holder left it sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn delay(&mut self, key: Key, at: Instant) {
        match self.due.get(&key) {
            Some(known) if *known <= at => return,
            Some(known) => drop(self.delayed.remove(&(*known, key.clone()))),
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.delayed.insert((at, key));
    }

    /// Delayed keys whose time has come are ready.
    fn promote(&mut self, now: Instant) {
        while self.delayed.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.delayed.pop_first() else {
                return;
            };
            self.due.remove(&key);
            if self.dirty.insert(key.clone()) && !self.busy.contains(&key) {
                self.ready.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key {
            namespace: "".into(),
            name: name.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_is_with_one_worker() {
        let queue = Queue::default();
        queue.add(key("a"));
        queue.add(key("a"));
        queue.add(key("b"));
        assert_eq!(queue.next().await, Some(key("a")));
        queue.add(key("a"));
        assert_eq!(queue.next().await, Some(key("b")), "a is with a worker");
        queue.done(&key("a"));
        assert_eq!(
            queue.next().await,
            Some(key("a")),
            "it changed while it was looked at"
        );
        queue.close();
        assert_eq!(queue.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time() {
        let queue = Queue::default();
        queue.add(key("a"));
        let mut waits = Vec::new();
        for _ in 0..4 {
            let before = Instant::now();
            let next = queue.next().await.expect("it comes again");
            waits.push(before.elapsed().as_millis());
            queue.failed(&next);
        }
        assert_eq!(waits, [0, 5, 10, 20]);
        let before = Instant::now();
        let next = queue.next().await.expect("it comes again");
        queue.done(&next);
        assert_eq!(before.elapsed().as_millis(), 40);
        queue.add_after(key("b"), Duration::from_secs(3600));
        assert_eq!(queue.next().await, Some(key("b")));
        assert_eq!(
            before.elapsed().as_secs(),
            3600,
            "nothing is looked at in between"
        );
    }
}
