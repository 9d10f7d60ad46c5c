//! What goes wrong is said with its place, and leaves nothing.

use std::fs;

use deploy_build::BuildError;

use crate::world::run;

#[test]
fn places_causes_and_hints() {
    run("failures", |world| {
        world.file("a", "a");
        world.file(".dockerignore", "hidden\n");
        world.file("hidden", "");
        let place = world.root.join("Dockerfile").display().to_string();
        let fails = |text: &str| world.build(&world.request(text)).0.expect_err(text);
        match fails("FROM busybox:1\nRUN echo so; echo it goes >&2; exit 3\n") {
            BuildError::Failed {
                place: at,
                code,
                mut last,
                ..
            } => {
                last.sort();
                assert_eq!(
                    (at, code, last),
                    (
                        format!("{place}:2"),
                        3,
                        vec!["it goes".to_owned(), "so".to_owned()]
                    )
                );
            }
            other => panic!("{other:?}"),
        }
        for (text, line, cause, help) in [
            (
                "FROM busybox:1\nCOPY missing /\n",
                2,
                "\"missing\" is not in the build context",
                "paths of COPY start at the build context",
            ),
            (
                "FROM busybox:1\n\nCOPY hidden /\n",
                3,
                "\"hidden\" is not in the build context",
                ".dockerignore leaves it out",
            ),
            (
                "FROM busybox:1 AS b\nFROM busybox:1\nCOPY --from=b /nope /\n",
                3,
                "\"/nope\" is not in the stage b",
                "looked up in the stage b",
            ),
            (
                "FROM busybox:1\nUSER nobody-here\nRUN true\n",
                3,
                "unable to find user nobody-here: no matching entries in passwd file",
                "make the user",
            ),
            (
                "FROM busybox:1\nRUN --mount=type=secret,id=k,required true\n",
                2,
                "secret k: not found",
                "deploy build --secret id=k",
            ),
            (
                "FROM busybox:1\nCOPY --chmod=9 a /\n",
                2,
                "invalid --chmod \"9\"",
                "write 755",
            ),
            (
                "FROM busybox:1\nRUN [\"/no/such\"]\n",
                2,
                "no such file or directory",
                "",
            ),
        ] {
            match fails(text) {
                BuildError::Step {
                    place: at,
                    reason,
                    hint,
                    ..
                } => {
                    assert_eq!(at, format!("{place}:{line}"), "{text}");
                    assert!(reason.contains(cause), "{reason}");
                    assert!(hint.contains(help), "{hint}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(
            fails("FROM busybox:1\nFOO\n"),
            BuildError::Problems { .. }
        ));
        match fails("FROM 127.0.0.1:1/none:1\n") {
            BuildError::Base { place: at, name, .. } => {
                assert_eq!((at, &*name), (format!("{place}:1"), "127.0.0.1:1/none:1"));
            }
            other => panic!("{other:?}"),
        }
        let left: Vec<_> = fs::read_dir(world.root.join("images/tmp"))
            .unwrap()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let left: Vec<_> = fs::read_dir(world.root.join("build/run"))
            .unwrap()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_build_can_be_ended() {
    run("cancel", |world| {
        let cancel = world.cancel.clone();
        let request = world.request("FROM busybox:1\nRUN echo begun; sleep 1000\n");
        let mut progress = |event| {
            if let deploy_build::Event::Output { .. } = event {
                cancel.cancel();
            }
        };
        let ended = deploy_build::build(&request, &world.parts(), &mut progress);
        assert!(matches!(ended, Err(BuildError::Cancelled)), "{ended:?}");
        assert_eq!(fs::read_dir(world.root.join("build/run")).unwrap().count(), 0);
    });
}
