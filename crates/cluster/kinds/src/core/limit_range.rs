//! LimitRange (`pkg/apis/core/v1/defaults.go SetDefaults_LimitRangeItem`, `pkg/apis/core/validation
//! ValidateLimitRange`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::core::pod::defaults::round;
use crate::core::pod::resource_requirements::{container_name, resource_name};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::quantity::{Format, Quantity};
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, resources, table};

/// The row of LimitRange.
pub const RULES: Rules = Rules {
    version: "v1",
    kind: "LimitRange",
    name: names::dns_subdomain_name,
    default,
    validate_create: |object| validate(&Field::root(object)),
    validate_update: |new, _| {
        let root = Field::root(new);
        let mut out = metadata::create_of_kubernetes(&root.get("metadata"), true, names::dns_subdomain_name);
        out.extend(validate(&root));
        out
    },
    columns: columns::LIMIT_RANGE,
    cells: table::name_and_created,
    create_on_update: true,
    ..GENERIC_RULES
};

const LISTS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

/// A container's limit defaults to the most it may have, its request to its limit, else to the least it may have.
fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    for item in spec.each("limits") {
        for list in LISTS {
            round(item.child(list));
        }
        if Field::root(item).get("type").str() != "Container" {
            continue;
        }
        let of = |item: &Value, name: &str| {
            item.get(name)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let (max, min) = (of(item, "max"), of(item, "min"));
        let limits = filled(of(item, "default"), &max);
        let requests = filled(filled(of(item, "defaultRequest"), &limits), &min);
        for (name, amounts) in [("default", limits), ("defaultRequest", requests)] {
            if amounts.is_empty() {
                item.unset(name);
            } else {
                item.set(name, amounts);
            }
        }
    }
}

fn filled(mut amounts: Map<String, Value>, with: &Map<String, Value>) -> Map<String, Value> {
    for (name, amount) in with {
        amounts.entry(name.clone()).or_insert_with(|| amount.clone());
    }
    amounts
}

fn validate(object: &Field<'_>) -> Findings {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for item in object.get("spec").items("limits") {
        let r#type = item.get("type");
        limit_type(&r#type, &mut out);
        if !seen.insert(r#type.str()) {
            out.push(r#type.duplicate());
        }
        validate_item(&item, &mut out);
    }
    out
}

fn limit_type(r#type: &Field<'_>, out: &mut Findings) {
    let texts = names::qualified_name(r#type.str());
    let standard = matches!(r#type.str(), "Pod" | "Container" | "PersistentVolumeClaim");
    if texts.is_empty() && !r#type.str().contains('/') && !standard {
        out.push(r#type.invalid("must be a standard limit type or fully qualified"));
    }
    out.extend(texts.into_iter().map(|text| r#type.invalid(text)));
}

fn validate_item(item: &Field<'_>, out: &mut Findings) {
    let r#type = item.get("type").str();
    let is_pod = r#type == "Pod";
    let mut names = BTreeSet::new();
    for list in LISTS {
        let amounts = item.get(list);
        if is_pod && list.starts_with("default") {
            if !amounts.is_empty() {
                out.push(amounts.forbidden("may not be specified when `type` is 'Pod'"));
            }
            continue;
        }
        if list == "maxLimitRequestRatio" && r#type == "PersistentVolumeClaim" {
            let has_storage = |list: &'static str| item.get(list).key("storage").exists();
            if !has_storage("min") && !has_storage("max") {
                let detail = "either minimum or maximum storage value is required, but neither was provided";
                out.push(item.get("limits").required(detail));
            }
        }
        for (name, amount) in amounts.entries() {
            if matches!(r#type, "Pod" | "Container") {
                container_name(&amount, name, out);
            } else {
                resource_name(&amount, name, out);
            }
            names.insert(name);
        }
    }
    for name in names {
        validate_amounts(item, name, is_pod, out);
    }
}

fn validate_amounts(item: &Field<'_>, name: &str, is_pod: bool, out: &mut Findings) {
    let place = |list: &'static str| item.get(list).key(name);
    let amount = |list: &'static str| resources::quantity(&place(list));
    let (min, max) = (amount("min"), amount("max"));
    let default = amount("default").filter(|_| !is_pod);
    let request = amount("defaultRequest").filter(|_| !is_pod);
    let rules: [Order<'_>; 6] = [
        (
            &min,
            &max,
            "min",
            false,
            Words("min value", "is greater than max value"),
        ),
        (
            &min,
            &request,
            "defaultRequest",
            true,
            Words("min value", "is greater than default request value"),
        ),
        (
            &request,
            &max,
            "defaultRequest",
            false,
            Words("default request value", "is greater than max value"),
        ),
        (
            &request,
            &default,
            "defaultRequest",
            false,
            Words("default request value", "is greater than default limit value"),
        ),
        (
            &min,
            &default,
            "default",
            false,
            Words("min value", "is greater than default value"),
        ),
        (
            &default,
            &max,
            "default",
            true,
            Words("default value", "is greater than max value"),
        ),
    ];
    for (small, large, list, show_large, Words(first, second)) in rules {
        if let (Some(small), Some(large)) = (small, large)
            && small > large
        {
            let shown = if show_large { large } else { small };
            out.push(
                place(list).invalid_value(shown.to_string(), format!("{first} {small} {second} {large}")),
            );
        }
    }
    ratio(&place("maxLimitRequestRatio"), min.as_ref(), max.as_ref(), out);
    if let (Some(default), Some(request)) = (&default, &request)
        && !resources::may_overcommit(name)
        && default != request
    {
        let detail =
            format!("default value {default} must equal to defaultRequest value {request} in {name}");
        out.push(place("defaultRequest").invalid_value(request.to_string(), detail));
    }
}

/// The smaller, the greater, where it is shown, whether the greater is shown, what they are called.
type Order<'a> = (
    &'a Option<Quantity>,
    &'a Option<Quantity>,
    &'static str,
    bool,
    Words,
);

struct Words(&'static str, &'static str);

/// How far limits may be above requests: at least 1, and not more than the greatest amount allows over the least.
fn ratio(place: &Field<'_>, min: Option<&Quantity>, max: Option<&Quantity>, out: &mut Findings) {
    let Some(ratio) = resources::quantity(place) else {
        return;
    };
    if ratio < Quantity::new(1, Format::DecimalSi) {
        out.push(place.invalid_value(ratio.to_string(), format!("ratio {ratio} is less than 1")));
    }
    let (Some(min), Some(max)) = (min, max) else {
        return;
    };
    let in_thousandths = [&ratio, min, max]
        .iter()
        .all(|amount| amount.value() < i64::MAX / 1000);
    #[expect(clippy::cast_precision_loss, reason = "upstream compares and shows floats")]
    let float = |amount: &Quantity| {
        if in_thousandths {
            amount.milli_value() as f64 / 1000.0
        } else {
            amount.value() as f64
        }
    };
    let limit = float(max) / float(min);
    if float(&ratio) > limit {
        out.push(place.invalid_value(
            ratio.to_string(),
            format!("ratio {ratio} is greater than max/min = {limit:.6}"),
        ));
    }
}
