//! Each limit, met by a script that does not care.

use std::fs;
use std::time::{Duration, Instant};

use deploy_workflow::run::Conclusion;
use tokio_util::sync::CancellationToken;

use crate::world::{run, sh};

const OK: Conclusion = Conclusion::Success;
const NO: Conclusion = Conclusion::Failure;

#[test]
fn too_much_memory_is_a_failure_that_says_so() {
    run("memory", |mut world| async move {
        world.limits.memory_bytes = 64 << 20;
        let steps = vec![
            sh("head -c 200m /dev/zero | tail | wc -c"),
            sh("echo after").always(),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [NO, OK]);
        assert!(
            played.said(0).join("\n").contains("memory"),
            "{:?}",
            played.said(0)
        );
    });
}

#[test]
fn a_fork_bomb_is_held_and_ends_with_its_time() {
    run("forks", |mut world| async move {
        world.limits.pids = 100;
        world.limits.step_log_bytes = 1 << 16;
        let bomb = sh("trap '' TERM; bomb() { bomb | bomb & }; bomb; while :; do :; done");
        let steps = vec![bomb.timeout(Duration::from_secs(2)), sh("echo after").always()];
        let began = Instant::now();
        let played = world.play(steps).await;
        assert_eq!(
            played.outcomes(),
            [Conclusion::Cancelled, OK],
            "{:?}",
            played.said(0)
        );
        assert!(began.elapsed() < Duration::from_secs(60));
        assert_eq!(played.said(1), ["after"]);
    });
}

#[test]
fn a_log_without_an_end_is_cut_and_the_step_ends_well() {
    run("log", |mut world| async move {
        world.limits.step_log_bytes = 1 << 20;
        let steps = vec![
            sh("head -c 4m /dev/zero | tr '\\0' x | fold -w 1000; echo; echo '::set-output name=a::b'"),
            sh("echo $OUT_a"),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [OK, OK]);
        let last = played.said(0).pop().unwrap();
        assert!(last.starts_with("##[warning]The log is cut here"), "{last}");
        assert_eq!(played.said(1), ["b"]);
        let size = fs::metadata(played.logs.join("r1/job/0.log")).unwrap().len();
        assert!(size < (1 << 20) + 1000, "{size}");
    });
}

#[test]
fn too_many_files_end_the_job() {
    run("disk", |mut world| async move {
        world.limits.disk_bytes = 32 << 20;
        let steps = vec![
            sh("while :; do dd if=/dev/zero of=$RANDOM bs=1M count=4 2>/dev/null; done"),
            sh("echo never").always(),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [NO, NO]);
        assert!(
            played.said(0).join("\n").contains("33554432 bytes"),
            "{:?}",
            played.said(0)
        );
    });
}

#[test]
fn a_step_that_goes_when_asked_may_clean_up() {
    run("term", |world| async move {
        let polite = sh("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done");
        let steps = vec![
            polite.timeout(Duration::from_millis(500)),
            sh("echo after").always(),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [Conclusion::Cancelled, OK]);
        let said = played.said(0);
        assert!(said.contains(&"bye".to_owned()), "{said:?}");
        assert_eq!(said.last().unwrap(), "##[error]The step took too long.");
    });
}

#[test]
fn a_cancelled_run_ends_though_a_step_ignores_it() {
    run("cancel", |world| async move {
        let runner = world.runner().await;
        let cancel = CancellationToken::new();
        let steps = vec![sh("trap '' TERM INT; echo deaf; while :; do sleep 1; done")];
        let log = runner.logs().join("r1/job/0.log");
        // It is asked to end once it has said that it will not hear.
        let asking = async {
            let mut looks = tokio::time::interval(Duration::from_millis(10));
            let is_deaf = |text: String| text.lines().any(|line| line.ends_with(" deaf"));
            while !std::fs::read_to_string(&log).is_ok_and(is_deaf) {
                looks.tick().await;
            }
            cancel.cancel();
        };
        let asking = tokio::time::timeout(Duration::from_secs(60), asking);
        let (played, asked) = tokio::join!(world.play_on(&runner, "r1", steps, cancel.clone()), asking);
        assert!(asked.is_ok(), "it has begun");
        assert_eq!(played.report.conclusion, Some(Conclusion::Cancelled));
        runner.close().await.unwrap();
    });
}
