//! The spec of a Job, which a CronJob's template has too (`pkg/apis/batch/validation validateJobSpec`).

use crate::core::pod::{Options, spec as pod_spec};
use crate::cursor::{Field, Findings};
use crate::field::{Finding, FindingKind, go_quote};
use crate::limits::{
    FAILED_INDEXES_MAX, JOB_COMPLETIONS_SOFT_MAX, JOB_HIGH_COMPLETIONS_MAX, JOB_PARALLELISM_MAX,
    POLICY_RULES_MAX, SUCCEEDED_INDEXES_MAX,
};
use crate::metadata::non_negative;
use crate::names;

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];

/// Checks the spec without its selector.
pub fn validate(spec: &Field<'_>, options: &Options, out: &mut Findings) {
    for name in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        non_negative(&spec.get(name), out);
    }
    let per_index = spec.get("backoffLimitPerIndex");
    if spec.get("maxFailedIndexes").exists() && !per_index.exists() {
        out.push(per_index.required("when maxFailedIndexes is specified"));
    }
    managed_by(&spec.get("managedBy"), out);
    completion_mode(spec, out);
    failure_policy(spec, out);
    success_policy(spec, out);
    let (replacement, has_policy) = (
        spec.get("podReplacementPolicy"),
        spec.get("podFailurePolicy").exists(),
    );
    let allowed: &[&str] = if has_policy {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    if replacement.exists() && !allowed.contains(&replacement.str()) {
        out.push(replacement.not_supported(allowed));
    }
    pod_spec::validate_template(&spec.get("template"), options, out);
    let restart = spec.get("template").get("spec").get("restartPolicy");
    match restart.str() {
        "Always" | "" => out.push(restart.required("valid values: \"OnFailure\", \"Never\"")),
        "OnFailure" if has_policy => {
            out.push(restart.invalid("only \"Never\" is supported when podFailurePolicy is specified"));
        }
        "OnFailure" | "Never" => {}
        _ => out.push(restart.not_supported(&["OnFailure", "Never"])),
    }
}

fn managed_by(manager: &Field<'_>, out: &mut Findings) {
    let Some(name) = manager.opt_str() else { return };
    match name.split_once('/') {
        _ if name.is_empty() => out.push(manager.required("")),
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            out.extend(
                names::dns_subdomain(host)
                    .into_iter()
                    .map(|text| manager.invalid_value(host, text)),
            );
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
            if !path.bytes().all(allowed) {
                let text = names::pattern("Invalid path", r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", &[]);
                out.push(manager.invalid_value(path, text));
            }
        }
        _ => out.push(manager.invalid("must be a domain-prefixed path (such as \"acme.io/foo\")")),
    }
    if name.len() > 63 {
        out.push(manager.too_long(63));
    }
}

fn completion_mode(spec: &Field<'_>, out: &mut Findings) {
    let (mode, completions) = (spec.get("completionMode"), spec.get("completions"));
    let (parallelism, failed) = (spec.get("parallelism"), spec.get("maxFailedIndexes"));
    let per_index = spec.get("backoffLimitPerIndex");
    if mode.exists() && !matches!(mode.str(), "NonIndexed" | "Indexed") {
        out.push(mode.not_supported(&["NonIndexed", "Indexed"]));
    }
    if mode.str() == "Indexed" {
        if !completions.exists() {
            out.push(completions.required("when completion mode is Indexed"));
        }
        if parallelism.int() > JOB_PARALLELISM_MAX {
            out.push(parallelism.invalid(format!(
                "must be less than or equal to {JOB_PARALLELISM_MAX} when completion mode is Indexed"
            )));
        }
        if completions.exists() && failed.int() > completions.int() {
            out.push(failed.invalid("must be less than or equal to completions"));
        }
        if failed.int() > FAILED_INDEXES_MAX {
            out.push(failed.invalid(format!("must be less than or equal to {FAILED_INDEXES_MAX}")));
        }
        if completions.int() > JOB_COMPLETIONS_SOFT_MAX && per_index.exists() {
            if !failed.exists() {
                let detail =
                    format!("must be specified when completions is above {JOB_COMPLETIONS_SOFT_MAX}");
                out.push(failed.required(detail));
            }
            for field in [parallelism, failed]
                .iter()
                .filter(|field| field.int() > JOB_HIGH_COMPLETIONS_MAX)
            {
                out.push(field.invalid(format!(
                    "must be less than or equal to {JOB_HIGH_COMPLETIONS_MAX} when completions are above \
                     {JOB_COMPLETIONS_SOFT_MAX} and used with backoff limit per index"
                )));
            }
        }
    } else if !mode.exists() || mode.str() == "NonIndexed" {
        for field in [per_index, failed].iter().filter(|field| field.exists()) {
            out.push(field.invalid("requires indexed completion mode"));
        }
    }
}

