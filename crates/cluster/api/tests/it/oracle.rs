//! The real API server's recorded answers against ours, without sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::request::{Body, Request};
use deploy_cluster_oracle::{Answer, Identity, Server};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::world::World;

/// How long a watch may be silent before its end is assumed, as the recorder does.
const QUIET: Duration = Duration::from_secs(3);

struct InProcess {
    world: World,
    runtime: Runtime,
}

impl InProcess {
    fn start() -> InProcess {
        let runtime = Runtime::new().expect("threads can be started");
        let world = runtime.block_on(World::start());
        InProcess { world, runtime }
    }
}

impl Server for InProcess {
    fn send(&mut self, request: &deploy_cluster_oracle::Request) -> Result<Answer, String> {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &request.headers {
            headers.insert(name.to_ascii_lowercase(), value.clone());
        }
        let user = match request.identity {
            Identity::Admin => UserInfo {
                uid: "admin-uid".to_owned(),
                ..UserInfo::named("admin", &["system:masters"])
            },
            Identity::Nobody => {
                let authorization = headers.get("authorization").map_or("", String::as_str);
                match self.world.api.authenticate(None, authorization) {
                    Ok(user) => user,
                    Err(error) => {
                        let body = error.to_value().to_string().into_bytes();
                        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                        return Ok(Answer {
                            status: error.code,
                            headers,
                            body,
                        });
                    }
                }
            }
        };
        let ours = Request {
            method: request.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            user,
            body: request.body.clone().into(),
            link: None,
        };
        let api = self.world.api.clone();
        let lines = request.lines.unwrap_or(usize::MAX);
        self.runtime.block_on(async move {
            let response = api.handle(ours).await;
            let body = match response.body {
                Body::Whole(body) => body.to_vec(),
                Body::Stream(pieces) | Body::Foreign { pieces, .. } => {
                    let (mut text, mut rest) = (Vec::new(), Some(pieces));
                    let count = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
                    while let Some(pieces) = rest.take().filter(|_| count(&text) < lines) {
                        if let Ok(Some((piece, more))) = timeout(QUIET, pieces.next()).await {
                            text.extend_from_slice(&piece);
                            rest = Some(more);
                        }
                    }
                    text.split_inclusive(|byte| *byte == b'\n')
                        .take(lines)
                        .flatten()
                        .copied()
                        .collect()
                }
            };
            let headers = response
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Ok(Answer {
                status: response.status,
                headers: headers.collect(),
                body,
            })
        })
    }
}

/// One suite an area, so that each has a list of its own of what differs.
macro_rules! areas {
    ($($area:ident)+) => {
        $(
            #[test]
            fn $area() {
                let mut server = InProcess::start();
                deploy_cluster_oracle::suite(&mut server, concat!("cluster/oracle_", stringify!($area)), &[stringify!($area)]);
            }
        )+
    };
}

areas! { admission apply crd discovery fields invalid kinds lists patch rbac rules tokens verbs watch }
