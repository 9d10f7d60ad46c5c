//! From the old ReplicaSets to the new one: by and by, or all at once (`rolling.go`, `recreate.go`).

use serde_json::Value;

use super::Work;
use crate::kind::POD;
use crate::object::{self, scaled};
use crate::view::View;

impl Work {
    /// Up where `maxSurge` allows it; else down where `maxUnavailable` does.
    pub fn roll(&mut self, view: &dyn View) {
        self.sync_new_set(view, true);
        let Some(new) = &self.new else {
            return;
        };
        let (size, wanted) = (replicas(new), self.replicas());
        let target = if size > wanted {
            wanted
        } else {
            self.new_set_size(new)
        };
        if self.resize_new(target) {
            return;
        }
        if !self.shrink_old() && self.is_complete(&self.deployment["status"]) {
            self.clean_up();
        }
    }

    /// No pod of the new template before the last of the old ones is gone.
    pub fn recreate(&mut self, view: &dyn View) {
        self.sync_new_set(view, false);
        let mut scaled = false;
        for place in 0..self.old.len() {
            scaled |= self.resize_old(place, 0);
        }
        if scaled || self.old_pods_run(view) {
            return;
        }
        if self.new.is_none() {
            self.sync_new_set(view, true);
        }
        self.resize_new(self.replicas());
        if self.is_complete(&self.deployment["status"]) {
            self.clean_up();
        }
    }

    fn old_pods_run(&self, view: &dyn View) -> bool {
        if self
            .old
            .iter()
            .any(|set| object::integer(set, "/status/replicas") > 0)
        {
            return true;
        }
        let ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
        self.old
            .iter()
            .any(|set| view.controlled_by(&POD, set).iter().any(|pod| !ended(pod)))
    }

    fn shrink_old(&mut self) -> bool {
        let Some(new) = &self.new else {
            return false;
        };
        let old_total: i64 = self.old.iter().map(replicas).sum();
        if old_total == 0 {
            return false;
        }
        let min_available = self.replicas() - self.max_unavailable();
        let new_unavailable = replicas(new) - available(new);
        let budget = old_total + replicas(new) - min_available - new_unavailable;
        if budget <= 0 {
            return false;
        }
        let cleaned = self.shrink_unhealthy(budget);
        let spare = self.all().map(available).sum::<i64>() - min_available;
        cleaned | self.shrink_by(spare)
    }

    /// Pods that are not available go first: that costs nothing.
    fn shrink_unhealthy(&mut self, budget: i64) -> bool {
        let mut left = budget;
        let mut scaled = false;
        for place in 0..self.old.len() {
            let set = &self.old[place];
            let (size, unhealthy) = (replicas(set), replicas(set) - available(set));
            if left <= 0 || size == 0 || unhealthy <= 0 {
                continue;
            }
            let step = unhealthy.min(left);
            left -= step;
            scaled |= self.resize_old(place, size - step);
        }
        scaled
    }

    fn shrink_by(&mut self, spare: i64) -> bool {
        let mut left = spare;
        let mut scaled = false;
        for place in 0..self.old.len() {
            let size = replicas(&self.old[place]);
            if left <= 0 || size == 0 {
                continue;
            }
            let step = size.min(left);
            left -= step;
            scaled |= self.resize_old(place, size - step);
        }
        scaled
    }

    /// How large the new ReplicaSet may be now (`NewRSNewReplicas`).
    pub fn new_set_size(&self, new: &Value) -> i64 {
        let wanted = self.replicas();
        if !self.is_rolling() {
            return wanted;
        }
        let others: i64 = self.old.iter().map(replicas).sum();
        let room = wanted + self.max_surge() - others - replicas(new);
        if room <= 0 {
            return replicas(new);
        }
        replicas(new) + room.min(wanted - replicas(new))
    }

    pub fn is_rolling(&self) -> bool {
        self.deployment["spec"]["strategy"]["type"] == "RollingUpdate"
    }

    /// Pods above the wanted number.
    pub fn max_surge(&self) -> i64 {
        self.fenceposts().0
    }

    /// Pods below the wanted number.
    pub fn max_unavailable(&self) -> i64 {
        if self.replicas() == 0 {
            0
        } else {
            self.fenceposts().1.min(self.replicas())
        }
    }

    /// Surge is rounded up, unavailability down; one of them must let a rollout move (`ResolveFenceposts`).
    fn fenceposts(&self) -> (i64, i64) {
        if !self.is_rolling() {
            return (0, 0);
        }
        let strategy = &self.deployment["spec"]["strategy"]["rollingUpdate"];
        let surge = scaled(&strategy["maxSurge"], self.replicas(), true);
        let unavailable = scaled(&strategy["maxUnavailable"], self.replicas(), false);
        if surge == 0 && unavailable == 0 {
            (0, 1)
        } else {
            (surge, unavailable)
        }
    }
}

pub fn replicas(set: &Value) -> i64 {
    object::integer(set, "/spec/replicas")
}

pub fn available(set: &Value) -> i64 {
    object::integer(set, "/status/availableReplicas")
}
