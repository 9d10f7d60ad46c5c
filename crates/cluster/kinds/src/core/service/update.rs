//! Updates of Services (`pkg/apis/core/validation ValidateServiceUpdate`, `ValidateLoadBalancerStatus`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::{check, ip, names};

use super::{is_headless, needs_health_check, validate};

const ONCE: &str = "may not change once set";

/// What is wrong with an update.
pub fn validate(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let mut out = Vec::new();
    addresses(&spec, &old_spec, &mut out);
    families(&spec, &old_spec, &mut out);
    let is_balanced = |spec: &Field<'_>| spec.get("type").str() == "LoadBalancer";
    let (class, old_class) = (spec.get("loadBalancerClass"), old_spec.get("loadBalancerClass"));
    if is_balanced(&spec) && is_balanced(&old_spec) && !class.same(&old_class) {
        let shown = class.opt_str().unwrap_or("null");
        out.push(class.invalid_value(shown, ONCE));
    }
    validate::load_balancer_class(&spec, &mut out);
    let port = spec.get("healthCheckNodePort");
    let both = needs_health_check(&spec) && needs_health_check(&old_spec);
    if both && port.int() != old_spec.get("healthCheckNodePort").int() {
        out.push(port.forbidden("field is immutable"));
    }
    out.extend(validate::service(&new, Some(&old)));
    out
}

/// Whether the rules for changes of addresses hold: not for services without any.
fn has_none(spec: &Field<'_>) -> bool {
    spec.get("type").str() == "ExternalName"
}

/// A place with the list that is shown there, `null` where there is none.
fn shown<'a>(place: &Field<'a>, list: &Field<'a>, detail: &str) -> crate::field::Finding {
    match list.value() {
        Some(value) => place.invalid_value(value.clone(), detail),
        None => place.invalid_shown("null".to_owned(), detail),
    }
}

fn addresses(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    if has_none(new) || has_none(old) || (is_headless(new) && is_headless(old)) {
        return;
    }
    let (all, old_all) = (new.get("clusterIPs"), old.get("clusterIPs"));
    let first_changed = all.index(0).str() != old_all.index(0).str();
    if all.len() == old_all.len() {
        for (place, old) in all.list().zip(old_all.strings()) {
            if place.str() != old {
                out.push(shown(&place, &all, ONCE));
            }
        }
    } else if old_all.len() > all.len() {
        if all.is_empty() {
            out.push(shown(&all.index(0), &all, "primary clusterIP can not be unset"));
        } else if first_changed {
            out.push(shown(&all.index(0), &all, ONCE));
        }
        released(new, all.len() == 1, "clusterIP", out);
    } else if !old_all.is_empty() && first_changed {
        out.push(shown(&all.index(0), &all, ONCE));
    }
}

fn families(new: &Field<'_>, old: &Field<'_>, out: &mut Findings) {
    if has_none(new) || has_none(old) || is_headless(new) || is_headless(old) {
        return;
    }
    let (all, old_all, addresses) = (
        new.get("ipFamilies"),
        old.get("ipFamilies"),
        new.get("clusterIPs"),
    );
    let first = all.index(0);
    let first_changed = first.str() != old_all.index(0).str();
    if all.len() == old_all.len() {
        let changed = all
            .strings()
            .zip(old_all.strings())
            .filter(|(new, old)| new != old)
            .count();
        out.extend(std::iter::repeat_with(|| shown(&first, &all, ONCE)).take(changed));
    } else if old_all.len() > all.len() {
        if addresses.is_empty() {
            out.push(shown(&first, &all, "primary ipFamily can not be unset"));
        }
        if !all.is_empty() && first_changed {
            out.push(shown(&first, &addresses, ONCE));
        }
        released(new, all.len() == 1, "ipFamily", out);
    } else if !old_all.is_empty() && first_changed {
        out.push(shown(&first, &addresses, ONCE));
    }
}

fn released(spec: &Field<'_>, is_single: bool, what: &str, out: &mut Findings) {
    let policy = spec.get("ipFamilyPolicy");
    if is_single && policy.str() != "SingleStack" {
        let detail = format!("must be set to 'SingleStack' when releasing the secondary {what}");
        out.push(policy.invalid_value(policy.opt_str().unwrap_or("null"), detail));
    }
}

/// What is wrong with an update of the status.
pub fn validate_status(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old));
    let mut out = Vec::new();
    let ingress = new.get("status").get("loadBalancer").get("ingress");
    if new.get("spec").get("type").str() != "LoadBalancer" && !ingress.is_empty() {
        out.push(ingress.forbidden("may only be used when `spec.type` is 'LoadBalancer'"));
        return out;
    }
    let known: Vec<&str> = old
        .get("status")
        .get("loadBalancer")
        .items("ingress")
        .map(|ingress| ingress.get("ip").str())
        .collect();
    for ingress in ingress.list() {
        let (address, mode) = (ingress.get("ip"), ingress.get("ipMode"));
        if !address.is_empty() && !known.contains(&address.str()) {
            ip::validate_legacy(&address, address.str(), &mut out);
        }
        match (mode.exists(), address.is_empty()) {
            (false, false) => out.push(mode.required("must be specified when `ip` is set")),
            (true, true) => out.push(mode.forbidden("may not be specified when `ip` is not set")),
            _ => check::one_of(&mode, &["Proxy", "VIP"], &mut out),
        }
        host_name(&ingress.get("hostname"), &mut out);
    }
    out
}

/// The name of a load balancer, which is no address.
pub fn host_name(name: &Field<'_>, out: &mut Findings) {
    if name.is_empty() {
        return;
    }
    check::invalid(name, names::dns_subdomain(name.str()), out);
    if ip::parse(name.str()).is_some() {
        out.push(name.invalid("must be a DNS name, not an IP address"));
    }
}
