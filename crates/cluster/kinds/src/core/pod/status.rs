//! What a status update may say (`pkg/apis/core/validation ValidatePodStatusUpdate`).

use super::{Options, annotations};
use crate::cursor::{Field, Findings};
use crate::metadata::IMMUTABLE;
use crate::{ip, names};

/// What is wrong with a status update, metadata's changes aside.
pub fn validate(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let options = Options::for_update(old, true);
    let mut out = Vec::new();
    let (meta, old_meta) = (
        new.get("metadata").get("annotations"),
        old.get("metadata").get("annotations"),
    );
    annotations::validate_update(&meta, &old_meta, &new.get("spec"), &options, &mut out);
    let (status, old_status) = (new.get("status"), old.get("status"));
    conditions(&status.get("conditions"), &mut out);
    nominated_node(&status, &old_status, &mut out);
    generation(&status.get("observedGeneration"), &mut out);
    let class = status.get("qosClass");
    if class.str() != old_status.get("qosClass").str() {
        out.push(class.invalid(IMMUTABLE));
    }
    for (list, ephemeral) in [
        ("containerStatuses", false),
        ("initContainerStatuses", false),
        ("ephemeralContainerStatuses", true),
    ] {
        let spec = (!ephemeral).then(|| old.get("spec"));
        restarts(&status.get(list), &old_status.get(list), spec.as_ref(), &mut out);
    }
    claim_statuses(&status.get("resourceClaimStatuses"), &new.get("spec"), &mut out);
    addresses(&status.get("podIPs"), &old_status.get("podIPs"), &mut out);
    let hosts = status.get("hostIPs");
    let first = hosts.index(0).get("ip");
    if !hosts.is_empty() && status.get("hostIP").str() != first.str() {
        out.push(first.invalid("must be equal to `hostIP`"));
    }
    addresses(&hosts, &old_status.get("hostIPs"), &mut out);
    for list in [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ] {
        users(&status.get(list), &new.get("spec").get("os"), &mut out);
    }
    out
}

fn generation(generation: &Field<'_>, out: &mut Findings) {
    if generation.int() < 0 {
        out.push(generation.invalid("must be a non-negative integer"));
    }
}

fn conditions(conditions: &Field<'_>, out: &mut Findings) {
    for condition in conditions.list() {
        generation(&condition.get("observedGeneration"), out);
        let kind = condition.get("type").str();
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            let place = condition.get("Type");
            out.extend(
                names::qualified_name(kind)
                    .into_iter()
                    .map(|text| place.invalid_value(kind, text)),
            );
        }
    }
}

fn nominated_node(status: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    let node = status.get("nominatedNodeName");
    if !node.is_empty() && node.str() != old.get("nominatedNodeName").str() {
        out.extend(
            names::dns_subdomain(node.str())
                .into_iter()
                .map(|text| node.invalid(text)),
        );
    }
}

/// A container that has ended runs again only if its pod's restart policy says so; an ephemeral one (`spec` is `None`)
/// never.
fn restarts(new: &Field<'_>, old: &Field<'_>, spec: Option<&Field<'_>>, out: &mut Findings) {
    let policy = spec.map_or("Never", |spec| spec.get("restartPolicy").str());
    if policy == "Always" {
        return;
    }
    for (index, before) in old.list().enumerate() {
        let (name, end) = (before.get("name").str(), before.get("state").get("terminated"));
        let sidecar = spec.is_some_and(|spec| {
            spec.items("initContainers")
                .any(|c| c.get("name").str() == name && c.get("restartPolicy").str() == "Always")
        });
        if !end.exists() || sidecar || (policy == "OnFailure" && end.get("exitCode").int() != 0) {
            continue;
        }
        for _ in new
            .list()
            .filter(|new| new.get("name").str() == name && !new.get("state").get("terminated").exists())
        {
            out.push(
                new.index(index)
                    .get("state")
                    .forbidden("may not be transitioned to non-terminated state"),
            );
        }
    }
}

fn claim_statuses(statuses: &Field<'_>, spec: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for status in statuses.list() {
        let name = status.get("name");
        if !spec
            .items("resourceClaims")
            .any(|claim| claim.get("name").str() == name.str())
        {
            out.push(name.invalid("must match the name of an entry in `spec.resourceClaims`"));
        }
        if seen.contains(&name.str()) {
            out.push(name.duplicate());
        } else {
            seen.push(name.str());
        }
        if let Some(claim) = status.get("resourceClaimName").opt_str() {
            let texts = names::dns_subdomain_name(claim, false);
            out.extend(texts.into_iter().map(|text| name.invalid_value(claim, text)));
        }
    }
}

/// At most one address of each family; those that were there before are not looked at.
fn addresses(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    for item in new.list() {
        let address = item.get("ip").str();
        if !old.list().any(|old| old.get("ip").str() == address) {
            ip::validate_legacy(&item, address, out);
        }
    }
    let all: Vec<&str> = new.list().map(|item| item.get("ip").str()).collect();
    let fits = match all[..] {
        [] | [_] => true,
        [first, second] => ip::is_dual_stack(first, second),
        _ => false,
    };
    let unreadable = all.iter().enumerate().find(|(_, text)| ip::parse(text).is_none());
    if let Some((index, text)) = unreadable.filter(|_| all.len() > 1) {
        let error = format!("failed to check for dual stack with error:invalid IP[{index}]: {text}");
        out.push(new.internal(error));
    }
    if !fits {
        // Upstream's internal type has no names for JSON.
        let shown: Vec<String> = all
            .iter()
            .map(|address| format!("{{\"IP\":{}}}", serde_json::Value::from(*address)))
            .collect();
        let detail = "may specify no more than one IP for each IP family";
        out.push(new.invalid_shown(format!("[{}]", shown.join(",")), detail));
    }
}

fn users(statuses: &Field<'_>, os: &Field<'_>, out: &mut Findings) {
    for status in statuses.list() {
        let linux = status.get("user").get("linux");
        if os.get("name").str() == "windows" {
            if linux.exists() {
                out.push(linux.forbidden("cannot be set for a windows pod"));
            }
            continue;
        }
        let ids = [linux.get("uid"), linux.get("gid")]
            .into_iter()
            .chain(linux.items("supplementalGroups"));
        for id in ids {
            out.extend(
                names::user_id(id.int())
                    .into_iter()
                    .map(|text| id.invalid_value(id.int(), text)),
            );
        }
    }
}
