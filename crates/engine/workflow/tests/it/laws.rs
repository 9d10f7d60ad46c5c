//! What holds for all runs, streams and files.

use crate::machine::{Shell, facts};
use deploy_workflow::expression::{Scope, parse};
use deploy_workflow::run::mask::Masker;
use deploy_workflow::run::{Conclusion, Effect, Input, JobId};
use deploy_workflow::trigger::is_match;
use deploy_workflow::workflow::{NoFiles, Options, read};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A workflow of up to six jobs that need earlier ones.
fn workflows() -> impl Strategy<Value = String> {
    let step = (
        prop::sample::select(vec!["ok", "fail", "sleep", "output k=v", "env A=1"]),
        condition(),
        any::<bool>(),
    );
    let job = (
        prop::collection::vec(step, 1..4),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        condition(),
        0..4usize,
        any::<bool>(),
    );
    prop::collection::vec(job, 1..6).prop_map(|jobs| {
        let mut text = "on: push\njobs:\n".to_owned();
        for (at, (steps, needs, condition, matrix, fast)) in jobs.iter().enumerate() {
            writeln!(text, "  j{at}:\n    runs-on: x\n    timeout-minutes: 9").unwrap();
            let needs: Vec<String> = match at {
                0 => Vec::new(),
                at => needs.iter().map(|need| format!("j{}", need.index(at))).collect(),
            };
            if !needs.is_empty() {
                writeln!(text, "    needs: [{}]", needs.join(", ")).unwrap();
            }
            if let Some(condition) = condition {
                writeln!(text, "    if: {condition}").unwrap();
            }
            if *matrix > 0 {
                let values: Vec<String> = (0..*matrix).map(|n| n.to_string()).collect();
                writeln!(
                    text,
                    "    strategy: {{fail-fast: {fast}, max-parallel: 2, matrix: {{v: [{}]}}}}",
                    values.join(", ")
                )
                .unwrap();
            }
            writeln!(text, "    steps:").unwrap();
            for (run, condition, allowed) in steps {
                let condition = condition.map(|c| format!("if: {c}, ")).unwrap_or_default();
                writeln!(
                    text,
                    "      - {{{condition}continue-on-error: {allowed}, timeout-minutes: 4, run: {run}}}"
                )
                .unwrap();
            }
        }
        text
    })
}

fn condition() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![
        None,
        None,
        Some("always()"),
        Some("failure()"),
        Some("cancelled()"),
        Some("github.ref == 'x'"),
    ])
}

/// Runs to the end: time passes until nothing sleeps, and somebody may cancel.
fn finish(workflow: &str, cancel_after: Option<usize>) -> Shell {
    let mut shell = Shell::new(workflow, &[], facts());
    shell.tell(Input::Started);
    shell.work();
    for turn in 0..500 {
        if shell.run.has_ended() {
            break;
        }
        if cancel_after == Some(turn) {
            shell.tell(Input::Cancel {
                reason: "law".to_owned(),
            });
            shell.work();
        } else {
            shell.wait();
        }
    }
    shell
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_run_always_ends_and_all_its_jobs_once(workflow in workflows(), cancel in prop::option::of(0..3usize)) {
        let shell = finish(&workflow, cancel);
        prop_assert!(shell.run.has_ended(), "{workflow}\n{}", shell.log);
        let ends: Vec<(&JobId, Conclusion)> = shell.effects.iter().filter_map(|effect| match effect {
            Effect::EndJob { job, conclusion, .. } => Some((job, *conclusion)),
            _ => None,
        }).collect();
        let ids: BTreeSet<&JobId> = ends.iter().map(|(job, _)| *job).collect();
        prop_assert_eq!(ids.len(), ends.len());
        prop_assert!(ends.len() >= workflow.matches("runs-on").count(), "{workflow}\n{}", shell.log);
        let last = matches!(shell.effects.last(), Some(Effect::EndRun { .. }));
        let run_ends = shell.effects.iter().filter(|e| matches!(e, Effect::EndRun { .. })).count();
        prop_assert_eq!((last, run_ends), (true, 1));
        let failed = ends.iter().any(|(_, conclusion)| *conclusion == Conclusion::Failure);
        prop_assert_eq!(failed, shell.conclusion == Some(Conclusion::Failure));
    }

    #[test]
    fn the_same_inputs_give_the_same_effects(workflow in workflows(), cancel in prop::option::of(0..3usize)) {
        let first = finish(&workflow, cancel);
        let mut again = Shell::new(&workflow, &[], facts());
        let mut effects = Vec::new();
        for (now, input) in &first.inputs {
            // Through JSON, as the ledger keeps them.
            let kept = serde_json::to_string(input).unwrap();
            effects.extend(again.run.step(*now, serde_json::from_str(&kept).unwrap()));
        }
        prop_assert_eq!(effects, first.effects);
    }

    #[test]
    fn masking_in_pieces_is_masking_the_whole(
        secrets in prop::collection::vec("[ab\n]{1,5}", 0..4),
        text in "[abc\n ]{0,60}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let masker = Masker::new(secrets.iter().map(String::as_str));
        let whole = masker.mask(&text);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut streamed = masker.clone();
        let (mut out, mut from) = (Vec::new(), 0);
        for cut in cuts.into_iter().chain([text.len()]) {
            streamed.write(&text.as_bytes()[from..cut], &mut out);
            from = cut;
        }
        streamed.finish(&mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), whole.clone());
        prop_assert_eq!(whole, masked_slowly(&secrets, &text));
    }

    #[test]
    fn nothing_makes_the_readers_panic(text in "[ -~\n\u{e9}]{0,200}", expression in "[a-z0-9.*()'!=<>&|,\\[\\] ${}-]{0,60}") {
        drop(read("w.yml", &text, &NoFiles, &Options::default()));
        drop(parse(&expression, &Scope { contexts: &["a", "b"], hash_files: true, status: true, status_of_jobs: true }));
        is_match(&expression, &text);
        let file = format!("on: push\njobs: {{a: {{runs-on: x, steps: [{{run: \"${{{{ {} }}}}\"}}]}}}}", expression.replace('"', ""));
        drop(read("w.yml", &file, &NoFiles, &Options::default()));
    }
}

/// The definition: every place of a secret, or of a line of one, is hidden; what touches is one mask.
fn masked_slowly(secrets: &[String], text: &str) -> String {
    let mut hidden = vec![false; text.len()];
    let forms = secrets.iter().flat_map(|secret| {
        let whole = secret.trim_end_matches(['\r', '\n']);
        let lines = whole.split('\n').filter(|line| !line.trim().is_empty());
        lines
            .chain((!whole.trim().is_empty()).then_some(whole))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    for form in forms {
        for at in 0..text.len() {
            if text[at..].starts_with(&form) {
                hidden[at..at + form.len()].fill(true);
            }
        }
    }
    let mut masked = String::new();
    for (at, c) in text.char_indices() {
        match hidden[at] {
            false => masked.push(c),
            true if at == 0 || !hidden[at - 1] => masked.push_str("***"),
            true => {}
        }
    }
    masked
}
