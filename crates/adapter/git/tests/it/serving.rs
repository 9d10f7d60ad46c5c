use deploy_git::{RepositoryName, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::place::{Place, content, git, run};

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

#[test]
fn what_is_pushed_can_be_cloned_with_both_protocols() {
    let Some(git) = git() else { return };
    run(async {
        let mut place = Place::new(git, ServerOptions::default()).await;
        let files = [
            ("README", "hello\n"),
            ("src/a b.txt", "text\n"),
            ("ü", "umlaut\n"),
        ];
        place.work("one", &files).await;
        let url = place.url("ann", "team/shop");
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        let push = place.pushes.next().await.unwrap();
        let head = place.git("one", &["rev-parse", "HEAD"]).await;
        assert_eq!(push.after.unwrap().as_str(), head);
        assert_eq!(
            (push.reference.as_str(), push.by.as_deref(), push.before),
            ("refs/heads/main", Some("ann"), None)
        );
        for version in ["0", "1", "2"] {
            let (version, to) = (format!("protocol.version={version}"), format!("clone-{version}"));
            place
                .git(
                    "",
                    &[
                        "-c",
                        &version,
                        "clone",
                        "--quiet",
                        &place.url("bob", "team/shop"),
                        &to,
                    ],
                )
                .await;
            assert_eq!(
                content(&place.folder.join(&to)),
                content(&place.folder.join("one"))
            );
        }
        // Shallow, partial, a tag, a second branch, a deletion, and fetching what is new.
        place.commit("one", &[("README", "second\n")], "second").await;
        place.git("one", &["tag", "-m", "a tag", "v1"]).await;
        place
            .git("one", &["push", "--quiet", &url, "main", "main:other", "v1"])
            .await;
        place
            .git(
                "",
                &["clone", "--quiet", "--depth=1", "--branch=v1", &url, "shallow"],
            )
            .await;
        assert_eq!(place.git("shallow", &["rev-list", "--count", "HEAD"]).await, "1");
        place
            .git("", &["clone", "--quiet", "--filter=blob:none", &url, "partial"])
            .await;
        place.git("clone-2", &["pull", "--quiet", "--ff-only"]).await;
        assert_eq!(content(&place.folder.join("clone-2"))["README"], "second\n");
        place.git("one", &["push", "--quiet", &url, ":other"]).await;
        let repository = place.repositories.find(&name("team/shop")).unwrap();
        let references: Vec<String> = repository
            .references()
            .await
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(references, ["refs/heads/main", "refs/tags/v1"]);
        place
            .git(
                "",
                &[
                    "--git-dir",
                    repository.folder().to_str().unwrap(),
                    "fsck",
                    "--strict",
                ],
            )
            .await;
        assert_eq!(place.repositories.names().unwrap(), [name("team/shop")]);
    });
}

#[test]
fn a_large_push_streams_and_a_request_may_be_compressed() {
    let Some(git) = git() else { return };
    run(async {
        let place = Place::new(git, ServerOptions::default()).await;
        // 12 MB that do not compress: the client sends in chunks, after it has asked with an empty request.
        let mut state = 1_u64;
        let noise: String = (0..12_000_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'!' + (state >> 58) as u8)
            })
            .collect();
        place.work("one", &[("noise", &noise)]).await;
        let url = place.url("ann", "large");
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        // Many references: the client compresses its wishes.
        for number in 0..60 {
            place.git("one", &["branch", &format!("branch-{number}")]).await;
        }
        place.git("one", &["push", "--quiet", "--all", &url]).await;
        place.commit("one", &[("more", "x")], "more").await;
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        place
            .git(
                "",
                &["-c", "protocol.version=0", "clone", "--quiet", &url, "clone"],
            )
            .await;
        assert!(content(&place.folder.join("clone"))["noise"] == noise);
    });
}

