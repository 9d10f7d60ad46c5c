//! Manifests that were read lately.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use deploy_model::image::Digest;

use crate::limits;
use crate::state::Sum;

/// The newest manifests, up to so many bytes.
#[derive(Debug, Default)]
pub struct Cache {
    found: HashMap<Sum, Bytes>,
    order: VecDeque<Sum>,
    bytes: usize,
}

impl Cache {
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.found.get(digest).cloned()
    }

    pub fn put(&mut self, digest: &Sum, bytes: &Bytes) {
        if bytes.len() > limits::CACHE_BYTES / 4 || self.found.contains_key(digest) {
            return;
        }
        self.bytes += bytes.len();
        self.found.insert(digest.clone(), bytes.clone());
        self.order.push_back(digest.clone());
        while self.bytes > limits::CACHE_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.bytes -= self.found.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
    }
}
