//! Event of the core group and of `events.k8s.io`: one stored kind, two views of it
//! (`pkg/registry/core/event/strategy.go`, `pkg/apis/core/validation/events.go`).
//!
//! Which rules hold depends on the group of the request: the core group keeps the old, lenient ones.

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::metadata::{self, IMMUTABLE};
use crate::rules::{GENERIC_RULES, Rules, Selectable};
use crate::{check, columns, internal, names, table};

/// The row of the core group's Event.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "Event",
    // Any name: upstream asks only for a valid namespace.
    name: names::path_segment_name,
    validate_create: |object| legacy(&Field::root(object), &CORE),
    validate_update: |new, _| legacy(&Field::root(new), &CORE),
    columns: columns::EVENT,
    cells: |object, now| cells(&Field::root(object), &CORE, now),
    selectable: SELECTABLE,
    create_on_update: true,
    ..GENERIC_RULES
};

/// The row of `events.k8s.io`.
pub const EVENTS_RULES: Rules = Rules {
    group: "events.k8s.io",
    validate_create: |object| validate(&Field::root(object)),
    validate_update: |new, old| validate_update(&Field::root(new), &Field::root(old)),
    cells: |object, now| cells(&Field::root(object), &EVENTS, now),
    ..RULES
};

/// What the fields of an Event are called in a group.
struct View {
    about: &'static str,
    message: &'static str,
    controller: &'static str,
    source: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
}

const CORE: View = View {
    about: "involvedObject",
    message: "message",
    controller: "reportingComponent",
    source: "source",
    first: "firstTimestamp",
    last: "lastTimestamp",
    count: "count",
};

const EVENTS: View = View {
    about: "regarding",
    message: "note",
    controller: "reportingController",
    source: "deprecatedSource",
    first: "deprecatedFirstTimestamp",
    last: "deprecatedLastTimestamp",
    count: "deprecatedCount",
};

const INSTANCE_MAX: usize = 128;
const ACTION_MAX: usize = 128;
const REASON_MAX: usize = 128;
const NOTE_MAX: usize = 1024;

/// What holds in both groups. Messages name the fields of the internal type.
fn legacy(event: &Field<'_>, view: &View) -> Findings {
    let mut out = Vec::new();
    let about = event.get("involvedObject").get("namespace");
    let about = about.with(event.get(view.about).get("namespace").value());
    let namespace = event.get("metadata").get("namespace").str();
    let is_new = event.get("eventTime").exists();
    let fits = match (is_new, about.str()) {
        (false, "") => matches!(namespace, "" | "default"),
        (false, about) => namespace == about,
        (true, "") => matches!(namespace, "default" | "kube-system"),
        (true, _) => true,
    };
    if !fits {
        out.push(about.invalid("does not match event.namespace"));
    }
    if is_new {
        let controller = event.get(view.controller);
        check::required(&controller, &mut out);
        check::invalid(&controller, names::qualified_name(controller.str()), &mut out);
        let message = event.get("message").with(event.get(view.message).value());
        for (field, max, required) in [
            (event.get("reportingInstance"), INSTANCE_MAX, true),
            (event.get("action"), ACTION_MAX, true),
            (event.get("reason"), REASON_MAX, true),
            (message, NOTE_MAX, false),
        ] {
            if required {
                check::required(&field, &mut out);
            }
            if field.len() > max {
                out.push(field.invalid_value("", format!("can have at most {max} characters")));
            }
        }
    }
    let place = event.get("namespace");
    let texts = names::dns_subdomain(namespace);
    out.extend(texts.into_iter().map(|text| place.invalid_value(namespace, text)));
    out
}

