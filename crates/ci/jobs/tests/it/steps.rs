//! What steps see, leave and say.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use deploy_workflow::run::{Builtin, Conclusion};

use crate::world::{run, sh, shell, uses};

const OK: Conclusion = Conclusion::Success;
const NO: Conclusion = Conclusion::Failure;

#[test]
fn a_step_says_and_leaves_things() {
    run("says", |world| async move {
        let steps = vec![
            sh("echo hello; echo oops >&2; pwd"),
            sh(
                "echo A=1 >> $GITHUB_ENV; echo \"$HOME/bin\" >> $GITHUB_PATH; echo o=p >> $GITHUB_OUTPUT; echo '# s' >> $GITHUB_STEP_SUMMARY",
            ),
            sh("echo $A $OUT_o; echo $PATH; cat $GITHUB_EVENT_PATH; exit 3"),
            sh("echo always").always(),
            sh("echo never"),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [OK, OK, NO, OK]);
        let said = played.said(0);
        assert!(
            said.contains(&"hello".to_owned()) && said.contains(&"oops".to_owned()),
            "{said:?}"
        );
        assert!(
            said.contains(&"/home/runner/work/shop/shop".to_owned()),
            "{said:?}"
        );
        let said = played.said(2);
        assert_eq!(said[0], "1 p");
        assert!(said[1].contains("/bin:"), "{said:?}");
        assert_eq!(said[2], "{\"ref\":\"refs/heads/main\"}");
        assert_eq!(said[3], "##[error]Process completed with exit code 3.");
        let summary = fs::read_to_string(played.logs.join("r1/job/1.summary.md")).unwrap();
        assert_eq!(summary, "# s\n");
    });
}

#[test]
fn the_machine_is_seen_and_not_changed() {
    run("machine", |world| async move {
        let mark = format!("/usr/deploy-jobs-test-{}", std::process::id());
        let steps = vec![
            sh(&format!(
                "set +e; ls / /etc; touch {mark} /etc/mine; ls {mark}; cat /etc/shadow; ls /work; true"
            )),
            sh(
                "set +e; id -u; ls -d /var/lib/dpkg; cat /etc/hosts; ip link 2>/dev/null || cat /proc/net/dev",
            ),
            sh(
                "set +e; ls /proc | grep -c '^[0-9]'; hostname; mount -t tmpfs none /mnt && echo mounted; true",
            ),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [OK, OK, OK]);
        let said = played.said(0).join("\n");
        assert!(said.contains(&mark), "{said}");
        assert!(!std::path::Path::new(&mark).exists());
        assert!(said.contains("/etc/shadow: No such file"), "{said}");
        assert!(said.contains("'/work': No such file"), "{said}");
        let said = played.said(1).join("\n");
        assert!(said.contains("runner-0") && said.contains("lo"), "{said}");
        let said = played.said(2).join("\n");
        assert!(said.contains("runner-0") && !said.contains("mounted\n"), "{said}");
    });
}

#[test]
fn shells_have_githubs_flags() {
    run("shells", |world| async move {
        let steps = vec![
            shell("", "false | true; echo on"),
            shell("bash", "false | true; echo never").always(),
            shell("sh", "false; echo never").always(),
            shell("python", "import os; print(os.getcwd())").always(),
            shell("cp {0} copied", "text").always(),
            shell("cat", "unused").always(),
            shell("no-such-shell {0}", "x").always(),
            sh("cat copied").always(),
            sh("pwd").within("/tmp").always(),
            sh("pwd").within("missing").always(),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [OK, NO, NO, OK, OK, OK, NO, OK, OK, NO]);
        assert_eq!(played.said(0), ["on"]);
        assert_eq!(played.said(3), ["/home/runner/work/shop/shop"]);
        assert!(
            played.said(6).join("").contains("executable file not found"),
            "{:?}",
            played.said(6)
        );
        assert_eq!(played.said(7), ["text"]);
        assert_eq!(played.said(8), ["/tmp"]);
        assert!(
            played.said(9).join("").contains("No such file or directory"),
            "{:?}",
            played.said(9)
        );
    });
}

