//! Webhooks: the cases of Argo CD, and those of each provider that they lack.

use std::fs;

use deploy_conformance::{Suite, root};
use deploy_git::webhook::{Action, Event, Provider, WebhookError, verify};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use proptest::prelude::*;
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &str = "a secret";

/// Headers with the signature that the provider would send.
fn signed(provider: Provider, event: &str, body: &[u8]) -> HeaderMap {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let digits: String = hmac::sign(&key, body)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (event_header, header, value) = match provider {
        Provider::GitHub => (
            "x-github-event",
            "x-hub-signature-256",
            format!("sha256={digits}"),
        ),
        Provider::GitLab => ("x-gitlab-event", "x-gitlab-token", SECRET.to_owned()),
        Provider::Gitee => ("x-gitee-event", "x-gitee-token", SECRET.to_owned()),
        Provider::Gitea => ("x-gitea-event", "x-gitea-signature", digits),
        Provider::Gogs => ("x-gogs-event", "x-gogs-signature", digits),
    };
    let mut headers = HeaderMap::new();
    headers.insert(event_header, event.parse().unwrap());
    headers.insert(header, value.parse().unwrap());
    headers
}

fn read(provider: Provider, event: &str, body: &[u8]) -> Result<Event, WebhookError> {
    let headers = signed(provider, event, body);
    verify(provider, &headers, body, SECRET, Timestamp::UNIX_EPOCH).map(|delivery| delivery.event)
}

