use std::os::unix::fs::PermissionsExt;

use deploy_git::{FileKind, GitError, Oid, Repository, RepositoryName, ServerOptions, limits};

use crate::place::{Place, content, git, run};

/// A repository with two commits, read by us.
async fn two(place: &Place) -> (Repository, Oid, Oid) {
    let files = [
        (".deploy/workflows/ci.yaml", "on: push\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("with space/ü", "x"),
        ("run.sh", "#!/bin/sh\n"),
    ];
    place.work("one", &files).await;
    let run = place.folder.join("one/run.sh");
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("src/main.rs", place.folder.join("one/link")).unwrap();
    std::os::unix::fs::symlink("/etc", place.folder.join("one/away")).unwrap();
    let first = place.commit("one", &[], "second\n\nwith a body").await;
    place.git("one", &["rm", "--quiet", "with space/ü"]).await;
    let second = place
        .commit("one", &[("src/main.rs", "fn main() { }\n"), ("new", "")], "third")
        .await;
    place
        .git("one", &["push", "--quiet", &place.url("ann", "shop"), "main"])
        .await;
    let name: RepositoryName = "shop".parse().unwrap();
    let repository = place.repositories.find(&name).unwrap();
    (repository, first.parse().unwrap(), second.parse().unwrap())
}

#[test]
fn files_folders_and_commits() {
    let Some(git) = git() else { return };
    run(async {
        let place = Place::new(git, ServerOptions::default()).await;
        let (repository, first, second) = two(&place).await;
        assert_eq!(repository.resolve("main").await.unwrap(), second);
        assert_eq!(repository.resolve(&first.as_str()[..10]).await.unwrap(), first);
        for missing in [
            "none",
            "main~1..main",
            "--all",
            "main@{1}",
            ":/second",
            "main^{tree}",
            "",
            "a\nb",
        ] {
            assert!(
                matches!(repository.resolve(missing).await, Err(GitError::NotFound { .. })),
                "{missing}"
            );
        }

        assert_eq!(
            repository.read_file(&second, "src/main.rs").await.unwrap(),
            b"fn main() { }\n"
        );
        assert_eq!(repository.read_file(&first, "with space/ü").await.unwrap(), b"x");
        assert_eq!(repository.read_file(&second, "new").await.unwrap(), b"");
        let none: Oid = "1".repeat(40).parse().unwrap();
        for (commit, path) in [
            (&second, "with space/ü"),
            (&second, "src"),
            (&second, "none"),
            (&none, "new"),
        ] {
            let refused = repository.read_file(commit, path).await;
            assert!(matches!(refused, Err(GitError::NotFound { .. })), "{path}");
        }
        for path in ["", "../x", "/x", "a//b", "a\nb", "./a"] {
            let refused = repository.read_file(&second, path).await;
            assert!(matches!(refused, Err(GitError::Invalid { .. })), "{path:?}");
        }

        let root: Vec<(String, FileKind)> = repository
            .list(&first, "", false)
            .await
            .unwrap()
            .into_iter()
            .map(|entry| (entry.path, entry.kind))
            .collect();
        let kinds = [
            (".deploy", FileKind::Folder),
            ("away", FileKind::Link),
            ("link", FileKind::Link),
            ("run.sh", FileKind::Executable),
            ("src", FileKind::Folder),
            ("with space", FileKind::Folder),
        ];
        assert_eq!(root, kinds.map(|(path, kind)| (path.to_owned(), kind)));
        let workflows = repository
            .list(&second, ".deploy/workflows", false)
            .await
            .unwrap();
        assert_eq!(
            (workflows[0].path.as_str(), workflows[0].bytes),
            (".deploy/workflows/ci.yaml", Some(9))
        );
        assert_eq!(repository.list(&second, "", true).await.unwrap().len(), 6);
        for missing in [".deploy/none", "new", "new/x"] {
            let refused = repository.list(&second, missing, false).await;
            assert!(
                matches!(refused, Err(GitError::NotFound { .. })),
                "{missing}: {refused:?}"
            );
        }

        let changed = repository.changed_paths(Some(&first), &second).await.unwrap();
        assert_eq!(
            (changed.paths, changed.more),
            (
                ["new", "src/main.rs", "with space/ü"].map(str::to_owned).into(),
                false
            )
        );
        assert_eq!(
            repository.changed_paths(None, &second).await.unwrap().paths.len(),
            6
        );
        assert!(matches!(
            repository.changed_paths(Some(&none), &second).await,
            Err(GitError::NotFound { .. })
        ));

        let log = repository.log(&second, None, 10).await.unwrap();
        let messages: Vec<&str> = log.iter().map(|commit| commit.message.as_str()).collect();
        assert_eq!(messages, ["third", "second\n\nwith a body", "first"]);
        assert_eq!(
            (log[0].author.as_str(), log[0].email.as_str()),
            ("Ann", "ann@example.com")
        );
        assert_eq!((&log[0].oid, &log[0].parents), (&second, &vec![first.clone()]));
        assert!(log[2].parents.is_empty());
        assert_eq!(repository.log(&second, Some(&first), 10).await.unwrap().len(), 1);
        assert_eq!(repository.log(&second, None, 2).await.unwrap().len(), 2);
        assert!(matches!(
            repository.log(&none, None, 2).await,
            Err(GitError::NotFound { .. })
        ));
    });
}

#[test]
fn a_checkout_is_what_git_would_make_and_runs_nothing() {
    let Some(git) = git() else { return };
    run(async {
        let place = Place::new(git, ServerOptions::default()).await;
        let (repository, first, _) = two(&place).await;
        let to = place.folder.join("checkout");
        let checkout = repository.checkout(&first, &to).await.unwrap();
        assert_eq!((checkout.files, checkout.submodules.len()), (6, 0));
        place
            .git("", &["clone", "--quiet", &place.url("ann", "shop"), "clone"])
            .await;
        place.git("clone", &["checkout", "--quiet", first.as_str()]).await;
        // The link to a folder of this machine is a link, and nothing was written through it.
        std::fs::remove_file(to.join("away")).unwrap();
        std::fs::remove_file(place.folder.join("clone/away")).unwrap();
        assert_eq!(content(&to), content(&place.folder.join("clone")));
        let mode = std::fs::metadata(to.join("run.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111);
        assert!(!to.join(".git").exists());
        assert!(matches!(
            repository.checkout(&first, &to).await,
            Err(GitError::NotEmpty { .. })
        ));
        let none: Oid = "1".repeat(40).parse().unwrap();
        let missing = repository.checkout(&none, &place.folder.join("none")).await;
        assert!(matches!(missing, Err(GitError::NotFound { .. })), "{missing:?}");
        let left = std::fs::read_dir(repository.folder()).unwrap();
        let index = left.filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("index")
        });
        assert_eq!(index.count(), 0, "no index is left behind");

        // Filters, hooks and submodules that a commit names are nothing but text.
        let proof = place.folder.join("proof");
        let attributes = [
            (".gitattributes", "* filter=evil\n*.txt text eol=crlf\n"),
            (
                ".gitmodules",
                "[submodule \"x\"]\n\tpath = sub\n\turl = https://example.com/x\n",
            ),
            ("line.txt", "a\nb\n"),
        ];
        crate::place::write(&place.folder.join("one"), &attributes);
        place.git("one", &["add", "--all"]).await;
        let cacheinfo = format!("160000,{first},sub");
        place
            .git("one", &["update-index", "--add", "--cacheinfo", &cacheinfo])
            .await;
        place.git("one", &["commit", "--quiet", "-m", "evil"]).await;
        place
            .git("one", &["push", "--quiet", &place.url("ann", "shop"), "main"])
            .await;
        let hook = repository.folder().join("hooks");
        std::fs::create_dir(&hook).unwrap();
        std::fs::write(
            hook.join("post-checkout"),
            format!("#!/bin/sh\ntouch {}\n", proof.display()),
        )
        .unwrap();
        std::fs::set_permissions(hook.join("post-checkout"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let head = repository.resolve("main").await.unwrap();
        let to = place.folder.join("evil");
        let checkout = repository.checkout(&head, &to).await.unwrap();
        assert_eq!(checkout.submodules, ["sub"]);
        assert_eq!(std::fs::read_dir(to.join("sub")).unwrap().count(), 0);
        assert_eq!(std::fs::read(to.join("line.txt")).unwrap(), b"a\r\nb\r\n");
        assert!(!proof.exists());
    });
}

#[test]
fn what_is_read_is_bounded() {
    let Some(git) = git() else { return };
    run(async {
        let place = Place::new(git, ServerOptions::default()).await;
        let large = "x".repeat(limits::FILE_BYTES + 1);
        place
            .work("one", &[("large", &large), ("fits", &large[1..])])
            .await;
        for number in 0..=limits::CHANGED_PATHS {
            std::fs::write(place.folder.join(&format!("one/file-{number}")), "").unwrap();
        }
        let head = place.commit("one", &[], "many").await.parse().unwrap();
        place
            .git("one", &["push", "--quiet", &place.url("ann", "shop"), "main"])
            .await;
        let repository = place.repositories.find(&"shop".parse().unwrap()).unwrap();
        assert!(matches!(
            repository.read_file(&head, "large").await,
            Err(GitError::TooLarge { .. })
        ));
        assert_eq!(
            repository.read_file(&head, "fits").await.unwrap().len(),
            limits::FILE_BYTES
        );
        let changed = repository.changed_paths(None, &head).await.unwrap();
        assert_eq!((changed.paths.len(), changed.more), (limits::CHANGED_PATHS, true));
    });
}
