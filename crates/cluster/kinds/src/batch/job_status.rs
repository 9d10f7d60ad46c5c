//! What a status update of a Job may say (`pkg/apis/batch/validation validateJobStatus`; which check counts when is in
//! `pkg/registry/batch/job/strategy.go getStatusValidationOptions`).

use std::collections::BTreeSet;

use super::job_spec::{count_indexes, interval, without_value};
use crate::cursor::{Field, Findings};
use crate::metadata::{IMMUTABLE, non_negative};
use crate::{internal, table};

/// Whether a condition is there and true.
pub fn is_true(status: &Field<'_>, r#type: &str) -> bool {
    status
        .items("conditions")
        .any(|c| c.get("type").str() == r#type && c.get("status").str() == "True")
}

/// The two states of a Job that an update goes between.
struct Change<'a> {
    spec: Field<'a>,
    new: Field<'a>,
    old: Field<'a>,
}

/// What is wrong with a status update, metadata's changes aside.
pub fn validate(new: &Field<'_>, old: &Field<'_>) -> Findings {
    let change = Change {
        spec: new.get("spec"),
        new: new.get("status"),
        old: old.get("status"),
    };
    let mut out = Vec::new();
    for name in ["active", "succeeded", "failed", "ready", "terminating"] {
        non_negative(&change.new.get(name), &mut out);
    }
    change.uncounted_pods(&mut out);
    change.conditions_and_times(&mut out);
    change.finished(&mut out);
    change.indexes(&mut out);
    change.counts_and_criteria(&mut out);
    change.against_before(&mut out);
    out
}

