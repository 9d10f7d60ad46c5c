//! Registries that lie, send without end, lead in circles, or speak something else.

use deploy_registry_client::{Client, Options, RegistryError};
use tokio::net::TcpListener;

use crate::server::{Reply, Request, Server, amd64, descriptor, manifest, sha256};

async fn resolve(server: &Server, rest: &str) -> RegistryError {
    Client::new(Options::default())
        .resolve(&server.reference(rest), &amd64(), None)
        .await
        .expect_err("it must not be taken")
}

async fn refusal(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> String {
    resolve(&Server::start(handler).await, "team/app:1")
        .await
        .to_string()
}

#[tokio::test]
async fn another_manifest_than_the_digest_names() {
    let server = Server::start(|_| Reply::ok(manifest())).await;
    let error = resolve(&server, &format!("team/app@{}", sha256(b"x"))).await;
    assert_eq!(
        error.to_string(),
        format!(
            "unexpected digest of manifest: got {}, expected {}",
            sha256(manifest().as_bytes()),
            sha256(b"x")
        )
    );
}

#[tokio::test]
async fn documents_that_are_none() {
    assert_eq!(
        refusal(|_| Reply::ok("<html>")).await,
        "the manifest is no JSON: expected value at line 1 column 1"
    );
    assert_eq!(
        refusal(|_| Reply::ok("{}")).await,
        "the manifest has a wrong config"
    );
    assert_eq!(
        refusal(|_| Reply::ok(r#"{"schemaVersion":1}"#)).await,
        "the manifest has docker's schema 1, which is not supported"
    );
    assert_eq!(
        refusal(|_| Reply::ok("x".repeat(100_000)).endless())
            .await
            .split(':')
            .next(),
        Some("unexpected size of manifest")
    );
}

#[tokio::test]
async fn a_configuration_of_another_size_or_content() {
    let huge = format!(
        r#"{{"config":{{"digest":"{}","size":99999999999}},"layers":[]}}"#,
        sha256(b"")
    );
    assert_eq!(
        refusal(move |_| Reply::ok(huge.clone())).await,
        "unexpected size of config: got 99999999999 bytes, expected 8388608"
    );
    let other = format!(r#"{{"config":{},"layers":[]}}"#, descriptor(b"right"));
    let error = refusal(move |request| match request.path.contains("/blobs/") {
        true => Reply::ok("wrong"),
        false => Reply::ok(other.clone()),
    });
    assert!(error.await.starts_with("unexpected digest of layer"));
}

#[tokio::test]
async fn indexes_without_end() {
    // An index that names itself cannot have an honest digest; one that claims it has is refused by the digest, and
    // a chain of honest ones by its length.
    let mut chain = vec![manifest()];
    for _ in 0..8 {
        let last = chain.last().expect("it has one").clone();
        chain.push(format!(r#"{{"manifests":[{}]}}"#, descriptor(last.as_bytes())));
    }
    let error = refusal(move |request| {
        let top = chain.last().expect("it has some").clone();
        let wanted = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        let found = chain
            .iter()
            .find(|bytes| sha256(bytes.as_bytes()).as_str() == wanted);
        Reply::ok(found.cloned().unwrap_or(top))
    });
    assert_eq!(
        error.await,
        "the registry does not keep to the protocol: its indexes lead nowhere"
    );
}

#[tokio::test]
async fn redirects_in_a_circle_and_to_nowhere() {
    let server = Server::start(|request| Reply::new(302, "").header("Location", request.path.clone())).await;
    let error = resolve(&server, "team/app:1").await.to_string();
    assert_eq!(
        error,
        "the registry does not keep to the protocol: it redirects more than 5 times"
    );
    assert_eq!(server.seen().len(), 6);
    for location in [
        "ftp://a/b",
        "//b/c",
        "not a url",
        "http://who:word@b/c",
        "file:///etc/passwd",
    ] {
        let error = refusal(move |_| Reply::new(307, "").header("Location", location)).await;
        assert!(
            error.starts_with("the registry does not keep to the protocol"),
            "{location}: {error}"
        );
        assert!(!error.contains("word"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_http() {
    for raw in [
        &b""[..],
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let error = refusal(move |_| Reply::raw(raw)).await;
        assert!(
            error.starts_with("failed to do request: Get \"http://127.0.0.1:"),
            "{error}"
        );
    }
    let headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-More: yes\r\n".repeat(5_000));
    let error = refusal(move |_| Reply::raw(headers.as_bytes())).await;
    assert!(error.starts_with("failed to do request"), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let reference = format!("{address}/team/app:1").parse().expect("a reference");
    let error = Client::new(Options::default())
        .resolve(&reference, &amd64(), None)
        .await
        .expect_err("nobody listens");
    assert_eq!(
        error.to_string(),
        format!(
            "failed to do request: Get \"http://{address}/v2/team/app/manifests/1\": Connection refused (os error 111)"
        )
    );
}

#[tokio::test]
async fn token_services_that_are_none() {
    for (challenge, expected) in [
        (
            "Bearer realm=\"nonsense\"",
            "it sends to something that is no URL",
        ),
        (
            "Bearer realm=\"ftp://a/b\"",
            "it sends to something that is no URL",
        ),
        ("Negotiate", "401"),
        ("", "401"),
        ("\"\\", "401"),
    ] {
        let error = refusal(move |_| Reply::new(401, "").header("WWW-Authenticate", challenge)).await;
        assert!(error.contains(expected), "{challenge}: {error}");
    }
    for body in ["", "{}", r#"{"token":7}"#] {
        let service = Server::start(move |_| Reply::ok(body)).await;
        let realm = service.url("/token");
        let error = refusal(move |_| {
            Reply::new(401, "").header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
        });
        assert!(error.await.contains("its token service sends no token"));
    }
}

#[tokio::test]
async fn a_message_is_shortened_and_stays_on_its_line() {
    let long = format!(
        r#"{{"errors":[{{"message":"line\nbreak {}"}}]}}"#,
        "x".repeat(5000)
    );
    let error = refusal(move |_| Reply::new(403, long.clone())).await;
    assert!(error.contains("line break") && error.len() < 500, "{error}");
}
