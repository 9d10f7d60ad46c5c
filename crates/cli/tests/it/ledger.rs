//! `deploy audit` and `deploy backup`, on a ledger that a server would have written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use deploy_cli::{Invocation, Terminal};
use deploy_model::Exit;
use deploy_store::{Actor, ActorKind, Ledger, Line, Options, Subject};
use serde_json::{Value, json};

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ledger-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Runs a command on the data folder `data`.
    fn run(&self, args: &[&str]) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let data = self.path("data");
        let mut args: Vec<&str> = args.to_vec();
        if !args.contains(&"--data-dir") {
            args.extend(["--data-dir", &data]);
        }
        let invocation = Invocation {
            args: args.iter().map(Into::into).collect(),
            cwd: self.0.clone(),
            env: BTreeMap::from([
                ("HOME".to_owned(), "/nonexistent".to_owned()),
                ("TZ".to_owned(), "Asia/Shanghai".to_owned()),
            ]),
            terminal: Terminal::default(),
            stdin: Box::new(std::io::empty()),
        };
        let exit = deploy_cli::run(invocation, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (exit, text(out), text(err))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn fill(folder: &Folder) {
    let data = PathBuf::from(folder.path("data"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let ledger = Ledger::open(&data, Options::default()).expect("it is new");
        let lines = [
            (
                "2026-11-21T16:30:00Z",
                ActorKind::Person,
                "ann",
                "release.started",
                "release",
                "shop/42",
                Some("a sale\nbegins"),
            ),
            (
                "2026-11-21T17:00:00Z",
                ActorKind::Reconciler,
                "rollout",
                "release.paused",
                "release",
                "shop/42",
                None,
            ),
            (
                "2026-11-22T01:00:00.5Z",
                ActorKind::Webhook,
                "gitee 码云",
                "run.started",
                "run",
                "7",
                None,
            ),
        ];
        let lines = lines.map(|(at, kind, actor, what, subject, id, reason)| Line {
            reason: reason.map(str::to_owned),
            before: Some(json!({"weight": 0})),
            data: json!({"n": 1}),
            ..Line::new(
                at.parse().expect("a time"),
                Actor::new(kind, actor),
                what,
                Subject::new(subject, id),
            )
        });
        ledger.append(lines.into()).await.expect("there is room");
        ledger.close().await;
    });
}

#[test]
fn the_ledger_is_read_in_the_readers_zone_and_language() {
    let folder = Folder::new("list");
    let (exit, out, err) = folder.run(&["audit", "list"]);
    assert_eq!((exit, out.as_str()), (Exit::NotFound, ""));
    assert!(err.contains("DEP-LEDGER-001"), "{err}");
    fill(&folder);
    let (exit, out, err) = folder.run(&["audit", "list"]);
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    assert_eq!(
        out,
        "\
TIME                     ACTOR               WHAT             SUBJECT          WHY            SEQ
2026-11-22 00:30:00 CST  person/ann          release.started  release/shop/42  a sale begins  1
2026-11-22 01:00:00 CST  reconciler/rollout  release.paused   release/shop/42                 2
2026-11-22 09:00:00 CST  webhook/gitee 码云  run.started      run/7                           3
"
    );
    let (_, out, _) = folder.run(&["--lang", "zh", "audit", "list", "--limit", "1"]);
    assert!(
        out.starts_with("时间") && out.contains("run/7") && out.lines().count() == 2,
        "{out}"
    );
    let shown = |args: &[&str]| -> Vec<u64> {
        let (exit, out, err) = folder.run(&[&["audit", "export"], args].concat());
        assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{args:?}");
        let seq = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64();
        out.lines().filter_map(seq).collect()
    };
    assert_eq!(shown(&[]), [1, 2, 3]);
    assert_eq!(shown(&["--kind", "release.*"]), [1, 2]);
    assert_eq!(
        shown(&["--kind", "release.paused", "--kind", "run.started"]),
        [2, 3]
    );
    assert_eq!(shown(&["--actor", "ann"]), [1]);
    assert_eq!(shown(&["--actor", "reconciler/"]), [2]);
    assert_eq!(shown(&["--actor", "person/rollout"]), [] as [u64; 0]);
    assert_eq!(shown(&["--subject", "release/shop/42"]), [1, 2]);
    assert_eq!(shown(&["--subject", "run"]), [3]);
    // A day of the reader's zone, which UTC has in two.
    assert_eq!(
        shown(&["--since", "2026-11-22", "--until", "2026-11-22T09:00"]),
        [1, 2]
    );

    let (_, out, _) = folder.run(&["audit", "list", "-o", "json", "--actor", "ann"]);
    let lines: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        lines[0],
        json!({
            "seq": 1, "at": "2026-11-21T16:30:00Z", "actor": {"kind": "person", "name": "ann"},
            "kind": "release.started", "subject": {"kind": "release", "id": "shop/42"},
            "reason": "a sale\nbegins", "before": {"weight": 0}, "after": null, "data": {"n": 1},
        })
    );
    let (_, out, _) = folder.run(&["audit", "list", "-o", "yaml", "--actor", "ann"]);
    assert!(
        out.contains("at: \"2026-11-21T16:30:00Z\"") && out.contains("weight: 0"),
        "{out}"
    );
    let (exit, out, err) = folder.run(&["audit", "list", "--actor", "nobody"]);
    assert_eq!(
        (exit, out.as_str(), err.as_str()),
        (Exit::Done, "", "No line matches.\n")
    );
    for wrong in [
        ["--since", "yesterday"],
        ["--actor", "robot/x"],
        ["--limit", "0"],
        ["--limit", "x"],
    ] {
        let (exit, out, err) = folder.run(&["audit", "list", wrong[0], wrong[1]]);
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""), "{wrong:?}: {err}");
        assert!(err.contains(wrong[1]), "{err}");
    }
}

#[test]
fn a_data_folder_is_backed_up_verified_and_restored() {
    let folder = Folder::new("backup");
    let (file, other) = (folder.path("backup.tar.gz"), folder.path("other"));
    let (exit, _, err) = folder.run(&["backup", "create", "backup.tar.gz"]);
    assert_eq!(exit, Exit::NotFound, "{err}");
    assert!(err.contains("DEP-BACKUP-001"), "{err}");
    fill(&folder);
    let (exit, out, err) = folder.run(&["backup", "create", "backup.tar.gz"]);
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.starts_with("sha256:") && out.len() == 72, "{out}");
    assert!(err.contains("up to line 3"), "{err}");
    let (exit, out, err) = folder.run(&["backup", "create", "backup.tar.gz"]);
    assert_eq!((exit, out.as_str()), (Exit::Conflict, ""), "{err}");
    let (exit, _, err) = folder.run(&["--lang", "zh", "backup", "verify", "backup.tar.gz"]);
    assert!(exit == Exit::Done && err.contains("完好"), "{err}");
    let (exit, _, err) = folder.run(&["backup", "restore", "backup.tar.gz"]);
    assert!(exit == Exit::Conflict && err.contains("DEP-BACKUP-003"), "{err}");
    let (exit, _, err) = folder.run(&["backup", "restore", "backup.tar.gz", "--data-dir", &other]);
    assert_eq!(exit, Exit::Done, "{err}");
    let (_, out, _) = folder.run(&["audit", "export", "--data-dir", &other]);
    assert_eq!(out.lines().count(), 3);
    let mut bytes = fs::read(&file).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("it is ours");
    let (exit, _, err) = folder.run(&["backup", "verify", "backup.tar.gz"]);
    assert!(exit == Exit::Failed && err.contains("DEP-BACKUP-002"), "{err}");
}
