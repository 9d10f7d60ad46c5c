//! What containers and pods ask for (`pkg/apis/core/validation validateResourceRequirements`).

use std::collections::BTreeSet;

use crate::cursor::{Field, Findings};
use crate::names;
use crate::quantity::Quantity;
use crate::resources;

use super::Options;

/// What may be asked for where.
type NameCheck = fn(&Field<'_>, &str, &mut Findings);

/// Checks the resources of a container, given the names of the pod's resource claims.
pub fn container(requirements: &Field<'_>, claims: &BTreeSet<&str>, options: &Options, out: &mut Findings) {
    check(requirements, container_name, claims, options, out);
}

/// Checks `spec.resources`.
pub fn pod(spec: &Field<'_>, claims: &BTreeSet<&str>, options: &Options, out: &mut Findings) {
    let whole = spec.get("resources");
    if !whole.exists() {
        return;
    }
    if spec.get("os").get("name").str() == "windows" {
        out.push(whole.forbidden("may not be set for a windows pod"));
        return;
    }
    if whole.get("claims").exists() {
        out.push(
            whole
                .get("claims")
                .forbidden("claims may not be set for Resources at pod-level"),
        );
    }
    check(&whole, pod_name, claims, options, out);
    fits_containers(spec, &whole, out);
}

/// Checks `spec.overhead`.
pub fn overhead(overhead: &Field<'_>, options: &Options, out: &mut Findings) {
    let mut found = Vec::new();
    for (name, value) in overhead.entries() {
        // Upstream treats it as the limits of a container, so it says so.
        let place = overhead.get("limits").key(name).with(value.value());
        container_name(&place, name, &mut found);
        amount(&place, name, &mut found);
        if resources::is_huge_page(name) {
            huge_page(&place, name, options, &mut found);
        }
    }
    out.extend(found);
}

fn check(
    requirements: &Field<'_>,
    name_check: NameCheck,
    claims: &BTreeSet<&str>,
    options: &Options,
    out: &mut Findings,
) {
    let (limits, requests) = (requirements.get("limits"), requirements.get("requests"));
    let (mut compute, mut huge_pages) = (false, false);
    let mut each = |name: &str, value: &Field<'_>| {
        compute |= matches!(name, "cpu" | "memory");
        huge_pages |= resources::is_huge_page(name);
        value.exists()
    };
    for (name, value) in limits.entries() {
        each(name, &value);
        name_check(&value, name, out);
        amount(&value, name, out);
        huge_page(&value, name, options, out);
    }
    for (name, value) in requests.entries() {
        each(name, &value);
        name_check(&value, name, out);
        amount(&value, name, out);
        within_limit(&requests, &limits, name, &value, out);
        huge_page(&value, name, options, out);
    }
    if huge_pages && !compute {
        out.push(requirements.forbidden("HugePages require cpu or memory"));
    }
    claim_names(&requirements.get("claims"), claims, out);
}

fn within_limit(requests: &Field<'_>, limits: &Field<'_>, name: &str, value: &Field<'_>, out: &mut Findings) {
    let overcommit = resources::may_overcommit(name);
    let limit = limits.key(name);
    if !limit.exists() {
        if !overcommit {
            out.push(limits.required("Limit must be set for non overcommitable resources"));
        }
        return;
    }
    let (Some(request), Some(limit)) = (resources::quantity(value), resources::quantity(&limit)) else {
        return;
    };
    let relation = if request != limit && !overcommit {
        "equal to"
    } else if request > limit {
        "less than or equal to"
    } else {
        return;
    };
    out.push(requests.invalid_value(
        request.to_string(),
        format!("must be {relation} {name} limit of {limit}"),
    ));
}

/// An amount that is not negative, and whole where the resource is counted.
pub fn amount(value: &Field<'_>, name: &str, out: &mut Findings) {
    let Some(quantity) = resources::quantity(value) else {
        return;
    };
    if quantity.sign() < 0 {
        out.push(value.invalid_value(quantity.to_string(), "must be greater than or equal to 0"));
    }
    if resources::is_whole(name) && quantity.milli_value() % 1000 != 0 {
        out.push(value.invalid_value(quantity.to_string(), "must be an integer"));
    }
}

fn huge_page(value: &Field<'_>, name: &str, options: &Options, out: &mut Findings) {
    let Some(quantity) = resources::quantity(value).filter(|_| resources::is_huge_page(name)) else {
        return;
    };
    if !options.allow_indivisible_huge_pages && !is_divisible(name, &quantity) {
        let detail = format!("{quantity} is not positive integer multiple of {name}");
        out.push(value.invalid_value(quantity.to_string(), detail));
    }
}

