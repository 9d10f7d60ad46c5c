use std::collections::BTreeMap;

use deploy_git::state::{Content, Intent, Place as Target};
use deploy_git::{Git, GitError, Oid, Pushes, Repositories, Repository};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::place::{Folder, git, run};

async fn repository(folder: &Folder, git: Git) -> (Repositories, Pushes, Repository) {
    let (repositories, pushes) = Repositories::open(&folder.join("git"), git).unwrap();
    let repository = repositories.create(&"state".parse().unwrap()).await.unwrap();
    (repositories, pushes, repository)
}

fn target(site: &str) -> Target {
    Target {
        environment: "prod".to_owned(),
        site: site.to_owned(),
        app: "shop".to_owned(),
    }
}

fn files(files: &[(&str, &str)]) -> Content {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    Content::Files(files.collect())
}

fn intent(places: &[(&str, Content)]) -> Intent {
    Intent {
        branch: "main".to_owned(),
        places: places
            .iter()
            .map(|(site, content)| (target(site), content.clone()))
            .collect(),
        message: "Release shop 42\n\nBecause it is \"ready\".".to_owned(),
        trailers: vec![
            ("Release".to_owned(), "shop/42".to_owned()),
            ("Run".to_owned(), "7".to_owned()),
        ],
        author: "Ann <evil>\n".to_owned(),
        email: "ann@example.com".to_owned(),
        at: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

async fn shown(repository: &Repository, commit: &Oid) -> Vec<String> {
    let mut shown = Vec::new();
    for entry in repository.list(commit, "", true).await.unwrap() {
        let text = repository.read_file(commit, &entry.path).await.unwrap();
        shown.push(format!("{}={}", entry.path, String::from_utf8(text).unwrap()));
    }
    shown
}

#[test]
fn targets_are_replaced_in_one_commit_and_undone_by_another() {
    let Some(git) = git() else { return };
    let folder = Folder::new();
    run(async {
        let (repositories, mut pushes, repository) = repository(&folder, git).await;
        let first = intent(&[
            (
                "us",
                files(&[("a.yaml", "1"), ("deep/b \"q\".yaml", "2"), ("back", "x\\y\n")]),
            ),
            ("de", files(&[("a.yaml", "1")])),
        ]);
        let one = repository.commit_state(&first).await.unwrap();
        assert!(one.is_new);
        assert_eq!(
            shown(&repository, &one.oid).await,
            [
                "prod/de/shop/a.yaml=1",
                "prod/us/shop/a.yaml=1",
                "prod/us/shop/back=x\\y\n",
                "prod/us/shop/deep/b \"q\".yaml=2",
            ]
        );
        let log = repository.log(&one.oid, None, 1).await.unwrap();
        assert_eq!(
            log[0].message,
            "Release shop 42\n\nBecause it is \"ready\".\n\nRelease: shop/42\nRun: 7"
        );
        assert_eq!((log[0].author.as_str(), log[0].at), ("Ann evil", first.at));
        // The same again is no commit.
        let again = repository.commit_state(&first).await.unwrap();
        assert_eq!((again.is_new, &again.oid), (false, &one.oid));

        // A target is replaced as a whole, one is removed, others stay.
        let second = intent(&[
            ("us", files(&[("c.yaml", "3")])),
            ("de", files(&[])),
            ("jp", files(&[("x", "")])),
        ]);
        let two = repository.commit_state(&second).await.unwrap();
        assert_eq!(
            shown(&repository, &two.oid).await,
            ["prod/jp/shop/x=", "prod/us/shop/c.yaml=3"]
        );

        // Undo of one site, then of the rest; jp was not there.
        let undo = intent(&[("us", Content::As(one.oid.clone()))]);
        let three = repository.commit_state(&undo).await.unwrap();
        assert_eq!(shown(&repository, &three.oid).await[1], "prod/us/shop/a.yaml=1");
        let undo = intent(&["us", "de", "jp"].map(|site| (site, Content::As(one.oid.clone()))));
        let four = repository.commit_state(&undo).await.unwrap();
        assert_eq!(
            shown(&repository, &four.oid).await,
            shown(&repository, &one.oid).await
        );
        assert!(!repository.commit_state(&undo).await.unwrap().is_new);
        assert_eq!(
            repository.log(&four.oid, None, 10).await.unwrap().len(),
            4,
            "undo is a commit too"
        );
        assert_eq!(repository.resolve("main").await.unwrap(), four.oid);

        repositories.settle(repository.name()).await.unwrap();
        let push = pushes.next().await.unwrap();
        assert_eq!(
            (push.after.as_ref(), push.by.as_deref()),
            (Some(&one.oid), Some("Deploy"))
        );
    });
}

#[test]
fn what_could_harm_is_refused() {
    let Some(git) = git() else { return };
    let folder = Folder::new();
    run(async {
        let (_repositories, _pushes, repository) = repository(&folder, git).await;
        for path in [
            "../x",
            "/x",
            "",
            "a//b",
            ".git/config",
            "a/.GIT/x",
            ".gitmodules",
            "a\nb",
            "a\\b",
            "c:x",
            ".",
        ] {
            let refused = repository
                .commit_state(&intent(&[("us", files(&[(path, "x")]))]))
                .await;
            assert!(
                matches!(refused, Err(GitError::Invalid { .. })),
                "{path:?}: {refused:?}"
            );
        }
        for site in ["", "US", "..", "a/b", "-a", "a b"] {
            let refused = repository
                .commit_state(&intent(&[(site, files(&[("a", "x")]))]))
                .await;
            assert!(matches!(refused, Err(GitError::Invalid { .. })), "{site:?}");
        }
        for (key, value) in [("a b", "x"), ("", "x"), ("Run", "a\nEvil: b")] {
            let mut intent = intent(&[("us", files(&[("a", "x")]))]);
            intent.trailers.push((key.to_owned(), value.to_owned()));
            assert!(
                matches!(
                    repository.commit_state(&intent).await,
                    Err(GitError::Invalid { .. })
                ),
                "{key:?}"
            );
        }
        for branch in ["", "-x", "a..b", "a b", "x.lock", "a\nb"] {
            let mut intent = intent(&[("us", files(&[("a", "x")]))]);
            intent.branch = branch.to_owned();
            assert!(repository.commit_state(&intent).await.is_err(), "{branch:?}");
        }
        let none = intent(&[("us", Content::As("1".repeat(40).parse().unwrap()))]);
        assert!(matches!(
            repository.commit_state(&none).await,
            Err(GitError::NotFound { .. })
        ));
        assert!(repository.references().await.unwrap().is_empty());
        // Content may be anything, also what looks like a command to git.
        let evil = "\ndone\ncommit refs/heads/evil\ndata 3\nabc\n";
        let committed = repository
            .commit_state(&intent(&[("us", files(&[("a", evil)]))]))
            .await
            .unwrap();
        assert_eq!(
            repository
                .read_file(&committed.oid, "prod/us/shop/a")
                .await
                .unwrap(),
            evil.as_bytes()
        );
        assert_eq!(repository.references().await.unwrap().len(), 1);
    });
}

#[test]
fn who_commits_at_the_same_time_loses_nothing() {
    let Some(git) = git() else { return };
    let folder = Folder::new();
    run(async {
        let (_repositories, _pushes, repository) = repository(&folder, git).await;
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4 {
            let repository = repository.clone();
            tasks.spawn(async move {
                let site = format!("site-{task}");
                for number in 0..5 {
                    let intent = intent(&[(&site, files(&[("a", &format!("{number}"))]))]);
                    // Whoever is refused too often tries again, as its owner would.
                    while let Err(error) = repository.commit_state(&intent).await {
                        assert!(matches!(error, GitError::Contended { .. }), "{error}");
                    }
                }
            });
        }
        tasks.join_all().await;
        let head = repository.resolve("main").await.unwrap();
        assert_eq!(repository.log(&head, None, 100).await.unwrap().len(), 20);
        assert_eq!(
            shown(&repository, &head).await,
            [0, 1, 2, 3].map(|task| format!("prod/site-{task}/shop/a=4"))
        );
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// The repository holds what a map would, and undo of any commit brings back what it held.
    #[test]
    fn it_is_a_map_with_undo(
        steps in prop::collection::vec((0..3u8, prop::collection::btree_map("[a-z]{1,3}(/[a-z]{1,3})?", "\\PC{0,12}", 0..4)), 1..6),
        back in any::<prop::sample::Index>(),
    ) {
        let Some(git) = git() else { return Ok(()) };
        // `a` and `a/b` cannot both be files.
        prop_assume!(steps.iter().all(|(_, files)| !files.keys().any(|a| files.keys().any(|b| b.starts_with(&format!("{a}/"))))));
        let folder = Folder::new();
        run(async {
            let (_repositories, _pushes, repository) = repository(&folder, git).await;
            let mut model: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
            let mut history = Vec::new();
            let expected = |model: &BTreeMap<String, BTreeMap<String, String>>| -> Vec<String> {
                let mut all: Vec<(String, String)> = model
                    .iter()
                    .flat_map(|(site, files)| files.iter().map(move |(path, text)| (format!("prod/{site}/shop/{path}"), text.clone())))
                    .collect();
                all.sort();
                all.into_iter().map(|(path, text)| format!("{path}={text}")).collect()
            };
            for (site, content) in &steps {
                let site = format!("s{site}");
                model.insert(site.clone(), content.clone());
                let said: Vec<(&str, &str)> = content.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
                let committed = repository.commit_state(&intent(&[(&site, files(&said))])).await.unwrap();
                let mut found = shown(&repository, &committed.oid).await;
                found.sort();
                let mut wanted = expected(&model);
                wanted.sort();
                prop_assert_eq!(found, wanted);
                history.push((committed.oid, model.clone()));
            }
            let (commit, model) = &history[back.index(history.len())];
            let undo = intent(&["s0", "s1", "s2"].map(|site| (site, Content::As(commit.clone()))));
            let undone = repository.commit_state(&undo).await.unwrap();
            let mut found = shown(&repository, &undone.oid).await;
            found.sort();
            let mut wanted = expected(model);
            wanted.sort();
            prop_assert_eq!(found, wanted);
            Ok(())
        })?;
    }
}
