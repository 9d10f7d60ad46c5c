//! An API server in this process, in a folder of its own, without controllers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::api::{Api, Setup};
use deploy_cluster_api::bootstrap::Place;
use deploy_cluster_api::client::Client;
use deploy_cluster_api::identity::jwt::SigningKey;
use deploy_cluster_api::identity::{MASTERS, UserInfo};
use deploy_cluster_storage::{Change, Encoded, Expected, Key, Options, Store, Write};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long anything here may take on a machine with much else to do.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A cluster that lives as long as this.
pub struct World {
    pub api: Api,
    store: Store,
    folder: PathBuf,
}

impl World {
    pub async fn start() -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("deploy-net-{}-{number}", std::process::id()));
        let store = Store::open(&Options::new(&folder)).expect("the folder is new");
        let setup = Setup {
            store: store.clone(),
            signing_key: SigningKey::open(&folder.join("service-accounts.key")).expect("the folder is new"),
            place: Place {
                listen: ([127, 0, 0, 1], 16443).into(),
                authority: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
                service_range: Range::default(),
            },
            default_account_patience: Duration::ZERO,
        };
        let api = Api::start(setup).await.expect("a new cluster can be set up");
        World { api, store, folder }
    }

    /// Acts as an administrator.
    pub fn client(&self) -> Client {
        Client::new(&self.api, UserInfo::named("admin", &[MASTERS]), "test")
    }

    /// Creates objects of any kind.
    pub async fn create(&self, objects: impl IntoIterator<Item = Value>) {
        let client = self.client();
        for object in objects {
            let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
            let resource = client
                .resource_of(&text("apiVersion"), &text("kind"))
                .expect("a kind that is served");
            client.create(&resource, object).await.expect("a good object");
        }
    }

    /// Puts an EndpointSlice past the API, which refuses addresses of loopback, where the tests' servers are.
    pub async fn put_slice(&self, name: &str, service: &str, backends: &[SocketAddr]) {
        let endpoint = |at: &SocketAddr| {
            json!({
                "addresses": [at.ip().to_string()],
                "conditions": {"ready": true},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": format!("pod-{}", at.port())},
            })
        };
        let rest = json!({
            "addressType": "IPv4",
            "endpoints": backends.iter().map(endpoint).collect::<Vec<_>>(),
            "ports": [{
                "name": "http", "protocol": "TCP",
                "port": backends.first().map_or(1, SocketAddr::port),
            }],
        });
        let before = "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"";
        let after = format!(
            "\",\"name\":\"{name}\",\"namespace\":\"default\",\"labels\":{{\"kubernetes.io/service-name\":\"{service}\"}}}},{}\n",
            &rest.to_string()[1..]
        );
        let write = Write {
            key: Key::new("discovery.k8s.io/endpointslices", "default", name),
            expected: Expected::Any,
            change: Change::Put(Encoded {
                before: before.into(),
                after: after.into(),
            }),
        };
        self.store.write(write).await.expect("it is written");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What is left behind is swept with the other temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something is true; fails with `what` when that takes too long.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
