use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use deploy_git::{Push, Repositories, RepositoryName, ServerOptions};

use crate::place::{Folder, Place, client, git, run, write};

#[test]
fn each_change_of_a_reference_is_told_once() {
    let Some(git) = git() else { return };
    run(async {
        let mut place = Place::new(git, ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        let url = place.url("ann", "shop");
        place
            .git("one", &["push", "--quiet", &url, "main", "main:other"])
            .await;
        place.commit("one", &[("a", "b")], "second").await;
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        // Nothing new, and a refused one, are nothing to tell.
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        place.git("one", &["reset", "--quiet", "--hard", "HEAD~1"]).await;
        place.refused("one", &["push", &url, "main"], "rejected").await;
        place.git("one", &["push", "--quiet", &url, ":other"]).await;
        let mut told = Vec::new();
        for _ in 0..4 {
            let push = place.pushes.next().await.unwrap();
            place.pushes.done(&push).await.unwrap();
            told.push(push);
        }
        let shown: Vec<(u64, &str, bool, bool, Option<&str>)> = told
            .iter()
            .map(|push| {
                (
                    push.number,
                    push.reference.as_str(),
                    push.before.is_some(),
                    push.after.is_some(),
                    push.by.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (1, "refs/heads/main", false, true, Some("ann")),
                (2, "refs/heads/other", false, true, Some("ann")),
                (3, "refs/heads/main", true, true, Some("ann")),
                (4, "refs/heads/other", true, false, Some("ann")),
            ]
        );
        assert_eq!(told[2].before, told[0].after);
        place.server.close().await;
        assert_eq!(place.pushes.next().await, None);
    });
}

/// The issue asks for a run within 200 ms of a push; what is ours of it is small. The time is printed, not judged: machines
/// differ, and the order is what counts.
#[test]
fn a_push_is_told_by_the_time_its_client_ends() {
    let Some(git) = git() else { return };
    run(async {
        let mut place = Place::new(git, ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        let url = place.url("ann", "shop");
        let mut slowest = Duration::ZERO;
        for number in 0..10 {
            place.commit("one", &[("a", &format!("{number}"))], "next").await;
            place.git("one", &["push", "--quiet", &url, "main"]).await;
            let start = Instant::now();
            let push = place.pushes.next().await.unwrap();
            slowest = slowest.max(start.elapsed());
            assert_eq!(push.number, number + 1);
        }
        println!("told at most {slowest:?} after the client has ended");
    });
}

#[test]
fn a_first_branch_of_another_name_is_what_a_clone_finds() {
    let Some(git) = git() else { return };
    run(async {
        let mut place = Place::new(git, ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        let url = place.url("ann", "shop");
        place.git("one", &["push", "--quiet", &url, "main:trunk"]).await;
        place.pushes.next().await.unwrap();
        place.git("", &["clone", "--quiet", &url, "clone"]).await;
        assert_eq!(place.git("clone", &["branch", "--show-current"]).await, "trunk");
    });
}

/// 100 ends at random points: after git accepted a push and before anybody looked, after it was told and before that was
/// noted, with a note half written. Whoever keeps the numbers sees each push once, in order, with nothing left out.
#[test]
fn pushes_outlive_crashes() {
    let Some(git) = git() else { return };
    let folder = Folder::new();
    run(async {
        let name: RepositoryName = "shop".parse().unwrap();
        let (repositories, pushes) = Repositories::open(&folder.join("git"), git.clone()).unwrap();
        let bare = repositories.create(&name).await.unwrap().folder().to_owned();
        drop((repositories, pushes));
        let work = folder.join("work");
        std::fs::create_dir_all(&work).unwrap();
        let client = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            let output = client(&work, &arguments);
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        client(&["init", "--quiet", "--initial-branch=main"]);
        let mut expected: Vec<Option<String>> = Vec::new();
        let mut kept: BTreeMap<u64, Push> = BTreeMap::new();
        let mut dice = 7_u64;
        let mut roll = |sides: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        for crash in 0..100 {
            // A push that git accepts while nobody looks.
            if roll(3) > 0 {
                write(&work, &[("a", &format!("{crash}"))]);
                client(&["add", "a"]);
                client(&["commit", "--quiet", "-m", "next"]);
                client(&["push", "--quiet", bare.to_str().unwrap(), "main"]);
                expected.push(Some(client(&["rev-parse", "HEAD"])));
            }
            if roll(4) == 0 {
                std::fs::write(bare.join("deploy-told.json.partial"), "{\"next\":").unwrap();
            }
            let (repositories, mut pushes) = Repositories::open(&folder.join("git"), git.clone()).unwrap();
            for _ in 0..roll(3) {
                if kept.len() == expected.len() {
                    break;
                }
                let push = pushes.next().await.unwrap();
                if let Some(before) = kept.insert(push.number, push.clone()) {
                    assert_eq!(before, push, "a number means one push");
                }
                if roll(2) == 0 {
                    pushes.done(&push).await.unwrap();
                }
            }
            drop((repositories, pushes));
        }
        let (_repositories, mut pushes) = Repositories::open(&folder.join("git"), git.clone()).unwrap();
        while kept.len() < expected.len() {
            let push = pushes.next().await.unwrap();
            kept.insert(push.number, push);
        }
        let told: Vec<Option<String>> = kept
            .values()
            .map(|push| push.after.clone().map(String::from))
            .collect();
        assert_eq!(told, expected);
        assert_eq!(
            kept.keys().copied().collect::<Vec<_>>(),
            (1..=expected.len() as u64).collect::<Vec<_>>()
        );
        assert!(expected.len() > 40);
    });
}