fn too_many(list: &Field<'_>, max: usize, out: &mut Findings) {
    if list.len() > max {
        out.push(list.too_many(max));
    }
}

/// `valid values: ["a" "b"]`
fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| go_quote(value)).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

/// A finding that shows no value.
pub fn without_value(place: &Field<'_>, detail: impl Into<String>) -> Finding {
    place.finding(FindingKind::Invalid, None, detail)
}

fn failure_policy(spec: &Field<'_>, out: &mut Findings) {
    let rules = spec.get("podFailurePolicy").get("rules");
    too_many(&rules, POLICY_RULES_MAX, out);
    for rule in rules.list() {
        let action = rule.get("action");
        match action.str() {
            "" => out.push(action.required(valid_values(&ACTIONS))),
            "FailIndex" => {
                if !spec.get("backoffLimitPerIndex").exists() {
                    out.push(action.invalid("requires the backoffLimitPerIndex to be set"));
                }
            }
            name if ACTIONS.contains(&name) => {}
            _ => out.push(action.not_supported(&ACTIONS)),
        }
        let (codes, conditions) = (rule.get("onExitCodes"), rule.get("onPodConditions"));
        if codes.exists() {
            exit_codes(&codes, &spec.get("template").get("spec"), out);
        }
        pod_conditions(&conditions, out);
        match (codes.exists(), !conditions.is_empty()) {
            (true, true) => {
                out.push(without_value(
                    &rule,
                    "specifying both OnExitCodes and OnPodConditions is not supported",
                ));
            }
            (false, false) => {
                out.push(without_value(
                    &rule,
                    "specifying one of OnExitCodes and OnPodConditions is required",
                ));
            }
            _ => {}
        }
    }
}

fn pod_conditions(conditions: &Field<'_>, out: &mut Findings) {
    too_many(conditions, POLICY_RULES_MAX, out);
    for pattern in conditions.list() {
        let (kind, status) = (pattern.get("type"), pattern.get("status"));
        out.extend(
            names::qualified_name(kind.str())
                .into_iter()
                .map(|text| kind.invalid(text)),
        );
        match status.str() {
            "" => out.push(status.required(valid_values(&STATUSES))),
            text if STATUSES.contains(&text) => {}
            _ => out.push(status.not_supported(&STATUSES)),
        }
    }
}

fn exit_codes(codes: &Field<'_>, pod: &Field<'_>, out: &mut Findings) {
    let (operator, container, values) = (
        codes.get("operator"),
        codes.get("containerName"),
        codes.get("values"),
    );
    match operator.str() {
        "In" | "NotIn" => {}
        "" => out.push(operator.required(valid_values(&["In", "NotIn"]))),
        _ => out.push(operator.not_supported(&["In", "NotIn"])),
    }
    let known = pod.items("containers").chain(pod.items("initContainers"));
    let known = known.into_iter().any(|c| c.get("name").str() == container.str());
    if container.exists() && !known {
        let detail = "must be one of the container or initContainer names in the pod template";
        out.push(container.invalid(detail));
    }
    if values.is_empty() {
        // Decoding makes none of an empty list, which is what is more likely to have been written.
        out.push(values.invalid_shown("[]".to_owned(), "at least one value is required"));
    }
    too_many(&values, 255, out);
    let (mut seen, mut ordered) = (Vec::new(), true);
    for value in values.list() {
        let code = value.int();
        if operator.str() == "In" && code == 0 {
            out.push(value.invalid_value(code, "must not be 0 for the In operator"));
        }
        if seen.contains(&code) {
            out.push(value.duplicate_value(code));
        }
        ordered &= seen.last().is_none_or(|last| *last <= code);
        seen.push(code);
    }
    if !ordered {
        out.push(values.invalid("must be ordered"));
    }
}