fn case(root: &std::path::Path, case: &Value) -> Result<(), String> {
    let body = match case["payload"].as_str() {
        Some(path) => fs::read(root.join("argo-cd").join(path)).map_err(|error| error.to_string())?,
        None => case["payload_inline"].to_string().into_bytes(),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        let value =
            HeaderValue::from_str(value.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
        headers.insert(name, value);
    }
    let provider = Provider::of(&headers).ok_or("a provider that is not spoken")?;
    // The cases have no secret.
    headers.extend(
        signed(provider, "", &body)
            .into_iter()
            .filter_map(|(name, value)| {
                let name = name?;
                (!name.as_str().ends_with("event")).then_some((name, value))
            }),
    );
    let delivery = verify(provider, &headers, &body, SECRET, Timestamp::UNIX_EPOCH)
        .map_err(|error| error.to_string())?;
    let expected = &case["push"];
    match delivery.event {
        Event::Push(push) => {
            let found = json!({
                "repo": push.repository.web_url,
                "revision": push.short(),
                "touched_head": push.is_default_branch(),
            });
            (found == *expected)
                .then_some(())
                .ok_or(format!("{found}, not {expected}"))
        }
        other if expected.is_null() => {
            let is_ping = case["log_contains"][0]
                .as_str()
                .is_some_and(|text| text.starts_with("Ignoring"));
            (is_ping == (other == Event::Ping))
                .then_some(())
                .ok_or(format!("{other:?}"))
        }
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn argo_cd() {
    let Some(root) = root() else {
        println!("skipped: no conformance cases");
        return;
    };
    let text = fs::read_to_string(root.join("argo-cd/cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut suite = Suite::new("argo-cd/webhook");
    for one in cases.iter().filter(|case| case["type"] == "webhook") {
        suite.case(one["name"].as_str().unwrap(), || case(&root, one));
    }
    suite.finish();
}

/// The payloads of pull requests that the cases have without an expectation, with what their files say.
#[test]
fn pull_requests() {
    let Some(root) = root() else {
        println!("skipped: no conformance cases");
        return;
    };
    let file = |name: &str| fs::read(root.join("argo-cd/webhook/applicationset").join(name)).unwrap();
    let labeled = Action::Other("labeled".to_owned());
    for (provider, event, name, action) in [
        (
            Provider::GitHub,
            "pull_request",
            "github-pull-request-opened-event.json",
            Action::Opened,
        ),
        (
            Provider::GitHub,
            "pull_request",
            "github-pull-request-labeled-event.json",
            labeled,
        ),
        (
            Provider::GitLab,
            "Merge Request Hook",
            "gitlab-merge-request-open-event.json",
            Action::Opened,
        ),
    ] {
        let body = file(name);
        let Ok(Event::PullRequest(pull)) = read(provider, event, &body) else {
            panic!("{name}: {:?}", read(provider, event, &body));
        };
        let said: Value = serde_json::from_slice(&body).unwrap();
        let either = |a: &str, b: &str| said.pointer(a).or(said.pointer(b)).cloned().unwrap_or_default();
        assert_eq!(pull.action, action, "{name}");
        assert_eq!(
            json!(pull.number),
            either("/number", "/object_attributes/iid"),
            "{name}"
        );
        assert_eq!(
            json!(pull.into),
            either("/pull_request/base/ref", "/object_attributes/target_branch"),
            "{name}"
        );
        assert_eq!(
            json!(pull.from),
            either("/pull_request/head/ref", "/object_attributes/source_branch"),
            "{name}"
        );
        assert!(
            pull.commit.is_some() && !pull.sender.is_empty() && !pull.title.is_empty(),
            "{name}"
        );
    }
}

fn gitee_push() -> Value {
    json!({
        "hook_name": "push_hooks",
        "ref": "refs/heads/master",
        "before": "b3a2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4",
        "after": "1c50471f92647138cb31ab0fb7aa4b4cf2d1b1e1",
        "total_commits_count": 1,
        "commits": [{"id": "1c50", "added": ["d.txt", "a.txt"], "removed": [], "modified": ["b/c"]}],
        "repository": {
            "full_name": "oschina/git-osc", "html_url": "https://gitee.com/oschina/git-osc",
            "clone_url": "https://gitee.com/oschina/git-osc.git", "ssh_url": "git@gitee.com:oschina/git-osc.git",
            "default_branch": "master",
        },
        "sender": {"login": "robot", "name": "robot"},
    })
}

#[test]
fn gitee_and_gitea() {
    let body = gitee_push().to_string().into_bytes();
    match read(Provider::Gitee, "Push Hook", &body) {
        Ok(Event::Push(push)) => {
            assert_eq!(
                (push.short(), push.is_default_branch(), push.sender.as_str()),
                ("master", true, "robot")
            );
            assert_eq!(
                (push.paths, push.paths_are_all),
                (["a.txt", "b/c", "d.txt"].map(str::to_owned).into(), true)
            );
            assert_eq!(push.repository.clone_url, "https://gitee.com/oschina/git-osc.git");
        }
        other => panic!("{other:?}"),
    }
    let mut merge = gitee_push();
    merge["action"] = json!("update");
    merge["action_desc"] = json!("source_branch_changed");
    merge["pull_request"] = json!({
        "number": 7, "title": "A change", "draft": false,
        "head": {"ref": "feature", "sha": "1c50471f92647138cb31ab0fb7aa4b4cf2d1b1e1", "repo": {"clone_url": "https://gitee.com/fork/git-osc.git"}},
        "base": {"ref": "master"},
    });
    match read(
        Provider::Gitee,
        "Merge Request Hook",
        merge.to_string().as_bytes(),
    ) {
        Ok(Event::PullRequest(pull)) => {
            assert_eq!(
                (pull.number, pull.action, pull.into.as_str()),
                (7, Action::Synchronize, "master")
            );
            assert_eq!(
                (pull.from.as_str(), pull.from_url.as_str()),
                ("feature", "https://gitee.com/fork/git-osc.git")
            );
        }
        other => panic!("{other:?}"),
    }
    // Gitea: a new branch names no commit before, and more commits than it shows.
    let mut new = gitee_push();
    new["before"] = json!("0".repeat(40));
    new["total_commits"] = json!(40);
    match read(Provider::Gitea, "push", new.to_string().as_bytes()) {
        Ok(Event::Push(push)) => assert_eq!((push.before, push.paths_are_all), (None, false)),
        other => panic!("{other:?}"),
    }
    let mut gone = gitee_push();
    gone["after"] = json!("0".repeat(40));
    match read(Provider::Gitea, "push", gone.to_string().as_bytes()) {
        Ok(Event::Push(push)) => assert_eq!(push.after, None),
        other => panic!("{other:?}"),
    }
    let mut headers = signed(Provider::Gitea, "push", &body);
    headers.insert("x-github-event", "push".parse().unwrap());
    headers.insert("x-gogs-event", "push".parse().unwrap());
    assert_eq!(Provider::of(&headers), Some(Provider::Gitea));
}

#[test]
fn a_body_is_believed_only_as_it_was_signed() {
    let body = gitee_push().to_string().into_bytes();
    for provider in [Provider::GitHub, Provider::Gitea, Provider::Gogs] {
        let headers = signed(provider, "push", &body);
        let ask = |body: &[u8], secret| verify(provider, &headers, body, secret, Timestamp::UNIX_EPOCH);
        assert!(ask(&body, SECRET).is_ok());
        let mut changed = body.clone();
        *changed.last_mut().unwrap() = b' ';
        assert!(matches!(
            ask(&changed, SECRET),
            Err(WebhookError::WrongSignature { .. })
        ));
        assert!(matches!(
            ask(&body, "another"),
            Err(WebhookError::WrongSignature { .. })
        ));
        assert_eq!(ask(&body, ""), Err(WebhookError::NoSecret));
        let none = verify(provider, &HeaderMap::new(), &body, SECRET, Timestamp::UNIX_EPOCH);
        assert!(matches!(none, Err(WebhookError::Unsigned { .. })));
    }
    // A form, as GitHub sends it when it is told to.
    let escaped: String = body.iter().map(|byte| format!("%{byte:02X}")).collect();
    let form = format!("a=b&payload={escaped}").into_bytes();
    let mut headers = signed(Provider::GitHub, "push", &form);
    headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    let delivery = verify(Provider::GitHub, &headers, &form, SECRET, Timestamp::UNIX_EPOCH).unwrap();
    assert!(matches!(delivery.event, Event::Push(_)));
}

#[test]
fn what_cannot_be_read_is_said() {
    for body in [
        "",
        "[]",
        "nonsense",
        "{}",
        "{\"ref\":\"refs/heads/a\"}",
        "{\"repository\":{\"full_name\":\"a\",\"html_url\":\"b\"}}",
    ] {
        for provider in [
            Provider::GitHub,
            Provider::GitLab,
            Provider::Gitee,
            Provider::Gitea,
            Provider::Gogs,
        ] {
            let event = match provider {
                Provider::GitLab => "Push Hook",
                _ => "push",
            };
            match read(provider, event, body.as_bytes()) {
                Err(WebhookError::Malformed { .. }) => {}
                // Without a kind, GitLab's body is some other event.
                Ok(Event::Other { .. }) if provider == Provider::GitLab => {}
                other => panic!("{provider:?} {body}: {other:?}"),
            }
        }
    }
    let mut short = gitee_push();
    short["after"] = json!("12345");
    let refused = read(Provider::GitHub, "push", short.to_string().as_bytes());
    assert!(matches!(refused, Err(WebhookError::Malformed { .. })));
    assert_eq!(
        read(Provider::GitHub, "issue_comment", b"{}"),
        Ok(Event::Other {
            name: "issue_comment".to_owned()
        })
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a provider (or whoever has the secret) sends, the answer is an event or an error.
    #[test]
    fn no_body_panics(
        event in prop_oneof![Just("push"), Just("pull_request"), Just("Push Hook"), Just("Merge Request Hook")],
        field in "[a-z_]{1,12}",
        place in any::<prop::sample::Index>(),
        value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!([])), Just(json!({})), Just(json!("")), Just(json!("\u{0}"))],
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = gitee_push();
        let keys: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        body[&keys[place.index(keys.len())]] = value.clone();
        body[&field] = value;
        let text = body.to_string();
        for provider in [Provider::GitHub, Provider::GitLab, Provider::Gitee, Provider::Gitea, Provider::Gogs] {
            drop(read(provider, event, text.as_bytes()));
            drop(read(provider, event, &text.as_bytes()[..cut.index(text.len())]));
        }
    }
}
