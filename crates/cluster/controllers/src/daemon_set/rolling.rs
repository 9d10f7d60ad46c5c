//! From one template to the next, node by node: the old pod goes first, or the new one comes first (`update.go`).

use std::sync::Arc;

use serde_json::Value;

use super::{Site, Work};
use crate::object::{self, scaled};

/// How far a rollout may go from one pod on each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes with two pods.
    pub surge: i64,
    /// Nodes without an available one.
    pub unavailable: i64,
}

/// The living pods of a node, where there is at most one of each.
struct Pair<'a> {
    new: Option<&'a Arc<Value>>,
    old: Option<&'a Arc<Value>>,
}

impl Work<'_> {
    /// Both are rounded up; one of them must let a rollout move.
    pub fn limits(&self) -> Limits {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] != "RollingUpdate" {
            return Limits {
                surge: 0,
                unavailable: 0,
            };
        }
        let nodes = self.sites.values().filter(|site| site.place.run).count();
        // While the sites are being looked through there is at least one.
        let nodes = i64::try_from(nodes).unwrap_or(i64::MAX).max(1);
        let rolling = &strategy["rollingUpdate"];
        let surge = scaled(&rolling["maxSurge"], nodes, true);
        let unavailable = scaled(&rolling["maxUnavailable"], nodes, true);
        Limits {
            surge,
            unavailable: if surge == 0 {
                unavailable.max(1)
            } else {
                unavailable
            },
        }
    }

    /// One step of a rollout.
    pub fn roll(&mut self) {
        if self.set["spec"]["updateStrategy"]["type"] != "RollingUpdate" {
            return;
        }
        let limits = self.limits();
        let sites = std::mem::take(&mut self.sites);
        if limits.surge == 0 {
            self.replace(&sites, limits.unavailable);
        } else {
            self.surge(&sites, limits.surge);
        }
        self.sites = sites;
    }

    /// Old pods that are not available go in any case, others as far as the limit allows.
    fn replace(&mut self, sites: &std::collections::BTreeMap<String, Site>, limit: i64) {
        let mut unavailable = 0;
        let mut candidates = Vec::new();
        for site in sites.values().filter(|site| !site.pods.is_empty()) {
            match self.pair(site) {
                Some(Pair {
                    new: Some(new),
                    old: None,
                }) => unavailable += i64::from(!self.is_available(new)),
                Some(Pair {
                    new: None,
                    old: Some(old),
                }) if self.is_available(old) => candidates.push(old.clone()),
                Some(Pair {
                    new: None,
                    old: Some(old),
                }) => {
                    self.to_delete.push(old.clone());
                    unavailable += 1;
                }
                _ => unavailable += 1,
            }
        }
        let more = usize::try_from(limit - unavailable).unwrap_or_default();
        self.to_delete.extend(candidates.into_iter().take(more));
    }

    /// New pods come beside the old ones as far as the limit allows; in place of those that are not available in any case.
    fn surge(&mut self, sites: &std::collections::BTreeMap<String, Site>, limit: i64) {
        let (mut surging, mut available) = (0, 0);
        let (mut candidates, mut leaving) = (Vec::new(), Vec::new());
        for (node, site) in sites.iter().filter(|(_, site)| !site.pods.is_empty()) {
            let Some(pair) = self.pair(site) else {
                surging += 1;
                continue;
            };
            let serving = pair.old.or(pair.new);
            available += i64::from(serving.is_some_and(|pod| self.is_available(pod)));
            let Some(old) = pair.old else {
                continue;
            };
            match pair.new {
                Some(new) if self.is_available(new) => self.to_delete.push(old.clone()),
                Some(_) => surging += 1,
                None if !site.place.run && self.is_available(old) => leaving.push(old.clone()),
                None if !site.place.run => self.to_delete.push(old.clone()),
                None if self.is_available(old) => candidates.push(node.clone()),
                None => self.to_make.push(node.clone()),
            }
        }
        // Where the set leaves a node, another one must serve first.
        let wanted = sites.values().filter(|site| site.place.run).count();
        let spare = available - i64::try_from(wanted).unwrap_or(i64::MAX);
        let spare = usize::try_from(spare).unwrap_or_default();
        self.to_delete.extend(leaving.into_iter().take(spare));
        let more = usize::try_from(limit - surging).unwrap_or_default();
        self.to_make.extend(candidates.into_iter().take(more));
    }

    /// `None`: there are too many, which is not for the rollout to mend.
    fn pair<'s>(&self, site: &'s Site) -> Option<Pair<'s>> {
        let mut pair = Pair { new: None, old: None };
        for pod in site.pods.iter().filter(|pod| !object::is_deleting(pod)) {
            let slot = if self.is_updated(pod) {
                &mut pair.new
            } else {
                &mut pair.old
            };
            if slot.replace(pod).is_some() {
                return None;
            }
        }
        Some(pair)
    }
}
