//! Who asks: basic and bearer, tokens that end, redirects that must not carry them, TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deploy_registry_client::{Client, Credentials, Options};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::server::{Reply, Server, amd64, content, honest};

/// base64 of `who:word`.
const BASIC: &str = "Basic d2hvOndvcmQ=";

fn who() -> Credentials {
    Credentials::basic("who", "word")
}

#[tokio::test]
async fn basic() {
    let server = Server::start(|request| {
        if request.header("authorization") == BASIC {
            return honest(request);
        }
        Reply::new(401, "").header("WWW-Authenticate", "Basic realm=\"here\"")
    })
    .await;
    let reference = server.reference("team/app:1");
    let client = Client::new(Options::default());
    assert!(client.resolve(&reference, &amd64(), Some(&who())).await.is_ok());
    // The second request of the same repository is not refused first.
    assert_eq!(server.paths().len(), 3);
    for credentials in [None, Some(Credentials::basic("who", "other"))] {
        let error = client
            .resolve(&reference, &amd64(), credentials.as_ref())
            .await
            .expect_err("it must not be let in")
            .to_string();
        let start = "pull access denied, repository does not exist or may require authorization: ";
        assert!(error.starts_with(start), "{error}");
        assert!(!error.contains("other"), "{error}");
    }
}

/// A registry whose tokens come from another server, and that server. Each token is good for so many requests.
async fn with_tokens(uses: usize) -> (Server, Server) {
    let issued = Arc::new(AtomicUsize::new(0));
    let used = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&issued);
    let service = Server::start(move |request| {
        if !request
            .path
            .starts_with("/token?service=the%20registry&scope=repository%3Ateam%2Fapp%3Apull")
        {
            return Reply::new(400, "");
        }
        let kind = if request.header("authorization") == BASIC {
            "private"
        } else {
            "anonymous"
        };
        let number = counter.fetch_add(1, Ordering::SeqCst);
        Reply::ok(format!(r#"{{"token":"{kind}-{number}"}}"#))
    })
    .await;
    let realm = service.url("/token");
    let registry = Server::start(move |request| {
        let newest = format!(
            "Bearer private-{}",
            issued.load(Ordering::SeqCst).saturating_sub(1)
        );
        let good = request.header("authorization") == newest && used.fetch_add(1, Ordering::SeqCst) < uses;
        if good {
            return honest(request);
        }
        used.store(0, Ordering::SeqCst);
        Reply::new(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
        )
        .header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="{realm}",service="the registry",scope="repository:team/app:pull""#),
        )
    })
    .await;
    (registry, service)
}

#[tokio::test]
async fn a_token_is_bought_once_and_used_again() {
    let (registry, service) = with_tokens(100).await;
    let client = Client::new(Options::default());
    let reference = registry.reference("team/app:1");
    for _ in 0..2 {
        assert!(client.resolve(&reference, &amd64(), Some(&who())).await.is_ok());
    }
    assert_eq!(service.paths().len(), 1);
    // Others do not get in with it.
    assert!(client.resolve(&reference, &amd64(), None).await.is_err());
    assert_eq!(service.paths().len(), 2);
}

#[tokio::test]
async fn a_token_that_has_ended_is_bought_anew() {
    let (registry, service) = with_tokens(1).await;
    let client = Client::new(Options::default());
    let reference = registry.reference("team/app:1");
    assert!(client.resolve(&reference, &amd64(), Some(&who())).await.is_ok());
    assert_eq!(service.paths().len(), 2);
}

#[tokio::test]
async fn an_identity_token_buys_tokens_by_form() {
    let service = Server::start(|request| {
        let form = "grant_type=refresh_token&service=s&scope=repository%3Ateam%2Fapp%3Apull&client_id=deploy&refresh_token=me%2F1";
        if request.method == "POST" && request.body == form {
            Reply::ok(r#"{"access_token":"t"}"#)
        } else {
            Reply::new(400, "")
        }
    })
    .await;
    let realm = service.url("/token");
    let registry = Server::start(move |request| {
        if request.header("authorization") == "Bearer t" {
            return honest(request);
        }
        Reply::new(401, "").header(
            "WWW-Authenticate",
            format!(r#"Bearer realm="{realm}",service="s""#),
        )
    })
    .await;
    let credentials = Credentials::identity("who", "me/1");
    let resolved = Client::new(Options::default())
        .resolve(&registry.reference("team/app:1"), &amd64(), Some(&credentials))
        .await;
    assert!(resolved.is_ok(), "{resolved:?}");
}

#[tokio::test]
async fn credentials_do_not_go_along_to_another_host() {
    let storage = Server::start(
        |request| match content(request.path.trim_start_matches("/stored")) {
            Some(bytes) => Reply::ok(bytes),
            None => Reply::new(404, ""),
        },
    )
    .await;
    let target = storage.url("/stored");
    let registry = Server::start(move |request| {
        if request.header("authorization") != BASIC {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x");
        }
        match request.path.contains("/blobs/") {
            true => Reply::new(307, "").header("Location", format!("{target}{}?signature=s", request.path)),
            false => honest(request),
        }
    })
    .await;
    let resolved = Client::new(Options::default())
        .resolve(&registry.reference("team/app:1"), &amd64(), Some(&who()))
        .await;
    // The storage looks its paths up without the query.
    assert!(resolved.is_err());
    assert!(!storage.seen().is_empty());
    for request in storage.seen() {
        assert_eq!(request.header("authorization"), "");
        assert!(request.path.ends_with("?signature=s"));
    }
    let error = resolved.expect_err("it was refused").to_string();
    assert!(!error.contains("signature"), "{error}");
}

#[tokio::test]
async fn redirects_on_the_same_host_keep_them() {
    let registry = Server::start(move |request| {
        if request.header("authorization") != BASIC {
            return Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x");
        }
        match request.path.strip_prefix("/moved") {
            Some(_) => {
                let mut there = request.clone();
                there.path = request.path.replacen("/moved", "", 1);
                honest(&there)
            }
            None => Reply::new(307, "").header("Location", format!("/moved{}", request.path)),
        }
    })
    .await;
    let resolved = Client::new(Options::default())
        .resolve(&registry.reference("team/app:1"), &amd64(), Some(&who()))
        .await;
    assert!(resolved.is_ok(), "{resolved:?}");
}

#[tokio::test]
async fn tls_with_a_known_authority_and_without() {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a certificate and its key");
    let server = Server::with_tls(Some(TlsAcceptor::from(Arc::new(config))), honest).await;
    let reference = server.reference("team/app:1");
    let options = |authorities| Options {
        https: vec![server.address.to_string()],
        authorities,
        ..Options::default()
    };
    let trusting = Client::new(options(vec![certified.cert.der().to_vec()]));
    let resolved = trusting.resolve(&reference, &amd64(), None).await;
    assert!(resolved.is_ok(), "{resolved:?}");
    let error = Client::new(options(Vec::new()))
        .resolve(&reference, &amd64(), None)
        .await
        .expect_err("nobody vouches for it")
        .to_string();
    assert!(
        error.contains("tls: ") || error.contains("SSL_CERT_FILE"),
        "{error}"
    );
}