impl Change<'_> {
    fn is(&self, condition: &str) -> bool {
        is_true(&self.new, condition)
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    /// Whether a condition turned.
    fn turned(&self, condition: &str) -> bool {
        self.is(condition) != is_true(&self.old, condition)
    }

    /// Whether the Job finished with this update, or stopped being finished.
    fn finish_turned(&self) -> bool {
        self.is_finished() != (is_true(&self.old, "Complete") || is_true(&self.old, "Failed"))
    }

    fn changed(&self, name: &'static str) -> bool {
        !self.new.get(name).same(&self.old.get(name))
    }

    fn uncounted_pods(&self, out: &mut Findings) {
        let pods = self.new.get("uncountedTerminatedPods");
        let mut seen = BTreeSet::new();
        for uid in pods.items("succeeded").chain(pods.items("failed")) {
            if uid.is_empty() {
                out.push(uid.invalid("must not be empty"));
            } else if !seen.insert(uid.str()) {
                out.push(uid.duplicate());
            }
        }
    }

    fn conditions_and_times(&self, out: &mut Findings) {
        let (conditions, end) = (self.new.get("conditions"), self.new.get("completionTime"));
        let start = self.new.get("startTime");
        let complete = self.is("Complete");
        if (self.turned("Complete") || self.turned("Failed")) && complete && self.is("Failed") {
            out.push(without_value(
                &conditions,
                "cannot set Complete=True and Failed=true conditions",
            ));
        }
        if (self.turned("Complete") || self.turned("FailureTarget")) && complete && self.is("FailureTarget") {
            out.push(without_value(
                &conditions,
                "cannot set Complete=True and FailureTarget=true conditions",
            ));
        }
        if self.turned("Complete") || self.changed("completionTime") {
            if end.exists() && !complete {
                out.push(end.invalid("cannot set completionTime when there is no Complete=True condition"));
            }
            if !end.exists() && complete {
                out.push(end.required("completionTime is required for Complete jobs"));
            }
        }
        if self.changed("startTime") || self.changed("completionTime") {
            let (started, ended) = (table::seconds(start.str()), table::seconds(end.str()));
            if let (Some(started), Some(ended)) = (started, ended)
                && ended < started
            {
                out.push(end.invalid("must be equal to or after `startTime`"));
            }
        }
        if (self.turned("Failed") || self.changed("failedIndexes"))
            && self.is("Failed")
            && !self.is("FailureTarget")
        {
            let detail = "cannot set Failed=True condition without the FailureTarget=true condition";
            out.push(without_value(&conditions, detail));
        }
        if (self.turned("Complete") || self.turned("SuccessCriteriaMet"))
            && complete
            && !self.is("SuccessCriteriaMet")
        {
            let detail = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
            out.push(without_value(&conditions, detail));
        }
    }

    fn finished(&self, out: &mut Findings) {
        if !self.is_finished() {
            return;
        }
        let turned = self.finish_turned();
        let (active, start) = (self.new.get("active"), self.new.get("startTime"));
        if (turned || self.changed("active")) && active.int() > 0 {
            out.push(active.invalid("active>0 is invalid for finished job"));
        }
        let never_ran = self.spec.get("suspend").bool() && self.spec.get("completions").opt_int() == Some(0);
        if (turned || self.changed("startTime")) && !never_ran && !start.exists() {
            out.push(start.required("startTime is required for finished job"));
        }
        let pods = self.new.get("uncountedTerminatedPods");
        let waiting = !pods.get("failed").is_empty() || !pods.get("succeeded").is_empty();
        if (turned || self.changed("uncountedTerminatedPods")) && waiting {
            let shown = internal::shown("UncountedTerminatedPods", pods.value());
            out.push(pods.invalid_shown(shown, "must be empty for finished job"));
        }
    }

    fn indexes(&self, out: &mut Findings) {
        let (done, failed) = (self.new.get("completedIndexes"), self.new.get("failedIndexes"));
        let (done_changed, failed_changed) =
            (self.changed("completedIndexes"), self.changed("failedIndexes"));
        let completions = self.spec.get("completions").opt_int();
        let per_index = self.spec.get("backoffLimitPerIndex").exists();
        if let Some(completions) = completions {
            if done_changed && let Err(error) = count_indexes(done.str(), completions) {
                out.push(done.invalid(format!("error parsing completedIndexes: {error}")));
            }
            if failed_changed
                && per_index
                && let Err(error) = count_indexes(failed.str(), completions)
            {
                out.push(failed.invalid(format!("error parsing failedIndexes: {error}")));
            }
        }
        if done_changed && !done.is_empty() && self.spec.get("completionMode").str() != "Indexed" {
            out.push(done.invalid("cannot set non-empty completedIndexes when non-indexed completion mode"));
        }
        if failed_changed && !per_index && failed.exists() {
            out.push(failed.invalid("cannot set non-null failedIndexes when backoffLimitPerIndex is null"));
        }
        if (failed_changed || done_changed)
            && let Some(index) = completions.and_then(|count| overlap(done.str(), failed.str(), count))
        {
            let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
            out.push(failed.invalid(detail));
        }
    }

    fn counts_and_criteria(&self, out: &mut Findings) {
        let (ready, active) = (self.new.get("ready"), self.new.get("active").int());
        let terminating = self.new.get("terminating");
        let terminating_counts = self.finish_turned() || self.changed("terminating");
        if terminating_counts && terminating.int() > 0 && self.is_finished() {
            out.push(terminating.invalid("terminating>0 is invalid for finished job"));
        }
        if (self.changed("ready") || self.changed("active")) && ready.int() > active {
            out.push(ready.invalid("cannot set more ready pods than active"));
        }
        let conditions = self.new.get("conditions");
        for other in ["Failed", "FailureTarget"] {
            if self.is("SuccessCriteriaMet") && self.is(other) {
                let detail = format!("cannot set SuccessCriteriaMet=True and {other}=true conditions");
                out.push(without_value(&conditions, detail));
            }
        }
        if self.spec.get("successPolicy").exists() && !self.is("SuccessCriteriaMet") && self.is("Complete") {
            let detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
            out.push(without_value(&conditions, detail));
        }
    }

    fn against_before(&self, out: &mut Findings) {
        let conditions = self.new.get("conditions");
        for name in ["Failed", "Complete", "FailureTarget"] {
            if is_true(&self.old, name) && !self.is(name) {
                out.push(without_value(
                    &conditions,
                    format!("cannot disable the terminal {name}=True condition"),
                ));
            }
        }
        let elastic = self.spec.get("completionMode").str() == "Indexed"
            && self.spec.get("completions").same(&self.spec.get("parallelism"));
        for (name, checked) in [("failed", true), ("succeeded", !elastic)] {
            let count = self.new.get(name);
            if checked && count.int() < self.old.get(name).int() {
                out.push(count.invalid_value(count.int(), format!("cannot decrease the {name} counter")));
            }
        }
        let (end, old_end) = (self.new.get("completionTime"), self.old.get("completionTime"));
        if end.exists() && old_end.exists() && !end.same(&old_end) {
            out.push(end.invalid(IMMUTABLE));
        }
        let suspended = |status: &Field<'_>, value: &str| {
            status
                .items("conditions")
                .any(|c| c.get("type").str() == "Suspended" && c.get("status").str() == value)
        };
        let resuming = suspended(&self.old, "True") && suspended(&self.new, "False");
        let started = self.old.get("startTime").exists() && self.changed("startTime");
        if started && !resuming && !self.spec.get("suspend").bool() {
            let detail = "startTime cannot be removed for unsuspended job";
            out.push(self.new.get("startTime").required(detail));
        }
        let met = is_true(&self.old, "SuccessCriteriaMet");
        if met && !self.is("SuccessCriteriaMet") {
            out.push(without_value(
                &conditions,
                "cannot disable the SuccessCriteriaMet=True condition",
            ));
        }
        if is_true(&self.old, "Complete") && !met && self.is("SuccessCriteriaMet") {
            let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
            out.push(without_value(&conditions, detail));
        }
    }
}

/// An index that is in both lists.
fn overlap(done: &str, failed: &str, completions: i64) -> Option<i64> {
    let intervals = |text: &str| -> Vec<(i64, i64)> {
        text.split(',')
            .filter_map(|part| interval(part, completions).ok())
            .collect()
    };
    let (done, failed) = (intervals(done), intervals(failed));
    let (mut done, mut failed) = (done.iter().peekable(), failed.iter().peekable());
    while let (Some((a, b)), Some((c, d))) = (done.peek(), failed.peek()) {
        if a <= d && c <= b {
            return Some(*a.max(c));
        }
        if a <= c {
            done.next()
        } else {
            failed.next()
        };
    }
    None
}
