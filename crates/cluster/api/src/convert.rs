//! An object in another version of its kind.

use deploy_cluster_kinds::autoscaling;
use deploy_cluster_schema::decode;
use deploy_cluster_schema::registry::{GroupVersionKind, Registry};
use serde_json::{Map, Value};

/// `core/v1` and `events.k8s.io/v1` name the same things of an Event differently
/// (`pkg/apis/events/v1/conversion.go`).
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The object in the version `to`.
pub(crate) fn convert(
    registry: &Registry,
    mut object: Value,
    from: &GroupVersionKind,
    to: &GroupVersionKind,
) -> Value {
    if from == to {
        return object;
    }
    if &*from.kind == "Event" {
        let pairs = EVENT_FIELDS.iter();
        object = match &*to.group {
            "" => renamed(object, pairs.map(|(core, events)| (*events, *core))),
            _ => renamed(object, pairs.map(|(core, events)| (*core, *events))),
        };
    }
    if &*from.kind == "HorizontalPodAutoscaler" {
        object = match &*to.version {
            "v1" => autoscaling::conversion::to_v1(&object),
            _ => autoscaling::conversion::to_v2(&object),
        };
    }
    if let Some(custom) = registry.kind(to).and_then(|resource| resource.custom.as_ref()) {
        return crate::custom::to_version(registry, custom, object);
    }
    object["apiVersion"] = to.api_version().into();
    object["kind"] = (*to.kind).into();
    if let Some((schema, id)) = registry.types(to) {
        // What does not fit is an object of an older server; it is shown as it is.
        let _ = decode::normalise(schema, id, &mut object);
    }
    object
}

fn renamed<'a>(object: Value, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let Value::Object(mut fields) = object else {
        return object;
    };
    let mut moved = Map::new();
    for (old, new) in pairs {
        if let Some(value) = fields.remove(old) {
            moved.insert(new.to_owned(), value);
        }
    }
    fields.extend(moved);
    fields.into()
}
