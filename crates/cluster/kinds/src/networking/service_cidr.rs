//! ServiceCIDR (`pkg/registry/networking/servicecidr/strategy.go`, `pkg/apis/networking/validation`).

use serde_json::Value;

use crate::cidr::{self, Cidr};
use crate::cursor::{Field, Findings};
use crate::metadata::{self, IMMUTABLE};
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, internal, names, table};

/// The row of ServiceCIDR.
pub const RULES: Rules = Rules {
    group: "networking.k8s.io",
    version: "v1",
    kind: "ServiceCIDR",
    name: names::dns_subdomain_name,
    prepare_status: |new, old| {
        metadata::prepare_status(new, old);
        metadata::keep_for_status(new, old);
    },
    validate_create: |object| {
        let mut out = Vec::new();
        validate(&Field::root(object).get("spec"), &mut out);
        out
    },
    validate_update,
    columns: columns::SERVICE_CIDR,
    cells: |object, now| {
        let ranges = Field::root(object).get("spec").get("cidrs");
        let ranges: Vec<&str> = ranges.strings().collect();
        vec![
            table::name(object),
            ranges.join(",").into(),
            table::age(object, now),
        ]
    },
    ..GENERIC_RULES
};

fn validate(spec: &Field<'_>, out: &mut Findings) {
    let ranges = spec.get("cidrs");
    match ranges.len() {
        0 => out.push(ranges.required("at least one CIDR required")),
        1 | 2 => {
            for range in ranges.list() {
                cidr::validate(&range, range.str(), out);
            }
            let families: Vec<bool> = ranges
                .strings()
                .filter_map(|range| Some(Cidr::parse(range)?.first().is_ipv4()))
                .collect();
            if families.len() == 2 && families[0] == families[1] {
                out.push(ranges.invalid(
                    "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
                ));
            }
        }
        _ => {
            let shown = internal::shown("ServiceCIDRSpec", spec.value());
            out.push(ranges.invalid_shown(shown, "may only hold up to 2 values"));
        }
    }
}

/// A second range may be added; all else stays.
fn validate_update(new: &Value, old: &Value) -> Findings {
    let (spec, old) = (Field::root(new).get("spec"), Field::root(old).get("spec"));
    let (ranges, before) = (spec.get("cidrs"), old.get("cidrs"));
    let mut out = Vec::new();
    let added = before.len() == 1 && ranges.len() == 2;
    if ranges.len() != before.len() && !added {
        out.push(ranges.invalid(IMMUTABLE));
        return out;
    }
    for (range, before) in ranges.list().zip(before.strings()) {
        if range.str() != before {
            out.push(range.invalid(IMMUTABLE));
        }
    }
    if added {
        validate(&spec, &mut out);
    }
    out
}