/// What `events.k8s.io` asks for besides.
fn validate(event: &Field<'_>) -> Findings {
    let mut out = legacy(event, &EVENTS);
    let meta = event.get("metadata");
    out.extend(metadata::create_of_kubernetes(
        &meta,
        true,
        names::dns_subdomain_name,
    ));
    series(event, &mut out);
    check::required(&event.get("eventTime"), &mut out);
    let r#type = event.get("type");
    if !matches!(r#type.str(), "Normal" | "Warning") {
        out.push(r#type.invalid_value("", format!("has invalid value: {}", r#type.str())));
    }
    for (field, old) in [
        (EVENTS.first, CORE.first),
        (EVENTS.last, CORE.last),
        (EVENTS.count, CORE.count),
        (EVENTS.source, CORE.source),
    ] {
        let value = event.get(field);
        if !value.is_empty()
            && !value
                .map()
                .is_some_and(|map| map.values().all(crate::cursor::is_zero))
        {
            out.push(event.get(old).invalid_value("", "needs to be unset"));
        }
    }
    out
}

fn series(event: &Field<'_>, out: &mut Findings) {
    let series = event.get("series");
    if !series.exists() {
        return;
    }
    if series.get("count").int() < 2 {
        out.push(series.get("count").invalid_value("", "should be at least 2"));
    }
    check::required(&series.get("lastObservedTime"), out);
}

fn validate_update(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let mut out = legacy(new, &EVENTS);
    if !new.get("series").same(&old.get("series")) {
        series(new, &mut out);
    }
    for (name, shown) in [
        (EVENTS.about, CORE.about),
        ("reason", "reason"),
        (EVENTS.message, CORE.message),
        (EVENTS.source, CORE.source),
        (EVENTS.first, CORE.first),
        (EVENTS.last, CORE.last),
        (EVENTS.count, CORE.count),
        ("reason", "reason"),
        ("type", "type"),
        ("eventTime", "eventTime"),
        ("action", "action"),
        ("related", "related"),
        (EVENTS.controller, EVENTS.controller),
        ("reportingInstance", "reportingInstance"),
    ] {
        if !new.get(name).same(&old.get(name)) {
            let place = new.get(shown).with(new.get(name).value());
            let mut finding = place.invalid(IMMUTABLE);
            if matches!(shown, "involvedObject" | "related") {
                finding.shown = Some(internal::shown("ObjectReference", place.value()));
            }
            out.push(finding);
        }
    }
    out
}

fn cells(event: &Field<'_>, view: &View, now: i64) -> Vec<Value> {
    let since = |field: &Field<'_>| table::since(field.str(), now);
    let either = |a: Field<'_>, b: Field<'_>| if a.is_empty() { since(&b) } else { since(&a) };
    let first = either(event.get(view.first), event.get("eventTime"));
    let series = event.get("series");
    let last = if series.exists() {
        since(&series.get("lastObservedTime"))
    } else if event.get(view.last).is_empty() {
        first.clone()
    } else {
        since(&event.get(view.last))
    };
    let count = if series.exists() {
        series.get("count").int()
    } else {
        event.get(view.count).int().max(1)
    };
    let about = event.get(view.about);
    let kind = about.get("kind").str().to_lowercase();
    let target = match about.get("name").str() {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let text = |name: &'static str| Value::from(event.get(name).str());
    vec![
        last.into(),
        text("type"),
        text("reason"),
        target.into(),
        about.get("fieldPath").str().into(),
        source(event, view).into(),
        event.get(view.message).str().trim().into(),
        first.into(),
        count.into(),
        event.get("metadata").get("name").str().into(),
    ]
}

/// Who says so: `kubelet, node1`.
fn source(event: &Field<'_>, view: &View) -> String {
    let source = event.get(view.source);
    let or = |old: &'static str, new: &'static str| match source.get(old).str() {
        "" => event.get(new).str(),
        text => text,
    };
    match (or("component", view.controller), or("host", "reportingInstance")) {
        (component, "") => component.to_owned(),
        (component, host) => format!("{component}, {host}"),
    }
}

/// A field of either view.
fn either(object: &Value, core: &'static str, events: &'static str) -> String {
    let root = Field::root(object);
    let found = root.get(core);
    if found.exists() { found } else { root.get(events) }
        .str()
        .to_owned()
}

fn about(object: &Value, name: &'static str) -> String {
    let root = Field::root(object);
    let about = root.get(CORE.about);
    let about = if about.exists() {
        about
    } else {
        root.get(EVENTS.about)
    };
    about.get(name).str().to_owned()
}

const SELECTABLE: &[Selectable] = &[
    Selectable {
        name: "involvedObject.kind",
        value: |object| about(object, "kind"),
    },
    Selectable {
        name: "involvedObject.namespace",
        value: |object| about(object, "namespace"),
    },
    Selectable {
        name: "involvedObject.name",
        value: |object| about(object, "name"),
    },
    Selectable {
        name: "involvedObject.uid",
        value: |object| about(object, "uid"),
    },
    Selectable {
        name: "involvedObject.apiVersion",
        value: |object| about(object, "apiVersion"),
    },
    Selectable {
        name: "involvedObject.resourceVersion",
        value: |object| about(object, "resourceVersion"),
    },
    Selectable {
        name: "involvedObject.fieldPath",
        value: |object| about(object, "fieldPath"),
    },
    Selectable {
        name: "reason",
        value: |object| either(object, "reason", "reason"),
    },
    Selectable {
        name: "reportingComponent",
        value: |object| either(object, CORE.controller, EVENTS.controller),
    },
    Selectable {
        name: "source",
        value: |object| {
            let root = Field::root(object);
            let component = root.get(CORE.source).get("component").str();
            if component.is_empty() {
                either(object, CORE.controller, EVENTS.controller)
            } else {
                component.to_owned()
            }
        },
    },
    Selectable {
        name: "type",
        value: |object| either(object, "type", "type"),
    },
];
