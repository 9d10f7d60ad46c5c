//! The last two measurements of everything, and the rates between them (`metrics-server pkg/storage`).

use std::collections::HashMap;
use std::time::Duration;

use deploy_cluster_api::usage::Used;
use jiff::Timestamp;

use super::sample::{Sample, stamp};
use crate::limits;

/// What was measured of one container, or of the node, at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Since when it counts: the start of the container, of the machine.
    pub started: Timestamp,
    /// When.
    pub at: Timestamp,
    /// CPU time since it was started.
    pub cpu_ns: u64,
    /// Working set.
    pub memory_bytes: u64,
}

/// The points of one sample: the node, and containers by namespace and name of their pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// None where it was not measured.
    pub node: Option<Point>,
    /// By namespace and name, then by container.
    pub pods: HashMap<(String, String), HashMap<String, Point>>,
}

impl Points {
    /// Those of a sample.
    pub fn of(sample: &Sample) -> Points {
        let machine = &sample.machine;
        let node = Point {
            started: machine.booted,
            at: sample.at,
            cpu_ns: machine.cpu_ns,
            memory_bytes: machine.working_set_bytes,
        };
        let pods = sample.pods.iter().filter(|pod| !pod.containers.is_empty());
        let pods = pods.map(|pod| {
            let points = pod.containers.iter().map(|container| {
                let point = Point {
                    started: container.started,
                    at: stamp(container.used.at),
                    cpu_ns: container.used.cpu_ns,
                    memory_bytes: container.used.working_set_bytes,
                };
                (container.name.clone(), point)
            });
            ((pod.namespace.clone(), pod.name.clone()), points.collect())
        });
        Points {
            node: Some(node),
            pods: pods.collect(),
        }
    }
}

/// The last points, and those before them that they can be compared with.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    last: Points,
    previous: Points,
}

impl Rates {
    /// Takes new points. What is not among them any more is forgotten.
    pub fn store(&mut self, new: Points) {
        let mut previous = Points::default();
        if let (Some(new), Some(last)) = (new.node, self.last.node) {
            previous.node = before(new, last, self.previous.node);
        }
        for (pod, containers) in &new.pods {
            let known = |points: &Points, name: &str| points.pods.get(pod)?.get(name).copied();
            let mut found = HashMap::new();
            for (name, point) in containers {
                let last = known(&self.last, name);
                // A container that has just started is measured from its start on.
                let fresh = is_fresh(point).then_some(Point {
                    at: point.started,
                    cpu_ns: 0,
                    ..*point
                });
                // One that was started again counts from nothing.
                let same = last.filter(|last| point.started < last.at);
                let earlier = same.and_then(|last| before(*point, last, known(&self.previous, name)));
                if let Some(earlier) = fresh.or(earlier) {
                    found.insert(name.clone(), earlier);
                }
            }
            if !found.is_empty() {
                previous.pods.insert(pod.clone(), found);
            }
        }
        (self.last, self.previous) = (new, previous);
    }

    /// What the node uses.
    pub fn node(&self) -> Option<Used> {
        between(self.previous.node?, self.last.node?)
    }

