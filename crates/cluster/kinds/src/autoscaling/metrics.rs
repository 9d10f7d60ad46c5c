//! What a HorizontalPodAutoscaler looks at (`pkg/apis/autoscaling/validation validateMetrics`).

use crate::core::pod::resource_requirements::container_name;
use crate::cursor::{Field, Findings};
use crate::field::go_quote;
use crate::{check, names, resources};

/// Which `apiVersion` a reference may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Of a group other than the core group.
    WithGroup,
    /// Of any group.
    CoreToo,
    /// Whatever there was before.
    Any,
}

const TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];

/// Each source: its field, the type that asks for it, its check, in the order in which upstream looks at them.
type Source = (&'static str, &'static str, fn(&Field<'_>, Version, &mut Findings));

const SOURCES: [Source; 5] = [
    ("object", "Object", object),
    ("external", "External", external),
    ("pods", "Pods", pods),
    ("resource", "Resource", resource),
    ("containerResource", "ContainerResource", container_resource),
];

/// Checks the metrics of a spec; those of the old one tell how strict to be.
pub fn validate(spec: &Field<'_>, old: Option<&Field<'_>>, out: &mut Findings) {
    let was_invalid = old.is_some_and(|old| {
        old.items("metrics").any(|metric| {
            let object = metric.get("object");
            let is_object = metric.get("type").str() == "Object" && object.exists();
            is_object
                && version_error(
                    object.get("describedObject").get("apiVersion").str(),
                    Version::CoreToo,
                )
                .is_some()
        })
    });
    let version = if was_invalid {
        Version::Any
    } else {
        Version::CoreToo
    };
    let metrics = spec.get("metrics");
    for metric in metrics.list() {
        validate_metric(&metric, version, out);
    }
    let scales_to_zero = spec.get("minReplicas").opt_int() == Some(0);
    let external = metrics
        .list()
        .any(|metric| matches!(metric.get("type").str(), "Object" | "External"));
    if scales_to_zero && !external {
        let detail =
            "must specify at least one Object or External metric to support scaling to zero replicas";
        out.push(metrics.forbidden(detail));
    }
}

fn validate_metric(metric: &Field<'_>, version: Version, out: &mut Findings) {
    let kind = metric.get("type");
    if kind.is_empty() {
        out.push(kind.required("must specify a metric source type"));
    }
    let unknown = kind.not_supported_value(kind.str(), &TYPES);
    let is_known = TYPES.contains(&kind.str());
    if !is_known {
        out.push(unknown.clone());
    }
    let present: Vec<&Source> = SOURCES
        .iter()
        .filter(|source| metric.get(source.0).exists())
        .collect();
    if let Some((name, _, check)) = present.first() {
        check(&metric.get(name), version, out);
    }
    let expected = SOURCES
        .iter()
        .find(|source| source.1 == kind.str())
        .map(|source| source.0);
    match expected {
        Some(name) if !metric.get(name).exists() => {
            out.push(
                metric
                    .get(name)
                    .required("must populate information for the given metric source"),
            );
        }
        Some(_) => {}
        None => out.push(unknown),
    }
    if present.len() != 1 {
        let others = present.iter().filter(|source| Some(source.0) != expected);
        out.extend(others.map(|source| {
            metric
                .get(source.0)
                .forbidden("must populate the given metric source only")
        }));
    }
}

/// A reference to an object of any group.
pub fn reference(reference: &Field<'_>, version: Version, out: &mut Findings) {
    for name in ["kind", "name"] {
        check::required_name(
            &reference.get(name),
            |name| names::path_segment_name(name, false),
            out,
        );
    }
    let place = reference.get("apiVersion");
    if let Some(text) = version_error(place.str(), version) {
        out.push(place.invalid(text));
    }
}

fn version_error(text: &str, version: Version) -> Option<String> {
    if version == Version::Any {
        return None;
    }
    if text.matches('/').count() > 1 {
        return Some(format!("unexpected GroupVersion string: {text}"));
    }
    let group = text.split_once('/').map_or("", |(group, _)| group);
    (version == Version::WithGroup && group.is_empty())
        .then(|| "apiVersion must specify API group".to_owned())
}

fn identifier(source: &Field<'_>, out: &mut Findings) {
    let name = source.get("metric").get("name");
    if name.is_empty() {
        out.push(name.required("must specify a metric name"));
    } else {
        check::invalid(&name, names::path_segment_name(name.str(), false), out);
    }
}

fn target(source: &Field<'_>, out: &mut Findings) {
    let target = source.get("target");
    let kind = target.get("type");
    if kind.is_empty() {
        out.push(kind.required("must specify a metric target type"));
    }
    if !matches!(kind.str(), "Utilization" | "Value" | "AverageValue") {
        out.push(kind.invalid("must be either Utilization, Value, or AverageValue"));
    }
    for name in ["value", "averageValue"] {
        let amount = target.get(name);
        if let Some(quantity) = resources::quantity(&amount).filter(|quantity| quantity.sign() <= 0) {
            out.push(amount.invalid_shown(go_quote(&quantity.to_string()), "must be positive"));
        }
    }
    let percent = target.get("averageUtilization");
    if percent.opt_int().is_some_and(|percent| percent < 1) {
        out.push(percent.invalid("must be greater than 0"));
    }
}

/// One of two fields of the target must be there.
fn either(
    source: &Field<'_>,
    fields: [&'static str; 2],
    shown: &'static str,
    detail: &str,
    out: &mut Findings,
) {
    let target = source.get("target");
    if fields.iter().all(|name| !target.get(name).exists()) {
        out.push(target.get(shown).required(detail));
    }
}

fn not_both(
    source: &Field<'_>,
    fields: [&'static str; 2],
    shown: &'static str,
    detail: &str,
    out: &mut Findings,
) {
    let target = source.get("target");
    if fields.iter().all(|name| target.get(name).exists()) {
        out.push(target.get(shown).forbidden(detail));
    }
}

fn object(source: &Field<'_>, version: Version, out: &mut Findings) {
    reference(&source.get("describedObject"), version, out);
    identifier(source, out);
    target(source, out);
    let detail = "must set either a target value or averageValue";
    either(source, ["value", "averageValue"], "averageValue", detail, out);
}

fn external(source: &Field<'_>, _: Version, out: &mut Findings) {
    identifier(source, out);
    target(source, out);
    let fields = ["value", "averageValue"];
    let detail = "must set either a target value for metric or a per-pod target";
    either(source, fields, "averageValue", detail, out);
    let detail = "may not set both a target value for metric and a per-pod target";
    not_both(source, fields, "value", detail, out);
}

fn pods(source: &Field<'_>, _: Version, out: &mut Findings) {
    identifier(source, out);
    target(source, out);
    let average = source.get("target").get("averageValue");
    if !average.exists() {
        out.push(average.required("must specify a positive target averageValue"));
    }
}

fn utilization(source: &Field<'_>, out: &mut Findings) {
    target(source, out);
    let fields = ["averageUtilization", "averageValue"];
    let detail = "must set either a target raw value or a target utilization";
    either(source, fields, "averageUtilization", detail, out);
    let detail = "may not set both a target raw value and a target utilization";
    not_both(source, fields, "averageValue", detail, out);
}

fn resource(source: &Field<'_>, _: Version, out: &mut Findings) {
    let name = source.get("name");
    if name.is_empty() {
        out.push(name.required("must specify a resource name"));
    }
    utilization(source, out);
}

fn container_resource(source: &Field<'_>, _: Version, out: &mut Findings) {
    let (name, container) = (source.get("name"), source.get("container"));
    if name.is_empty() {
        out.push(name.required("must specify a resource name"));
    } else {
        container_name(&name, name.str(), out);
    }
    if container.is_empty() {
        out.push(container.required("must specify a container"));
    } else {
        check::invalid(&container, names::dns_label(container.str()), out);
    }
    utilization(source, out);
}
