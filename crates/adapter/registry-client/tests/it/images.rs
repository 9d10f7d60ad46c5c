//! From a reference to a manifest and a configuration.

use deploy_registry_client::{Client, Options};

use crate::server::{CONFIG, Reply, Server, amd64, content, descriptor, honest, manifest, sha256};

#[tokio::test]
async fn a_tag_and_a_digest_lead_to_the_same() {
    let server = Server::start(honest).await;
    let client = Client::new(Options::default());
    let digest = sha256(manifest().as_bytes());
    for rest in [
        "team/app:1".to_owned(),
        format!("team/app@{digest}"),
        format!("team/app:9@{digest}"),
    ] {
        let resolved = client
            .resolve(&server.reference(&rest), &amd64(), None)
            .await
            .expect("it is there");
        assert_eq!(resolved.digest, digest);
        assert_eq!(resolved.manifest, manifest().into_bytes());
        assert_eq!(resolved.config, CONFIG);
        assert_eq!(resolved.parsed.layers.len(), 1);
    }
    let accepted = server.seen()[0].clone();
    assert!(accepted.header("user-agent").starts_with("deploy/"));
    assert_eq!(accepted.header("authorization"), "");
}

/// A registry whose tag is an index with these platforms; ours leads to the manifest.
async fn indexed(platforms: &'static [&'static str]) -> Server {
    Server::start(move |request| {
        if request.path != "/v2/team/app/manifests/1" {
            return honest(request);
        }
        let entries: Vec<String> = platforms
            .iter()
            .map(|architecture| {
                let bytes = if *architecture == "amd64" {
                    manifest()
                } else {
                    (*architecture).to_owned()
                };
                let plain = descriptor(bytes.as_bytes());
                let head = plain.trim_end_matches('}');
                format!(r#"{head},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#)
            })
            .collect();
        Reply::ok(format!(r#"{{"manifests":[{}]}}"#, entries.join(",")))
    })
    .await
}

#[tokio::test]
async fn an_index_leads_to_the_image_of_the_platform() {
    let server = indexed(&["arm64", "amd64", "unknown"]).await;
    let reference = server.reference("team/app:1");
    let resolved = Client::new(Options::default())
        .resolve(&reference, &amd64(), None)
        .await
        .expect("it has ours");
    assert_eq!(resolved.manifest, manifest().into_bytes());
    // The reference stands for the whole index.
    assert_ne!(resolved.digest, sha256(manifest().as_bytes()));
}

#[tokio::test]
async fn an_index_without_our_platform() {
    let server = indexed(&["arm64", "s390x"]).await;
    let reference = server.reference("team/app:1");
    let error = Client::new(Options::default())
        .resolve(&reference, &amd64(), None)
        .await
        .expect_err("it has not ours");
    assert_eq!(
        error.to_string(),
        "no match for platform in manifest: linux/amd64: not found"
    );
}

#[tokio::test]
async fn what_is_not_there() {
    let server = Server::start(honest).await;
    let reference = server.reference("team/app:2");
    let error = Client::new(Options::default())
        .resolve(&reference, &amd64(), None)
        .await
        .expect_err("there is no such tag");
    assert_eq!(
        error.to_string(),
        format!("{}/team/app:2: not found", server.address)
    );
    assert_eq!(server.paths().len(), 1);
    assert!(content("/v2/team/app/manifests/2").is_none());
}
