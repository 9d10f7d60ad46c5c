//! PriorityLevelConfiguration (`pkg/registry/flowcontrol/prioritylevelconfiguration/strategy.go`,
//! `pkg/apis/flowcontrol/v1/defaults.go`).

use serde_json::{Value, json};

use crate::cursor::{Field, Findings};
use crate::edit::Edit;
use crate::rules::{GENERIC_RULES, Rules};
use crate::{columns, metadata, names, table};

/// The row of PriorityLevelConfiguration.
pub const RULES: Rules = Rules {
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "PriorityLevelConfiguration",
    name: names::dns_subdomain_name,
    default,
    prepare_create: |object| {
        object.set("status", json!({}));
        metadata::first_generation(object);
    },
    prepare_update: |new, old| {
        new.keep("status", old);
        metadata::bump_generation(new, old);
    },
    prepare_status: super::prepare_status,
    validate_create: validate,
    validate_update: |new, _| {
        let meta = Field::root(new).get("metadata");
        let mut out = metadata::create_of_kubernetes(&meta, false, names::dns_subdomain_name);
        out.extend(validate(new));
        out
    },
    validate_status: |new, _| super::validate_conditions(new),
    columns: columns::PRIORITY_LEVEL_CONFIGURATION,
    cells: |object, now| {
        let spec = Field::root(object).get("spec");
        let limited = spec.get("limited");
        let queuing = limited.get("limitResponse").get("queuing");
        let number = |holder: &Field<'_>, name: &'static str| match holder.exists() {
            true => holder.get(name).int().into(),
            false => Value::from("<none>"),
        };
        vec![
            table::name(object),
            spec.get("type").str().into(),
            number(&limited, "nominalConcurrencyShares"),
            number(&queuing, "queues"),
            number(&queuing, "handSize"),
            number(&queuing, "queueLengthLimit"),
            table::age(object, now),
        ]
    },
    ..GENERIC_RULES
};

fn default(object: &mut Value) {
    let spec = object.ensure("spec");
    if let Some(exempt) = spec.child("exempt") {
        exempt.default_to("nominalConcurrencyShares", 0);
        exempt.default_to("lendablePercent", 0);
    }
    let Some(limited) = spec.child("limited") else {
        return;
    };
    limited.default_to("nominalConcurrencyShares", 30);
    limited.default_to("lendablePercent", 0);
    if let Some(queuing) = limited.descend(&["limitResponse", "queuing"]) {
        queuing.default_zero("handSize", 8);
        queuing.default_zero("queues", 64);
        queuing.default_zero("queueLengthLimit", 50);
    }
}

const EXEMPT: &str = "exempt";
const PRESERVE_ZERO: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";
const QUEUES_MAX: i64 = 10_000_000;
/// How many bits of a hash upstream spreads requests over queues with.
const HASH_BITS: u32 = 60;

fn validate(object: &Value) -> Findings {
    let root = Field::root(object);
    let (meta, spec) = (root.get("metadata"), root.get("spec"));
    let (kind, exempt, limited) = (spec.get("type"), spec.get("exempt"), spec.get("limited"));
    let mut out = Vec::new();
    let annotations = meta.get("annotations");
    if annotations.key(PRESERVE_ZERO).exists() {
        out.push(annotations.forbidden(format!("annotation '{PRESERVE_ZERO}' is forbidden")));
    }
    if (meta.get("name").str() == EXEMPT) != (kind.str() == "Exempt") {
        out.push(kind.invalid_value(kind.str(), "must be 'Exempt' if and only if `name` is 'exempt'"));
    }
    match kind.str() {
        "Exempt" => {
            if limited.exists() {
                out.push(limited.forbidden("must be nil if the type is not Limited"));
            }
            shares(&exempt, &mut out);
            lendable(&exempt, &mut out);
        }
        "Limited" => {
            if exempt.exists() {
                out.push(exempt.forbidden("must be nil if the type is Limited"));
            }
            if limited.exists() {
                validate_limited(&limited, &mut out);
            } else {
                out.push(limited.required("must not be empty when type is Limited"));
            }
        }
        other => out.push(kind.not_supported_value(other, &["Exempt", "Limited"])),
    }
    out.extend(super::validate_conditions(object));
    out
}

fn shares(level: &Field<'_>, out: &mut Findings) {
    let shares = level.get("nominalConcurrencyShares");
    if shares.int() < 0 {
        out.push(shares.invalid("must be a non-negative integer"));
    }
}

fn lendable(level: &Field<'_>, out: &mut Findings) {
    let percent = level.get("lendablePercent");
    if !(0..=100).contains(&percent.int()) {
        out.push(percent.invalid("must be between 0 and 100, inclusive"));
    }
}

fn validate_limited(limited: &Field<'_>, out: &mut Findings) {
    shares(limited, out);
    let response = limited.get("limitResponse");
    let (kind, queuing) = (response.get("type"), response.get("queuing"));
    match kind.str() {
        "Reject" if queuing.exists() => {
            out.push(queuing.forbidden("must be nil if limited.limitResponse.type is not Limited"));
        }
        "Reject" => {}
        "Queue" if queuing.exists() => validate_queuing(&queuing, out),
        "Queue" => out.push(queuing.required("must not be empty if limited.limitResponse.type is Limited")),
        other => out.push(kind.not_supported_value(other, &["Queue", "Reject"])),
    }
    lendable(limited, out);
    let borrowing = limited.get("borrowingLimitPercent");
    if borrowing.int() < 0 {
        out.push(borrowing.invalid("if specified, must be a non-negative integer"));
    }
}

fn validate_queuing(queuing: &Field<'_>, out: &mut Findings) {
    let (length, queues, hand) = (
        queuing.get("queueLengthLimit"),
        queuing.get("queues"),
        queuing.get("handSize"),
    );
    if length.int() <= 0 {
        out.push(length.invalid("must be positive"));
    }
    if queues.int() <= 0 {
        out.push(queues.invalid("must be positive"));
    } else if queues.int() > QUEUES_MAX {
        out.push(queues.invalid(format!("must not be greater than {QUEUES_MAX}")));
    }
    if hand.int() <= 0 {
        out.push(hand.invalid("must be positive"));
    } else if hand.int() > queues.int() {
        out.push(hand.invalid(format!("should not be greater than queues ({})", queues.int())));
    } else if entropy_bits(queues.int(), hand.int()) > HASH_BITS {
        out.push(hand.invalid(format!(
            "required entropy bits of deckSize {} and handSize {} should not be greater than {HASH_BITS}",
            queues.int(),
            hand.int()
        )));
    }
}

/// The bits it takes to deal a hand from a deck (`apiserver/pkg/util/shufflesharding RequiredEntropyBits`), not counted
/// far above what there is.
fn entropy_bits(deck: i64, hand: i64) -> u32 {
    let deck = i32::try_from(deck).unwrap_or(i32::MAX);
    let hand = i32::try_from(hand).unwrap_or(i32::MAX);
    let bits = f64::from(deck).log2() * f64::from(hand);
    (0..=HASH_BITS)
        .find(|whole| f64::from(*whole) >= bits)
        .unwrap_or(HASH_BITS + 1)
}