#[test]
fn secrets_are_masked_in_logs_and_events() {
    run("masks", |mut world| async move {
        world
            .secrets
            .insert("TOKEN".to_owned(), "hunter2hunter2".to_owned());
        let steps = vec![
            sh(
                "printf 'a hunter2'; printf 'hunter2 b\\n'; echo -n hunter2hunter2 | base64; echo '::add-mask::later'; echo later",
            ),
            sh("echo later; echo '::warning::hunter2hunter2'"),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.said(0)[0], "a *** b");
        assert_eq!(played.said(0).last().unwrap(), "***");
        assert_eq!(played.said(1), ["***", "##[warning]***"]);
        assert_eq!(played.report.jobs["job"].annotations[0].message, "***");
    });
}

#[test]
fn a_background_process_lives_on_to_the_next_step() {
    run("background", |world| async move {
        let steps = vec![
            sh("(while sleep 0.05; do echo tick; date > /tmp/alive; done) & echo started"),
            sh(
                "rm -f /tmp/alive; for i in $(seq 100); do [ -e /tmp/alive ] && exit 0; sleep 0.05; done; exit 1",
            ),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [OK, OK], "{:?}", played.said(1));
    });
}

#[test]
fn checkout_brings_the_tree() {
    run("checkout", |world| async move {
        fs::create_dir_all(world.source.join("d/.git")).unwrap();
        fs::write(world.source.join("d/run.sh"), "#!/bin/sh\necho ran\n").unwrap();
        fs::set_permissions(world.source.join("d/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("d/run.sh", world.source.join("link")).unwrap();
        let steps = vec![
            sh("ls -A | wc -l"),
            uses(Builtin::Checkout, &[]),
            sh("./link; ls d"),
            uses(Builtin::Checkout, &[("repository", "other/thing")]),
        ];
        let played = world.play(steps).await;
        assert_eq!(played.outcomes(), [OK, OK, OK, NO]);
        assert_eq!(played.said(0), ["0"]);
        assert_eq!(played.said(2), ["ran", "run.sh"]);
    });
}

#[test]
fn caches_and_artifacts_go_from_run_to_run_and_step_to_step() {
    run("caches", |world| async move {
        let runner = world.runner().await;
        let cache = [("path", "~/.thing\nout"), ("key", "k-1"), ("restore-keys", "k-")];
        let first = vec![
            uses(Builtin::Cache, &cache),
            sh(
                "echo \"hit=$OUT_cache_hit.\"; mkdir -p ~/.thing out; echo x > ~/.thing/f; ln -s f ~/.thing/l; echo y > out/o",
            ),
            uses(Builtin::CacheSave, &cache),
            uses(Builtin::UploadArtifact, &[("name", "files"), ("path", "out")]),
            sh("rm -r out"),
            uses(Builtin::DownloadArtifact, &[("name", "files"), ("path", "got")]),
            sh("cat got/o"),
            uses(Builtin::UploadArtifact, &[("name", "files"), ("path", "got")]),
        ];
        let token = tokio_util::sync::CancellationToken::new();
        let played = world.play_on(&runner, "r1", first, token.clone()).await;
        assert_eq!(
            played.outcomes(),
            [OK, OK, OK, OK, OK, OK, OK, NO],
            "{:?}",
            played.said(2)
        );
        assert_eq!(played.said(1), ["hit=."]);
        assert_eq!(played.said(6), ["y"]);
        let exact = vec![
            uses(Builtin::Cache, &cache),
            sh("echo $OUT_cache_hit; cat ~/.thing/l out/o"),
        ];
        let played = world.play_on(&runner, "r2", exact, token.clone()).await;
        assert_eq!(played.said(1), ["true", "x", "y"]);
        assert_eq!(played.report.jobs["job"].caches[0].found.as_deref(), Some("k-1"));
        let near = [
            ("path", "~/.thing\nout"),
            ("key", "k-2"),
            ("restore-keys", "none-\nk-"),
        ];
        let near = vec![
            uses(Builtin::Cache, &near),
            sh("echo $OUT_cache_hit $OUT_cache_matched_key; cat out/o"),
        ];
        let played = world.play_on(&runner, "r3", near, token).await;
        assert_eq!(played.said(1), ["false k-1", "y"]);
        runner.close().await.unwrap();
    });
}
