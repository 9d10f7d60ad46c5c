//! ResourceQuotas: a write is charged before it happens (`apiserver/pkg/admission/plugin/resourcequota`).
//!
//! The charge is a write of the quota's status at the revision that was looked at, so that two writers never spend the
//! same rest. What a failed write has been charged, and what deletions set free, the quota's controller corrects.

use deploy_cluster_kinds::quantity::Quantity;
use serde_json::{Map, Value};

use super::pod_resources::{Amounts, add, amounts};
use super::world::{NotCharged, World};
use super::{AdmissionRequest, Operation, text};
use crate::limits;
use crate::status::StatusError;
use usage::Evaluator;

pub mod scopes;
pub mod usage;

/// Charges a write to the quotas of its namespace that count it. An error means that it does not fit, and is charged
/// nowhere, or that the storage does not take the charge.
pub(super) async fn charge(world: &dyn World, request: &AdmissionRequest<'_>) -> Result<(), StatusError> {
    let Some(evaluator) = Evaluator::of(request) else {
        return Ok(());
    };
    // The quotas that are still to be charged; None for all of the namespace.
    let mut left: Option<Vec<String>> = None;
    for _ in 0..limits::QUOTA_CHARGES {
        let quotas = world.objects().list("/resourcequotas", request.namespace);
        let name = |quota: &Value| text(&quota["metadata"]["name"]).to_owned();
        let quotas: Vec<Value> = quotas
            .into_iter()
            .filter(|quota| left.as_ref().is_none_or(|left| left.contains(&name(quota))))
            .collect();
        let charged = check(&quotas, &evaluator, request)?;
        if request.dry_run || charged.is_empty() {
            return Ok(());
        }
        let mut again = Vec::new();
        for quota in charged {
            let name = name(&quota);
            match world.charge(quota).await {
                Ok(()) => {}
                Err(NotCharged::Changed) => again.push(name),
                Err(NotCharged::Failed(why)) => return Err(StatusError::internal(&why)),
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        left = Some(again);
    }
    Err(StatusError::internal("resource quota evaluation timed out"))
}

/// The quotas as they are after the write, those that it changes; an error where it does not fit into one.
fn check(
    quotas: &[Value],
    evaluator: &Evaluator,
    request: &AdmissionRequest<'_>,
) -> Result<Vec<Value>, StatusError> {
    let object = &*request.object;
    let matching: Vec<&Value> = quotas
        .iter()
        .filter(|quota| evaluator.matches(quota, object))
        .collect();
    for quota in &matching {
        let hard = amounts(&quota["status"]["hard"]);
        let counted: Vec<&String> = hard.keys().filter(|name| evaluator.counts(name)).collect();
        let quota_name = text(&quota["metadata"]["name"]);
        if let Some(why) = evaluator.missing(&counted, object) {
            return Err(request.forbidden(&format!("failed quota: {quota_name}: {why}")));
        }
        let used = amounts(&quota["status"]["used"]);
        if counted.iter().any(|name| !used.contains_key(*name)) {
            let names: Vec<&str> = counted.iter().map(|name| name.as_str()).collect();
            let why = format!(
                "status unknown for quota: {quota_name}, resources: {}",
                names.join(",")
            );
            return Err(request.forbidden(&why));
        }
    }
    let usage = evaluator.usage(object);
    let negative: Vec<&str> = usage
        .iter()
        .filter(|(_, amount)| amount.sign() < 0)
        .map(|(name, _)| name.as_str())
        .collect();
    if !negative.is_empty() {
        let why = format!("quota usage is negative for resource(s): {}", negative.join(","));
        return Err(request.forbidden(&why));
    }
    let mut charged = Vec::new();
    for quota in matching {
        let before = request
            .old_object
            .filter(|old| request.operation == Operation::Update && evaluator.matches(quota, old));
        let mut delta = match before {
            Some(old) => grown(&usage, &evaluator.usage(old)),
            None => usage.clone(),
        };
        delta.retain(|_, amount| !amount.is_zero());
        if !delta.is_empty() {
            charged.extend(spend(quota, delta, request)?);
        }
    }
    Ok(charged)
}

/// The quota with more used, `None` where it counts none of it.
fn spend(
    quota: &Value,
    mut delta: Amounts,
    request: &AdmissionRequest<'_>,
) -> Result<Option<Value>, StatusError> {
    let hard = amounts(&quota["status"]["hard"]);
    delta.retain(|name, _| hard.contains_key(name));
    if delta.is_empty() {
        return Ok(None);
    }
    let before = amounts(&quota["status"]["used"]);
    let mut used = before.clone();
    add(&mut used, &delta);
    let exceeded: Vec<&String> = delta.keys().filter(|name| used[*name] > hard[*name]).collect();
    if !exceeded.is_empty() && request.subresource != "status" {
        let print = |list: &Amounts| {
            let part = |name: &&String| list.get(name.as_str()).map(|amount| format!("{name}={amount}"));
            exceeded.iter().filter_map(part).collect::<Vec<_>>().join(",")
        };
        return Err(request.forbidden(&format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            text(&quota["metadata"]["name"]),
            print(&delta),
            print(&before),
            print(&hard)
        )));
    }
    let mut quota = quota.clone();
    quota["status"]["used"] = list_value(&used);
    Ok(Some(quota))
}

/// What is used more than before, never less than nothing (`quota.SubtractWithNonNegativeResult`).
fn grown(now: &Amounts, before: &Amounts) -> Amounts {
    let difference = now.iter().map(|(name, amount)| {
        let mut amount = amount.clone();
        if let Some(before) = before.get(name) {
            amount.sub(before);
        }
        let amount = if amount.sign() < 0 { Quantity::ZERO } else { amount };
        (name.clone(), amount)
    });
    difference.collect()
}

/// Amounts as objects carry them.
pub fn list_value(amounts: &Amounts) -> Value {
    let list = amounts
        .iter()
        .map(|(name, amount)| (name.clone(), Value::from(amount.to_string())));
    Value::Object(list.collect::<Map<_, _>>())
}