#[test]
fn who_may_not_is_told_why() {
    let Some(git) = git() else { return };
    run(async {
        let place = Place::new(git, ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        place
            .git("one", &["push", "--quiet", &place.url("ann", "shop"), "main"])
            .await;
        place.commit("one", &[("a", "b")], "second").await;
        let plain = format!("http://{}/git/shop.git", place.address);
        place
            .refused("", &["clone", &plain, "x"], "could not read Username")
            .await;
        let wrong = format!("http://x:wrong@{}/git/shop.git", place.address);
        place
            .refused("", &["clone", &wrong, "x"], "remote: The token is not valid")
            .await;
        place
            .refused(
                "one",
                &["push", &place.url("bob", "shop"), "main"],
                "remote: bob may read shop, and not push",
            )
            .await;
        place
            .refused(
                "",
                &["clone", &place.url("eve", "shop"), "x"],
                "remote: There is no repository shop.",
            )
            .await;
        place
            .refused(
                "",
                &["clone", &place.url("bob", "none"), "x"],
                "remote: There is no repository none.",
            )
            .await;
        place
            .refused(
                "one",
                &["push", &place.url("ann", "Shop"), "main"],
                "remote: A repository cannot be named",
            )
            .await;
        let bearer = "http.extraHeader=Authorization: Bearer token-of-bob";
        place
            .git("", &["clone", "--quiet", "-c", bearer, &plain, "bearer"])
            .await;
    });
}

#[test]
fn bounds_and_rules_reach_the_user() {
    let Some(git) = git() else { return };
    run(async {
        let options = ServerOptions {
            push_bytes: 100_000,
            deny_non_fast_forwards: true,
        };
        let place = Place::new(git, options).await;
        place.work("one", &[("a", "a")]).await;
        let url = place.url("ann", "shop");
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        let mut state = 1_u64;
        let noise: String = (0..400_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'!' + (state >> 58) as u8)
            })
            .collect();
        place.commit("one", &[("noise", &noise)], "large").await;
        place
            .refused(
                "one",
                &["push", &url, "main"],
                "pack exceeds maximum allowed size",
            )
            .await;
        place.git("one", &["reset", "--quiet", "--hard", "HEAD~1"]).await;
        place
            .git("one", &["commit", "--quiet", "--amend", "-m", "rewritten"])
            .await;
        place
            .refused(
                "one",
                &["push", "--force", &url, "main"],
                "denying non-fast-forward",
            )
            .await;
        place
            .refused("one", &["push", &url, ":main"], "denying ref deletion")
            .await;
        // An object that harms whoever checks it out.
        place.git("one", &["reset", "--quiet", "--hard", "HEAD"]).await;
        let blob = place.git("one", &["hash-object", "-w", "a"]).await;
        std::fs::write(place.folder.join("tree"), format!("100644 blob {blob}\t.git\n")).unwrap();
        let mktree = format!("git mktree < {}", place.folder.join("tree").display());
        let tree = std::process::Command::new("sh")
            .args(["-c", &mktree])
            .current_dir(place.folder.join("one"))
            .output()
            .unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        let commit = place
            .git("one", &["commit-tree", tree.trim(), "-m", "evil"])
            .await;
        place
            .refused(
                "one",
                &["push", &url, &format!("{commit}:refs/heads/evil")],
                "hasDotgit",
            )
            .await;
        let repository = place.repositories.find(&name("shop")).unwrap();
        assert_eq!(repository.references().await.unwrap().len(), 1);
    });
}

#[test]
fn nothing_that_a_repository_holds_is_run() {
    let Some(git) = git() else { return };
    run(async {
        let place = Place::new(git, ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        let url = place.url("ann", "shop");
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        let repository = place.repositories.find(&name("shop")).unwrap();
        assert!(!repository.folder().join("hooks").exists());
        // Even a hook that somebody puts there, and settings of the repository's own file.
        let (hooks, proof) = (repository.folder().join("hooks"), place.folder.join("proof"));
        std::fs::create_dir(&hooks).unwrap();
        for hook in [
            "pre-receive",
            "update",
            "post-receive",
            "post-update",
            "reference-transaction",
            "proc-receive",
        ] {
            std::fs::write(
                hooks.join(hook),
                format!("#!/bin/sh\ntouch {}\n", proof.display()),
            )
            .unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(hooks.join(hook), mode).unwrap();
        }
        place.commit("one", &[("a", "b")], "second").await;
        place.git("one", &["push", "--quiet", &url, "main"]).await;
        place.git("", &["clone", "--quiet", &url, "clone"]).await;
        assert!(!proof.exists());
    });
}

#[test]
fn links_and_broken_requests_lead_nowhere() {
    let Some(git) = git() else { return };
    run(async {
        let mut place = Place::new(git, ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        place
            .git("one", &["push", "--quiet", &place.url("ann", "shop"), "main"])
            .await;
        place.pushes.next().await.unwrap();
        let root = place.folder.join("git");
        std::os::unix::fs::symlink(root.join("shop.git"), root.join("link.git")).unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(&root, root.join("real/team")).unwrap();
        for link in ["link", "real/team/shop"] {
            place
                .refused(
                    "",
                    &["clone", &place.url("ann", link), "x"],
                    "There is no repository",
                )
                .await;
        }
        let authorization = "authorization: Bearer token-of-ann";
        let post = "POST /git/shop.git/git-receive-pack HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-git-receive-pack-request";
        for (request, answer) in [
            // A body that is not what its head says, one that is not gzip, one that is no protocol, and none.
            (
                format!(
                    "{post}\r\n{authorization}\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello"
                ),
                "400",
            ),
            (
                format!(
                    "{post}\r\n{authorization}\r\ncontent-encoding: br\r\ncontent-length: 5\r\n\r\nhello"
                ),
                "415",
            ),
            (
                format!("{post}\r\n{authorization}\r\ncontent-length: 8\r\n\r\nnonsense"),
                "400",
            ),
            (
                format!("{post}\r\n{authorization}\r\ncontent-length: 0\r\n\r\n"),
                "400",
            ),
            (
                format!("{post}\r\n{authorization}\r\ncontent-length: 4\r\n\r\n0000"),
                "200",
            ),
            (format!("{post}\r\ncontent-length: 4\r\n\r\n0000"), "401"),
            (
                format!("GET /git/shop.git/config HTTP/1.1\r\nhost: x\r\n{authorization}\r\n\r\n"),
                "404",
            ),
            (
                format!("GET /git/shop.git/info/refs HTTP/1.1\r\nhost: x\r\n{authorization}\r\n\r\n"),
                "403",
            ),
        ] {
            let mut stream = tokio::net::TcpStream::connect(place.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.unwrap();
            assert_eq!(&head[9..], answer.as_bytes(), "{request}");
        }
        // A client that goes in the middle of its push: nothing changes, and the server ends when it is asked to.
        let mut stream = tokio::net::TcpStream::connect(place.address).await.unwrap();
        let cut = format!("{post}\r\n{authorization}\r\ncontent-length: 1000\r\n\r\n0094");
        stream.write_all(cut.as_bytes()).await.unwrap();
        drop(stream);
        place.server.close().await;
        assert_eq!(place.pushes.next().await, None);
    });
}
