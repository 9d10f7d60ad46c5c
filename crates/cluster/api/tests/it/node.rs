//! What a connected node is handed, with and without sockets, by a node that answers with what it was asked.

use std::sync::Arc;

use bytes::Bytes;
use deploy_cluster_api::api::Api;
use deploy_cluster_api::client::{Client, ResourceId};
use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::node::{Answering, Ask, NodeStreams, What};
use deploy_cluster_api::request::{Body, NextPiece, Pieces, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::server::{PATIENCE, Site};
use crate::world::World;

const PODS: ResourceId = ResourceId::new("", "v1", "pods");

/// Writes down what it is asked; an upgrade is echoed.
struct Echo;

/// Two pieces of a log.
struct Lines(Vec<&'static str>);

impl Pieces for Lines {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            let line = self.0.pop()?;
            Some((Bytes::from_static(line.as_bytes()), self as Box<dyn Pieces>))
        })
    }
}

impl NodeStreams for Echo {
    fn handle(&self, ask: Ask) -> Answering {
        Box::pin(async move {
            let link = ask.request.link.clone().unwrap_or_default();
            if let Some(upgrade) = link.upgrade() {
                // A test ends with its runtime.
                #[allow(clippy::disallowed_methods)]
                tokio::spawn(async move {
                    let mut stream = upgrade.await.expect("the connection is open");
                    let mut heard = [0; 5];
                    stream.read_exact(&mut heard).await.expect("the client speaks");
                    stream.write_all(&heard).await.expect("the client listens");
                });
                let headers = vec![
                    ("connection", "Upgrade".to_owned()),
                    ("upgrade", "SPDY/3.1".to_owned()),
                ];
                return Ok(Response {
                    status: 101,
                    headers,
                    body: Body::Whole(Bytes::new()),
                });
            }
            let body = match link.body() {
                Some(body) => body.collect().await.expect("the client sends it").to_bytes(),
                None => Bytes::new(),
            };
            match ask.what {
                What::Log(options) => {
                    assert_eq!((options.follow, options.tail_lines), (true, Some(2)));
                    Ok(Response {
                        status: 200,
                        headers: vec![("content-type", "text/plain".to_owned())],
                        body: Body::Stream(Box::new(Lines(vec!["two\n", "one\n"]))),
                    })
                }
                what => Ok(Response {
                    status: 200,
                    headers: Vec::new(),
                    body: Body::Foreign {
                        headers: vec![(
                            "x-app".to_owned(),
                            format!("{} {} {what:?}", ask.user.name, body.len()),
                        )],
                        pieces: Box::new(Lines(Vec::new())),
                    },
                }),
            }
        })
    }
}

fn client(api: &Api) -> Client {
    Client::new(api, UserInfo::api_server(), "test")
}

/// A pod with two containers, on a node where one is named.
async fn pod(api: &Api, name: &str, node: Option<&str>) {
    let container = |name: &str| json!({"name": name, "image": "i", "ports": [{"containerPort": 8080}]});
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container("a"), container("b")], "automountServiceAccountToken": false},
    });
    if let Some(node) = node {
        pod["spec"]["nodeName"] = node.into();
    }
    let client = client(api);
    let account = json!({"metadata": {"name": "default", "namespace": "default"}});
    let accounts = ResourceId::new("", "v1", "serviceaccounts");
    if client.get(&accounts, "default", "default").is_none() {
        client.create(&accounts, account).await.expect("it is valid");
    }
    let made = client.create(&PODS, pod).await.expect("it is valid");
    let mut made = (*made).clone();
    made["status"]["podIPs"] = json!([{"ip": "10.244.0.7"}]);
    made["status"]["podIP"] = "10.244.0.7".into();
    client.update_status(&PODS, made).await.expect("it is valid");
}

async fn ask(api: &Api, method: &str, path: &str) -> (u16, String) {
    ask_as(api, UserInfo::api_server(), method, path).await
}