fn is_divisible(name: &str, quantity: &Quantity) -> bool {
    let size = name
        .strip_prefix("hugepages-")
        .and_then(|size| Quantity::parse(size).ok());
    size.is_some_and(|size| size.sign() > 0 && size.is_whole() && quantity.value() % size.value() == 0)
}

/// Whether a container asks for a part of a huge page.
pub fn has_indivisible_huge_pages(container: &Field<'_>) -> bool {
    ["limits", "requests"].into_iter().any(|which| {
        let amounts = resources::amounts(&container.get("resources").get(which));
        amounts
            .iter()
            .any(|(name, amount)| resources::is_huge_page(name) && !is_divisible(name, amount))
    })
}

/// A resource by its name alone, or with the domain of who brings it. Tells whether it is well formed.
pub fn resource_name(place: &Field<'_>, name: &str, out: &mut Findings) -> bool {
    let texts = names::qualified_name(name);
    let well_formed = texts.is_empty();
    out.extend(texts.into_iter().map(|text| place.invalid_value(name, text)));
    if well_formed && !name.contains('/') && !resources::is_standard(name) {
        out.push(place.invalid_value(name, "must be a standard resource type or fully qualified"));
        return false;
    }
    well_formed
}

/// A resource that a container may ask for.
pub fn container_name(place: &Field<'_>, name: &str, out: &mut Findings) {
    resource_name(place, name, out);
    if !name.contains('/') {
        if !resources::is_standard_for_container(name) {
            out.push(place.invalid_value(name, "must be a standard resource for containers"));
        }
    } else if !resources::is_native(name) && !resources::is_extended(name) {
        out.push(place.invalid_value(name, "doesn't follow extended resource name standard"));
    }
}

fn pod_name(place: &Field<'_>, name: &str, out: &mut Findings) {
    if resource_name(place, name, out) && !resources::is_for_pod(name) {
        out.push(place.not_supported_value(name, &["cpu", "hugepages-", "memory"]));
    }
}

/// What the pod asks for as a whole is enough for its containers.
fn fits_containers(spec: &Field<'_>, whole: &Field<'_>, out: &mut Findings) {
    for (name, sum) in resources::of_containers(spec, "requests") {
        let place = whole.get("requests").key(&name);
        if let Some(amount) = resources::quantity(&place).filter(|amount| sum > *amount) {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            out.push(place.invalid_value(amount.to_string(), detail));
        }
    }
    for (name, sum) in resources::of_containers(spec, "limits") {
        let place = whole.get("limits").key(&name);
        let amount = resources::quantity(&place).filter(|_| resources::is_huge_page(&name));
        if let Some(amount) = amount.filter(|amount| sum > *amount) {
            let detail = format!("must be greater than or equal to aggregate container limits of {sum}");
            out.push(place.invalid_value(amount.to_string(), detail));
        }
    }
    for (index, container) in spec.items("containers").enumerate() {
        for (name, limit) in resources::amounts(&container.get("resources").get("limits")) {
            let most = resources::quantity(&whole.get("limits").key(&name));
            if let Some(most) = most.filter(|most| limit > *most) {
                let place = whole.get("containers").index(index).key(&name).get("limits");
                let detail = format!("must be less than or equal to pod limits of {most}");
                out.push(place.invalid_value(limit.to_string(), detail));
            }
        }
    }
}

fn claim_names(claims: &Field<'_>, known: &BTreeSet<&str>, out: &mut Findings) {
    let mut seen: Vec<String> = Vec::new();
    for claim in claims.list() {
        let (name, request) = (claim.get("name").str(), claim.get("request"));
        if name.is_empty() {
            out.push(claim.required(""));
            continue;
        }
        if seen.iter().any(|seen| seen == name) {
            out.push(claim.duplicate_value(name));
        } else {
            let key = if request.is_empty() {
                name.to_owned()
            } else {
                format!("{name}/{}", request.str())
            };
            if !request.is_empty() {
                out.extend(
                    names::dns_label(request.str())
                        .into_iter()
                        .map(|text| request.invalid(text)),
                );
            }
            if seen.contains(&key) {
                out.push(claim.duplicate_value(key.as_str()));
            } else if request.is_empty() {
                let whole = seen
                    .iter()
                    .filter(|seen| seen.split_once('/').is_some_and(|(seen, _)| seen == name));
                out.extend(whole.map(|_| claim.duplicate_value(name)));
            }
            seen.push(key);
        }
        if !known.contains(name) {
            let mut finding = claim.not_found_value(name);
            finding.detail = "must be one of the names in pod.spec.resourceClaims".to_owned();
            finding.detail += &if known.is_empty() {
                " which is empty".to_owned()
            } else {
                format!(": {}", known.iter().copied().collect::<Vec<_>>().join(", "))
            };
            out.push(finding);
        }
    }
}
