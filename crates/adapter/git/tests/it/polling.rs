use std::time::Duration;

use deploy_git::poll::{Poll, Remote};
use deploy_git::{GitError, ServerOptions};

use crate::place::{Place, git, run};

#[test]
fn a_remote_is_asked_fetched_and_told() {
    let Some(git) = git() else { return };
    run(async {
        let mut place = Place::new(git.clone(), ServerOptions::default()).await;
        place.work("one", &[("a", "a")]).await;
        place
            .git(
                "one",
                &[
                    "push",
                    "--quiet",
                    &place.url("ann", "origin"),
                    "main",
                    "main:other",
                ],
            )
            .await;
        for _ in 0..2 {
            let push = place.pushes.next().await.unwrap();
            assert_eq!(push.repository, "origin");
        }
        let url = format!("http://{}/git/origin.git", place.address);
        let remote = Remote::new(&url).unwrap().with_password("x", "token-of-bob");
        assert!(!format!("{remote:?}").contains("token-of-bob"));
        let mut poll = Poll::new(Duration::from_secs(30));
        let references = git.references_of(&remote).await.unwrap();
        assert_eq!(
            references.keys().collect::<Vec<_>>(),
            ["refs/heads/main", "refs/heads/other"]
        );
        assert!(poll.answered(references).changed.is_empty());
        place.commit("one", &[("a", "b")], "second").await;
        place
            .git(
                "one",
                &["push", "--quiet", &place.url("ann", "origin"), "main", ":other"],
            )
            .await;
        let next = poll.answered(git.references_of(&remote).await.unwrap());
        assert_eq!(next.changed, ["refs/heads/main", "refs/heads/other"]);
        for _ in 0..2 {
            place.pushes.next().await.unwrap();
        }

        let mirror = place
            .repositories
            .create(&"mirror".parse().unwrap())
            .await
            .unwrap();
        mirror.fetch(&remote).await.unwrap();
        place.repositories.settle(mirror.name()).await.unwrap();
        let push = place.pushes.next().await.unwrap();
        let head = place.git("one", &["rev-parse", "HEAD"]).await;
        assert_eq!(
            (push.repository.as_str(), push.after.unwrap().as_str()),
            ("mirror", head.as_str())
        );
        assert_eq!(push.by.as_deref(), Some("poll"));

        // Refusals name the cause, and never the token.
        let wrong = Remote::new(&url).unwrap().with_password("x", "secret-token");
        for refused in [
            git.references_of(&wrong).await.map(drop),
            mirror.fetch(&wrong).await,
        ] {
            let GitError::Refused { reason, .. } = refused.unwrap_err() else {
                panic!("it is a refusal")
            };
            assert!(
                reason.contains("Authentication failed") || reason.contains("could not read Username"),
                "{reason}"
            );
            assert!(!reason.contains("secret-token"), "{reason}");
        }
        let nobody = Remote::new("http://127.0.0.1:1/x.git").unwrap();
        assert!(matches!(
            git.references_of(&nobody).await,
            Err(GitError::Refused { .. })
        ));
    });
}