    /// What the containers of a pod use, by name; none where one of them was measured once only.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Vec<(String, Used)>> {
        let pod = (namespace.to_owned(), name.to_owned());
        let (last, previous) = (self.last.pods.get(&pod)?, self.previous.pods.get(&pod)?);
        let mut all = Vec::new();
        for (name, point) in last {
            // A count that has fallen says nothing; the others still do.
            if let Some(used) = between(*previous.get(name)?, *point) {
                all.push((name.clone(), used));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Some(all)
    }
}

fn is_fresh(point: &Point) -> bool {
    let age = Duration::try_from(point.at.duration_since(point.started)).unwrap_or(Duration::ZERO);
    (limits::FRESH_MIN..limits::MEASURE_EVERY).contains(&age)
}

/// The point before `new`: the last one, or the one before that where the last is no older.
fn before(new: Point, last: Point, previous: Option<Point>) -> Option<Point> {
    if new.at > last.at {
        Some(last)
    } else {
        previous.filter(|previous| previous.at < new.at)
    }
}

fn between(previous: Point, last: Point) -> Option<Used> {
    if last.started < previous.started {
        return None;
    }
    let cpu_ns = last.cpu_ns.checked_sub(previous.cpu_ns)?;
    let window = Duration::try_from(last.at.duration_since(previous.at)).ok()?;
    if window.is_zero() {
        return None;
    }
    let cpu_nanocores = u128::from(cpu_ns) * 1_000_000_000 / window.as_nanos();
    Some(Used {
        at: last.at,
        window,
        cpu_nanocores: u64::try_from(cpu_nanocores).unwrap_or(u64::MAX),
        memory_bytes: last.memory_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn point(started: i64, second: i64, cpu_seconds: u64) -> Point {
        Point {
            started: at(started),
            at: at(second),
            cpu_ns: cpu_seconds * 1_000_000_000,
            memory_bytes: 7,
        }
    }

    fn points(containers: &[(&str, Point)]) -> Points {
        let containers = containers
            .iter()
            .map(|(name, point)| ((*name).to_owned(), *point));
        Points {
            node: None,
            pods: HashMap::from([(("n".to_owned(), "p".to_owned()), containers.collect())]),
        }
    }

    fn used(rates: &Rates) -> Option<Vec<(String, i64, u64, u64)>> {
        let pod = rates.pod("n", "p")?;
        let rows = pod.into_iter().map(|(name, used)| {
            (
                name,
                used.at.as_second(),
                used.window.as_secs(),
                used.cpu_nanocores,
            )
        });
        Some(rows.collect())
    }

    #[test]
    fn a_rate_needs_two_measurements() {
        let mut rates = Rates::default();
        assert_eq!(rates.node(), None);
        for (second, cpu) in [(100, 50), (115, 65)] {
            assert_eq!(rates.node(), None);
            rates.store(Points {
                node: Some(point(0, second, cpu)),
                ..Points::default()
            });
        }
        let node = rates.node().expect("two measurements");
        assert_eq!((node.window.as_secs(), node.cpu_nanocores), (15, 1_000_000_000));
        assert_eq!(node.memory_bytes, 7);
    }

    #[test]
    fn a_container_that_has_just_started_is_measured_from_its_start() {
        let mut rates = Rates::default();
        rates.store(points(&[("c", point(100, 104, 1))]));
        assert_eq!(used(&rates), None, "too young to say anything");
        let mut rates = Rates::default();
        rates.store(points(&[("c", point(100, 112, 6))]));
        let expected = vec![("c".to_owned(), 112, 12, 500_000_000)];
        assert_eq!(used(&rates), Some(expected));
    }

    #[test]
    fn a_restart_begins_anew() {
        let mut rates = Rates::default();
        rates.store(points(&[("c", point(0, 100, 50))]));
        rates.store(points(&[("c", point(0, 115, 65))]));
        assert!(used(&rates).is_some());
        rates.store(points(&[("c", point(125, 130, 1))]));
        assert_eq!(used(&rates), None);
        rates.store(points(&[("c", point(125, 145, 4))]));
        assert_eq!(used(&rates), Some(vec![("c".to_owned(), 145, 15, 200_000_000)]));
    }

    #[test]
    fn a_pod_is_told_when_all_its_containers_have_a_rate() {
        let mut rates = Rates::default();
        rates.store(points(&[("a", point(0, 100, 1))]));
        rates.store(points(&[("a", point(0, 115, 2)), ("b", point(113, 115, 1))]));
        assert_eq!(used(&rates), None);
        rates.store(points(&[("a", point(0, 130, 3)), ("b", point(113, 130, 1))]));
        let names: Vec<String> = rates
            .pod("n", "p")
            .expect("both")
            .into_iter()
            .map(|row| row.0)
            .collect();
        assert_eq!(names, ["a", "b"]);
        rates.store(Points::default());
        assert_eq!(used(&rates), None, "it is gone");
    }

    #[test]
    fn the_same_measurement_twice_keeps_the_rate() {
        let mut rates = Rates::default();
        rates.store(points(&[("c", point(0, 100, 50))]));
        rates.store(points(&[("c", point(0, 115, 65))]));
        rates.store(points(&[("c", point(0, 115, 65))]));
        assert_eq!(used(&rates), Some(vec![("c".to_owned(), 115, 15, 1_000_000_000)]));
    }
}