fn success_policy(spec: &Field<'_>, out: &mut Findings) {
    let policy = spec.get("successPolicy");
    if !policy.exists() {
        return;
    }
    if spec.get("completionMode").str() != "Indexed" {
        let shown = crate::internal::shown("SuccessPolicy", policy.value());
        out.push(policy.invalid_shown(shown, "requires indexed completion mode"));
        return;
    }
    let rules = policy.get("rules");
    if rules.is_empty() {
        out.push(rules.required("at least one rules must be specified when the successPolicy is specified"));
    }
    too_many(&rules, POLICY_RULES_MAX, out);
    let completions = spec.get("completions").int();
    for rule in rules.list() {
        let (count, indexes) = (rule.get("succeededCount"), rule.get("succeededIndexes"));
        if !count.exists() && !indexes.exists() {
            out.push(rule.required("at least one of succeededCount or succeededIndexes must be specified"));
        }
        let mut total = 0;
        if let Some(text) = indexes.opt_str() {
            if text.len() > SUCCEEDED_INDEXES_MAX {
                out.push(indexes.too_long(SUCCEEDED_INDEXES_MAX));
            }
            match count_indexes(text, completions) {
                Ok(count) => total = count,
                Err(error) => out.push(indexes.invalid(format!("error parsing succeededIndexes: {error}"))),
            }
        }
        non_negative(&count, out);
        let above = |most: i64, what: &str| {
            count.invalid(format!(
                "must be less than or equal to {most} (the number of {what})"
            ))
        };
        if count.int() > completions {
            out.push(above(completions, "specified completions"));
        }
        if indexes.exists() && count.int() > total {
            out.push(above(total, "indexes in the specified succeededIndexes field"));
        }
    }
}

/// How many indexes a text such as `1,3-5` stands for.
pub fn count_indexes(text: &str, completions: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let (mut last, mut total) = (None, 0);
    for part in text.split(',') {
        let (first, end) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!(
                "non-increasing order, previous: {last}, current: {first}"
            ));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// The first and the last index of `3-5`.
pub fn interval(text: &str, completions: i64) -> Result<(i64, i64), String> {
    let parse = |text: &str| -> Result<i64, String> {
        let index: i64 = text
            .parse()
            .map_err(|_| format!("cannot convert string to integer for index: {}", go_quote(text)))?;
        if index >= completions {
            return Err(format!("too large index: {}", go_quote(text)));
        }
        Ok(index)
    };
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [only] => parse(only).map(|index| (index, index)),
        [first, last] => {
            let (first, last) = (parse(first)?, parse(last)?);
            if first >= last {
                return Err(format!(
                    "non-increasing order, previous: {first}, current: {last}"
                ));
            }
            Ok((first, last))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            go_quote(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_counted() {
        for (text, count) in [
            ("", Ok(0)),
            ("0,2-4", Ok(4)),
            ("9", Err("too large index: \"9\"")),
            ("3,3", Err("non-increasing order, previous: 3, current: 3")),
            ("2-1", Err("non-increasing order, previous: 2, current: 1")),
            ("a", Err("cannot convert string to integer for index: \"a\"")),
        ] {
            assert_eq!(count_indexes(text, 5), count.map_err(str::to_owned), "{text}");
        }
        assert!(
            count_indexes("1-2-3", 5)
                .is_err_and(|error| error.starts_with("the fragment \"1-2-3\" violates"))
        );
    }
}
