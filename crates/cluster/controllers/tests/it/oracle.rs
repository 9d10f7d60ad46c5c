//! What the real controller manager and scheduler made of recorded scenarios, against ours. The API server's own answers
//! are held to the recording by its crate; here no request needs more than one whole answer.

use std::collections::BTreeMap;

use deploy_cluster_api::identity::UserInfo;
use deploy_cluster_api::request::{Body, Request};
use deploy_cluster_oracle::{Answer, Server};
use tokio::runtime::Runtime;

use crate::world::World;

struct InProcess {
    world: World,
    runtime: Runtime,
}

impl Server for InProcess {
    fn send(&mut self, request: &deploy_cluster_oracle::Request) -> Result<Answer, String> {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let headers: BTreeMap<String, String> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        let ours = Request {
            method: request.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            user: UserInfo::named("admin", &["system:masters"]),
            body: request.body.clone().into(),
            link: None,
        };
        let response = self.runtime.block_on(self.world.api.handle(ours));
        let Body::Whole(body) = response.body else {
            return Err("the scenarios of controllers do not watch".to_owned());
        };
        let headers = response
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Ok(Answer {
            status: response.status,
            headers: headers.collect(),
            body: body.to_vec(),
        })
    }
}

#[test]
fn controllers() {
    let runtime = Runtime::new().expect("threads can be started");
    let world = runtime.block_on(World::start());
    let mut server = InProcess { world, runtime };
    deploy_cluster_oracle::suite(&mut server, "cluster/oracle_controllers", &["controllers"]);
}