async fn ask_as(api: &Api, user: UserInfo, method: &str, path: &str) -> (u16, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Request {
        method: method.to_owned(),
        path: format!("/api/v1/{path}"),
        query: query.to_owned(),
        user,
        ..Request::default()
    };
    let answer = api.handle(request).await;
    let text = match answer.body {
        Body::Whole(body) => {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            body["message"].as_str().unwrap_or_default().to_owned()
        }
        Body::Foreign { headers, .. } => headers[0].1.clone(),
        Body::Stream(mut pieces) => {
            let mut text = String::new();
            while let Some((piece, rest)) = pieces.next().await {
                text.push_str(&String::from_utf8_lossy(&piece));
                pieces = rest;
            }
            text
        }
    };
    (answer.status, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_judged_and_handed_to_the_node_of_the_pod() {
    let world = World::start().await;
    let api = &world.api;
    let nodes = ResourceId::new("", "v1", "nodes");
    client(api)
        .create(&nodes, json!({"metadata": {"name": "there"}}))
        .await
        .expect("it is valid");
    pod(api, "waits", None).await;
    pod(api, "runs", Some("here")).await;
    pod(api, "far", Some("there")).await;
    api.connect_node("here", Arc::new(Echo));
    let user = UserInfo::api_server().name;
    let target = |path: &str| {
        format!(
            "{user} 0 Proxy(Target {{ scheme: \"http\", host: 10.244.0.7, port: Some(8080), path: \"{path}\" }})"
        )
    };
    let pods = "namespaces/default/pods";
    let choose =
        |pod: &str| format!("a container name must be specified for pod {pod}, choose one of: [a b]");
    let cases = [
        (
            "GET",
            "/runs/log?container=a&follow=1&tailLines=2",
            200,
            "one\ntwo\n".to_owned(),
        ),
        ("GET", "/waits/log?container=a", 204, String::new()),
        ("GET", "/runs/log", 400, choose("runs")),
        ("GET", "/none/log", 404, "pods \"none\" not found".to_owned()),
        (
            "POST",
            "/waits/exec?container=a",
            400,
            "pod waits does not have a host assigned".to_owned(),
        ),
        ("POST", "/runs/attach", 400, choose("runs")),
        (
            "POST",
            "/runs/exec?container=x",
            400,
            "container x is not valid for pod runs".to_owned(),
        ),
        (
            "POST",
            "/runs/exec?container=b&command=ls&command=-l&stdout=true&tty=false",
            200,
            format!(
                "{user} 0 Exec(StreamOptions {{ container: \"b\", command: [\"ls\", \"-l\"], stdin: false, stdout: true, stderr: false, tty: false }})"
            ),
        ),
        (
            "GET",
            "/runs/portforward?ports=80&ports=8080",
            200,
            format!("{user} 0 PortForward([80, 8080])"),
        ),
        (
            "PUT",
            "/runs/exec",
            405,
            "the server does not allow this method on the requested resource".to_owned(),
        ),
        (
            "GET",
            "/far/log?container=a",
            500,
            "the kubelet of node \"there\" is not connected to this server".to_owned(),
        ),
        ("GET", "/runs/proxy", 301, String::new()),
        ("POST", "/runs/proxy", 200, target("/")),
        ("GET", "/http:runs:8080/proxy/a%20b/", 200, target("/a%20b/")),
        (
            "GET",
            "/ftp:runs:8080/proxy/",
            400,
            "invalid pod request \"ftp:runs:8080\"".to_owned(),
        ),
    ];
    for (method, path, status, text) in cases {
        assert_eq!(
            ask(api, method, &format!("{pods}{path}")).await,
            (status, text),
            "{method} {path}"
        );
    }
    api.disconnect_node("here");
    let gone = ask(api, "GET", &format!("{pods}/runs/log?container=a")).await;
    assert_eq!(gone, (404, "nodes \"here\" not found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_leads_to_a_pod_behind_it_and_never_elsewhere() {
    let world = World::start().await;
    let api = &world.api;
    pod(api, "runs", Some("here")).await;
    api.connect_node("here", Arc::new(Echo));
    let client = client(api);
    let service = json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ports": [{"name": "main", "port": 80, "targetPort": 8080}]},
    });
    client
        .create(&ResourceId::new("", "v1", "services"), service)
        .await
        .expect("it is valid");
    let path = "namespaces/default/services";
    let missing = ask(api, "GET", &format!("{path}/web:80/proxy/")).await;
    assert_eq!(missing, (404, "endpoints \"web\" not found".to_owned()));
    let reference = json!({"kind": "Pod", "namespace": "default", "name": "runs"});
    let by_hand = json!({"ip": "10.0.0.1"});
    let forged = json!({"ip": "10.0.0.2", "targetRef": reference});
    let real = json!({"ip": "10.244.0.7", "targetRef": reference});
    let endpoints = json!({
        "metadata": {"name": "web", "namespace": "default"},
        "subsets": [{"addresses": [by_hand, forged, real], "ports": [{"name": "main", "port": 8080}]}],
    });
    client
        .create(&ResourceId::new("", "v1", "endpoints"), endpoints)
        .await
        .expect("it is valid");
    for name in ["web:80", "web:main", "http:web:main"] {
        let (status, text) = ask(api, "GET", &format!("{path}/{name}/proxy/x")).await;
        assert_eq!(status, 200, "{name}: {text}");
        assert!(
            text.contains("host: 10.244.0.7, port: Some(8080), path: \"/x\""),
            "{name}: {text}"
        );
    }
    let refused = [
        ("web:81", "no service port 81 found for service \"web\""),
        ("web:x", "no endpoints available for service \"web:x\""),
    ];
    for (name, why) in refused {
        assert_eq!(
            ask(api, "GET", &format!("{path}/{name}/proxy/x")).await,
            (503, why.to_owned())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_turns_into_a_stream_and_a_proxied_body_is_not_bounded() {
    let site = Site::start().await;
    let api = site.server.api();
    pod(api, "runs", Some("here")).await;
    api.connect_node("here", Arc::new(Echo));
    let mut stream = site.connect(true).await;
    let exec = "POST /api/v1/namespaces/default/pods/runs/exec?container=a HTTP/1.1\r\nhost: c\r\n\
                connection: Upgrade\r\nupgrade: SPDY/3.1\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(exec.as_bytes()).await.expect("it reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(
            timeout(PATIENCE, stream.read_u8())
                .await
                .expect("it answers")
                .expect("it is open"),
        );
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    assert!(
        head.starts_with("http/1.1 101 ") && head.contains("upgrade: spdy/3.1"),
        "{head}"
    );
    stream.write_all(b"hello").await.expect("it reads");
    let mut heard = [0; 5];
    timeout(PATIENCE, stream.read_exact(&mut heard))
        .await
        .expect("it echoes")
        .expect("it is open");
    assert_eq!(&heard, b"hello");
    let length = deploy_cluster_api::limits::BODY_BYTES + 1;
    let post = format!(
        "POST /api/v1/namespaces/default/pods/runs/proxy/up HTTP/1.1\r\nhost: c\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{}",
        "x".repeat(length)
    );
    let (status, answer) = site.ask(true, &post).await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer.contains(&format!("x-app: kubernetes-admin {length} Proxy")),
        "{answer}"
    );
    site.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_address_is_served_named_and_advertised() {
    let site = Site::start().await;
    let also = site
        .server
        .listen_also(([127, 0, 0, 2], 0).into())
        .await
        .expect("loopback has it");
    let (status, answer) = site.ask_at(also, "127.0.0.2").await;
    assert_eq!(status, 200, "{answer}");
    // Endpoints may not name a loopback address, so that another one is advertised here.
    let place = ([192, 0, 2, 7], also.port()).into();
    site.server
        .api()
        .advertise(place)
        .await
        .expect("they can be written");
    let client = client(site.server.api());
    let slices = ResourceId::new("discovery.k8s.io", "v1", "endpointslices");
    let slice = client
        .get(&slices, "default", "kubernetes")
        .expect("every cluster has it");
    assert_eq!(slice["endpoints"][0]["addresses"][0], "192.0.2.7");
    assert_eq!(slice["ports"][0]["port"], also.port());
    let endpoints = client.get(&ResourceId::new("", "v1", "endpoints"), "default", "kubernetes");
    assert_eq!(
        endpoints.expect("every cluster has it")["subsets"][0]["addresses"][0]["ip"],
        "192.0.2.7"
    );
    let taken = site
        .server
        .listen_also(also)
        .await
        .expect_err("it is taken, by us");
    assert!(
        taken.to_string().contains("cannot listen on 127.0.0.2"),
        "{taken}"
    );
    site.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_open_a_stream_is_asked_by_method() {
    let world = World::start().await;
    let api = &world.api;
    pod(api, "runs", Some("here")).await;
    api.connect_node("here", Arc::new(Echo));
    let client = client(api);
    let group = "rbac.authorization.k8s.io";
    let role = json!({
        "metadata": {"name": "opens", "namespace": "default"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get"]},
        ],
    });
    let binding = json!({
        "metadata": {"name": "opens", "namespace": "default"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "opens"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "jane"}],
    });
    for (plural, object) in [("roles", role), ("rolebindings", binding)] {
        let made = client.create(&ResourceId::new(group, "v1", plural), object).await;
        made.expect("it is valid");
    }
    // A websocket is opened with GET, SPDY with POST; 1.34 asks for the verb of the method.
    for (method, path, status) in [
        ("POST", "exec?container=a", 200),
        ("GET", "exec?container=a", 403),
        ("GET", "portforward", 200),
        ("POST", "portforward", 403),
        ("GET", "log?container=a", 403),
    ] {
        let jane = UserInfo::named("jane", &["system:authenticated"]);
        let path = format!("namespaces/default/pods/runs/{path}");
        let (found, text) = ask_as(api, jane, method, &path).await;
        assert_eq!(found, status, "{method} {path}: {text}");
    }
}
