//! NetworkPolicy (`pkg/registry/networking/networkpolicy/strategy.go`, `pkg/apis/networking/validation
//! ValidateNetworkPolicy`).

use serde_json::{Value, json};

use crate::cidr::{self, Cidr};
use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::labels::validate_selector;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{check, columns, metadata, names, selector, table};

/// The row of NetworkPolicy.
pub const RULES: Rules = Rules {
    group: "networking.k8s.io",
    version: "v1",
    kind: "NetworkPolicy",
    name: names::dns_subdomain_name,
    default,
    prepare_create: metadata::first_generation,
    prepare_update: metadata::bump_generation,
    validate_create: |object| {
        let mut out = Vec::new();
        validate_spec(&Field::root(object).get("spec"), &Options::default(), &mut out);
        out
    },
    validate_update,
    warnings,
    update_warnings: |new, _| warnings(new),
    columns: columns::NETWORK_POLICY,
    cells: |object, now| {
        let shown = selector::shown(Field::root(object).get("spec").get("podSelector").value());
        vec![table::name(object), shown.into(), table::age(object, now)]
    },
    ..GENERIC_RULES
};

/// Rules of traffic, and where the peers of each stand.
const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    spec.ensure("podSelector");
    let has_egress = !Field::root(spec).get("egress").is_empty();
    let types = if has_egress {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    spec.default_zero("policyTypes", types);
    for (direction, _) in DIRECTIONS {
        for rule in spec.each(direction) {
            for port in rule.each("ports") {
                port.default_to("protocol", "TCP");
            }
        }
    }
}

/// What an object that is there already may keep.
#[derive(Default)]
struct Options<'a> {
    invalid_selector_values: bool,
    ranges: Vec<&'a str>,
}

/// Upstream checks the spec twice.
fn validate_update(new: &Value, old: &Value) -> Findings {
    let (new, old) = (Field::root(new), Field::root(old).get("spec"));
    let mut found = Vec::new();
    validate_selector(&old.get("podSelector"), false, &mut found);
    let mut options = Options {
        invalid_selector_values: !found.is_empty(),
        ranges: Vec::new(),
    };
    let spec = new.get("spec");
    let mut out = metadata::create_of_kubernetes(&new.get("metadata"), true, names::dns_subdomain_name);
    validate_spec(&spec, &options, &mut out);
    for peer in peers(&old) {
        let block = peer.get("ipBlock");
        options.ranges.push(block.get("cidr").str());
        options.ranges.extend(block.get("except").strings());
    }
    validate_spec(&spec, &options, &mut out);
    out
}

fn peers<'a>(spec: &Field<'a>) -> Vec<Field<'a>> {
    let of = |(direction, peers): (&'static str, &'static str)| {
        let rules: Vec<Field<'a>> = spec.items(direction).collect();
        rules.into_iter().flat_map(move |rule| rule.items(peers))
    };
    DIRECTIONS.into_iter().flat_map(of).collect()
}

fn validate_spec(spec: &Field<'_>, options: &Options<'_>, out: &mut Findings) {
    validate_selector(&spec.get("podSelector"), options.invalid_selector_values, out);
    for (direction, peers) in DIRECTIONS {
        for rule in spec.items(direction) {
            rule.items("ports").for_each(|port| validate_port(&port, out));
            rule.items(peers)
                .for_each(|peer| validate_peer(&peer, options, out));
        }
    }
    let types = spec.get("policyTypes");
    if types.len() > DIRECTIONS.len() {
        out.push(types.invalid("may not specify more than two policyTypes"));
        return;
    }
    types
        .list()
        .for_each(|kind| check::one_of(&kind, &["Ingress", "Egress"], out));
}

fn validate_port(item: &Field<'_>, out: &mut Findings) {
    check::one_of(&item.get("protocol"), &["TCP", "UDP", "SCTP"], out);
    let (port, end) = (item.get("port"), item.get("endPort"));
    match port.value() {
        None if end.exists() => out.push(end.invalid("may not be specified when `port` is not specified")),
        None => {}
        Some(Value::String(name)) => {
            if end.exists() {
                out.push(end.invalid("may not be specified when `port` is non-numeric"));
            }
            check::invalid(&port, names::port_name(name), out);
        }
        Some(_) => {
            check::invalid(&port, names::port_number(port.int()), out);
            if end.exists() && end.int() < port.int() {
                out.push(end.invalid_value(port.int(), "must be greater than or equal to `port`"));
            }
            if end.exists() {
                check::invalid(&end, names::port_number(end.int()), out);
            }
        }
    }
}

fn validate_peer(peer: &Field<'_>, options: &Options<'_>, out: &mut Findings) {
    let (pods, namespaces, block) = (
        peer.get("podSelector"),
        peer.get("namespaceSelector"),
        peer.get("ipBlock"),
    );
    for selector in [&pods, &namespaces] {
        validate_selector(selector, options.invalid_selector_values, out);
    }
    let selects = pods.exists() || namespaces.exists();
    if block.exists() {
        validate_block(&block, options, out);
        if selects {
            out.push(peer.forbidden("may not specify both ipBlock and another peer"));
        }
    } else if !selects {
        out.push(peer.required("must specify a peer"));
    }
}

fn validate_block(block: &Field<'_>, options: &Options<'_>, out: &mut Findings) {
    let whole = block.get("cidr");
    if whole.is_empty() {
        out.push(whole.required(""));
        return;
    }
    let check = |range: &Field<'_>, out: &mut Findings| {
        if !options.ranges.contains(&range.str()) {
            cidr::validate_legacy(range, range.str(), out);
        }
        Cidr::parse(range.str())
    };
    let Some(outer) = check(&whole, out) else { return };
    for except in block.items("except") {
        let inner = check(&except, out);
        if inner.is_some_and(|inner| !outer.strictly_contains(&inner)) {
            out.push(except.invalid("must be a strict subset of `cidr`"));
        }
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for peer in peers(&Field::root(object).get("spec")) {
        let block = peer.get("ipBlock");
        let (whole, except) = (block.get("cidr"), block.get("except"));
        out.extend(cidr::warnings(&whole.path(), whole.str()));
        for range in except.list() {
            out.extend(cidr::warnings(&range.path(), range.str()));
        }
    }
    out
}
