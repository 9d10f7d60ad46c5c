//! The fields of a Service about address families, in a cluster that has one: IPv4
//! (`alloc.go initIPFamilyFields`, with its texts).

use std::net::IpAddr;

use deploy_cluster_kinds::core::service::check_addresses;
use deploy_cluster_kinds::field::{Finding, FindingKind};
use serde_json::{Value, json};

use super::service::{kind_of, list, texts};
use crate::status::{About, StatusError};

const FAMILY: &str = "IPv4";

/// Fills in `ipFamilyPolicy` and `ipFamilies`, or says why what is there cannot be had.
pub(super) fn fill_in(new: &mut Value, old: Option<&Value>) -> Result<(), StatusError> {
    if kind_of(new) == "ExternalName" || old.is_some_and(|old| stays_prefer_dual(new, old)) {
        return Ok(());
    }
    let headless_without_selector = new["spec"]["clusterIP"] == "None" && is_empty(&new["spec"]["selector"]);
    if new["spec"]["ipFamilyPolicy"].is_null() {
        let before = old
            .map(|old| &old["spec"]["ipFamilyPolicy"])
            .filter(|policy| !policy.is_null());
        new["spec"]["ipFamilyPolicy"] = match before {
            Some(policy) => policy.clone(),
            None if headless_without_selector => "RequireDualStack".into(),
            None => "SingleStack".into(),
        };
    }
    refuse(new, &check_addresses(new, old))?;
    let mut findings = Vec::new();
    if let Some(old) = old {
        drop_second(new, old, &mut findings);
    }
    check_single(new, &mut findings);
    infer_families(new, &mut findings);
    refuse(new, &findings)?;
    if headless_without_selector {
        let mut families = texts(&new["spec"]["ipFamilies"]);
        if families.is_empty() {
            families.push(FAMILY.to_owned());
        }
        if families.len() < 2 && !is_single(new) {
            families.push(if families[0] == FAMILY { "IPv6" } else { FAMILY }.to_owned());
        }
        new["spec"]["ipFamilies"] = json!(families);
        return Ok(());
    }
    if new["spec"]["ipFamilyPolicy"] == "RequireDualStack" {
        findings.push(policy(
            new,
            "this cluster is not configured for dual-stack services",
        ));
    }
    for (place, family) in texts(&new["spec"]["ipFamilies"]).into_iter().enumerate() {
        if family != FAMILY {
            let path = format!("spec.ipFamilies[{place}]");
            findings.push(invalid(
                path,
                family.into(),
                "not configured on this cluster".to_owned(),
            ));
        }
    }
    refuse(new, &findings)?;
    if list(&new["spec"]["ipFamilies"]).is_empty() {
        new["spec"]["ipFamilies"] = json!([FAMILY]);
    }
    Ok(())
}

/// Whether a service that prefers two families is left as it is.
pub(super) fn stays_prefer_dual(new: &Value, old: &Value) -> bool {
    let same = |field: &str| new["spec"][field] == old["spec"][field];
    new["spec"]["ipFamilyPolicy"] == "PreferDualStack"
        && ["ipFamilyPolicy", "clusterIPs", "ipFamilies"]
            .iter()
            .all(|field| same(field))
        && !list(&new["spec"]["clusterIPs"]).is_empty()
        && !list(&new["spec"]["ipFamilies"]).is_empty()
}

/// Going from two families to one.
fn drop_second(new: &mut Value, old: &Value, findings: &mut Vec<Finding>) {
    for (field, what) in [
        ("clusterIPs", "secondary cluster IP"),
        ("ipFamilies", "secondary IP family"),
    ] {
        let (now, before) = (list(&new["spec"][field]), list(&old["spec"][field]));
        if is_single(new) {
            if now == before && now.len() > 1 {
                new["spec"][field] = Value::from(&now[..1]);
            }
        } else if before.len() == 2 && now.len() == 1 && now[0] == before[0] {
            findings.push(policy(
                new,
                &format!("must be 'SingleStack' to release the {what}"),
            ));
        }
    }
}

fn check_single(new: &Value, findings: &mut Vec<Finding>) {
    for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if is_single(new) && list(&new["spec"][field]).len() == 2 {
            let detail =
                format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
            findings.push(policy(new, &detail));
        }
    }
}

/// Addresses say which families are meant. Texts that are no addresses are left to validation.
fn infer_families(new: &mut Value, findings: &mut Vec<Finding>) {
    let addresses = texts(&new["spec"]["clusterIPs"]);
    let mut families = texts(&new["spec"]["ipFamilies"]);
    for (place, address) in addresses
        .iter()
        .enumerate()
        .take_while(|(_, address)| *address != "None")
    {
        let Ok(address) = address.parse::<IpAddr>() else {
            break;
        };
        if place < families.len() {
            continue;
        }
        if address.is_ipv6() {
            let detail = "IPv6 is not configured on this cluster".to_owned();
            findings.push(invalid(
                format!("spec.clusterIPs[{place}]"),
                json!(addresses),
                detail,
            ));
        } else {
            families.push(FAMILY.to_owned());
        }
    }
    if !families.is_empty() {
        new["spec"]["ipFamilies"] = json!(families);
    }
}

fn is_single(service: &Value) -> bool {
    service["spec"]["ipFamilyPolicy"] == "SingleStack"
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(serde_json::Map::is_empty)
}

fn policy(service: &Value, detail: &str) -> Finding {
    invalid(
        "spec.ipFamilyPolicy".to_owned(),
        service["spec"]["ipFamilyPolicy"].clone(),
        detail.to_owned(),
    )
}

pub(super) fn invalid(path: String, value: Value, detail: String) -> Finding {
    Finding {
        kind: FindingKind::Invalid,
        path,
        value: Some(value),
        shown: None,
        detail,
    }
}

pub(super) fn refuse(service: &Value, findings: &[Finding]) -> Result<(), StatusError> {
    if findings.is_empty() {
        return Ok(());
    }
    let name = service["metadata"]["name"].as_str().unwrap_or_default();
    Err(StatusError::invalid(About::new("", "Service"), name, findings))
}
