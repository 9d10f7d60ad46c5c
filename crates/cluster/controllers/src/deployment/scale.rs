//! Changing sizes: one ReplicaSet, or all of them in proportion while a rollout is under way (`sync.go scale`).

use serde_json::{Value, json};

use super::Work;
use super::rolling::{available, replicas};
use super::sets::{DESIRED_REPLICAS, MAX_REPLICAS};
use crate::object;

impl Work {
    /// Whether somebody changed `spec.replicas` since the ReplicaSets were last sized.
    pub fn was_scaled(&self) -> bool {
        self.all()
            .filter(|set| replicas(set) > 0)
            .filter_map(|set| annotated(set, DESIRED_REPLICAS))
            .any(|desired| desired != self.replicas())
    }

    /// Sizes the only ReplicaSet, or spreads the change over all that have pods.
    pub fn scale(&mut self) {
        let active = self.all().filter(|set| replicas(set) > 0).count();
        let wanted = self.replicas();
        if active <= 1 {
            self.scale_active_or_latest(wanted);
        } else if self.is_saturated() {
            for place in 0..self.old.len() {
                self.resize_old(place, 0);
            }
        } else if self.is_rolling() {
            self.scale_in_proportion();
        }
    }

    fn scale_active_or_latest(&mut self, wanted: i64) {
        let active = self.old.iter().position(|set| replicas(set) > 0);
        match (active, &self.new) {
            (Some(place), _) => self.resize_old(place, wanted),
            (None, Some(_)) => self.resize_new(wanted),
            (None, None) if self.old.is_empty() => false,
            (None, None) => self.resize_old(self.old.len() - 1, wanted),
        };
    }

    /// The new ReplicaSet has all the pods, and they are available.
    fn is_saturated(&self) -> bool {
        let wanted = self.replicas();
        self.new.as_ref().is_some_and(|set| {
            replicas(set) == wanted
                && annotated(set, DESIRED_REPLICAS) == Some(wanted)
                && available(set) == wanted
        })
    }

    fn scale_in_proportion(&mut self) {
        let wanted = self.replicas();
        let allowed = if wanted > 0 { wanted + self.max_surge() } else { 0 };
        // `None` is the new one, `Some` the place of an old one.
        let mut active: Vec<(Option<usize>, i64)> = (0..self.old.len())
            .map(|place| (Some(place), replicas(&self.old[place])))
            .chain(self.new.as_ref().map(|set| (None, replicas(set))))
            .filter(|(_, size)| *size > 0)
            .collect();
        let to_add = allowed - active.iter().map(|(_, size)| size).sum::<i64>();
        // The largest first; of the same size, the newer where pods are added and the older where they are removed.
        let age = |place: &Option<usize>| place.unwrap_or(usize::MAX);
        active.sort_by(|(a, size_a), (b, size_b)| {
            let by_age = if to_add > 0 {
                age(b).cmp(&age(a))
            } else {
                age(a).cmp(&age(b))
            };
            size_b.cmp(size_a).then(by_age)
        });
        let mut added = 0;
        let mut sizes: Vec<i64> = Vec::with_capacity(active.len());
        for (place, size) in &active {
            let set = place.map_or(self.new.as_ref(), |place| self.old.get(place));
            let share = set.map_or(0, |set| self.share(set, to_add, added));
            added += share;
            sizes.push(size + share);
        }
        if let (Some(first), true) = (sizes.first_mut(), to_add != 0) {
            *first = (*first + to_add - added).max(0);
        }
        for ((place, _), size) in active.into_iter().zip(sizes) {
            match place {
                Some(place) => self.resize_old(place, size),
                None => self.resize_new(size),
            };
        }
    }

    /// The part of `to_add` that falls to a ReplicaSet (`GetReplicaSetProportion`).
    fn share(&self, set: &Value, to_add: i64, added: i64) -> i64 {
        if replicas(set) == 0 || to_add == 0 || to_add == added {
            return 0;
        }
        let fraction = self.fraction(set);
        if to_add > 0 {
            fraction.min(to_add - added)
        } else {
            fraction.max(to_add - added)
        }
    }

    fn fraction(&self, set: &Value) -> i64 {
        let size = replicas(set);
        if self.replicas() == 0 {
            return -size;
        }
        let before = match annotated(set, MAX_REPLICAS) {
            Some(before) if before > 0 => before,
            _ => object::integer(&self.deployment, "/status/replicas"),
        };
        if before == 0 {
            return 0;
        }
        let now = self.replicas() + self.max_surge();
        // Half away from zero; both are positive here.
        (2 * size * now + before) / (2 * before) - size
    }

    /// Sizes the new ReplicaSet. False: it has this size already.
    pub fn resize_new(&mut self, size: i64) -> bool {
        let Some(mut set) = self.new.take() else {
            return false;
        };
        let scaled = self.resize(&mut set, size);
        self.new = Some(set);
        scaled
    }

    /// Sizes an old ReplicaSet. False: it has this size already.
    pub fn resize_old(&mut self, place: usize, size: i64) -> bool {
        let mut set = std::mem::take(&mut self.old[place]);
        let scaled = self.resize(&mut set, size);
        self.old[place] = set;
        scaled
    }

    fn resize(&mut self, set: &mut Value, size: i64) -> bool {
        let before = replicas(set);
        if before == size {
            // Sets without pods keep the sizes that they were last measured by.
            if before > 0
                && annotated(set, DESIRED_REPLICAS).is_some_and(|desired| desired != self.replicas())
            {
                self.annotate_sizes(set);
            }
            return false;
        }
        set["spec"]["replicas"] = json!(size);
        self.annotate_sizes(set);
        let direction = if before < size { "up" } else { "down" };
        let name = object::name(set);
        let text = format!("Scaled {direction} replica set {name} from {before} to {size}");
        self.events.push(("Normal", "ScalingReplicaSet", text));
        true
    }
}

fn annotated(set: &Value, name: &str) -> Option<i64> {
    object::annotation(set, name)?
        .parse()
        .ok()
        .filter(|number| *number >= 0)
}
