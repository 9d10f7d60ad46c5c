//! An API over a store in a folder of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::api::{Api, Setup};
use deploy_cluster_api::bootstrap::Place;
use deploy_cluster_api::identity::jwt::SigningKey;
use deploy_cluster_storage::{Options, Store};

/// A cluster that lives as long as this.
pub struct World {
    pub api: Api,
    folder: PathBuf,
}

impl World {
    pub async fn start() -> World {
        let folder = temporary();
        let setup = Setup {
            store: Store::open(&Options::new(&folder)).expect("the folder is new"),
            signing_key: SigningKey::open(&folder.join("service-accounts.key")).expect("the folder is new"),
            place: Place {
                listen: ([127, 0, 0, 1], 16443).into(),
                authority: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
                service_range: Range::default(),
            },
            default_account_patience: Duration::ZERO,
        };
        let api = Api::start(setup).await.expect("a new cluster can be set up");
        World { api, folder }
    }
}

/// A folder that nobody else has.
pub fn temporary() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("deploy-api-{}-{number}", std::process::id()))
}

impl Drop for World {
    fn drop(&mut self) {
        // What is left behind is swept with the other temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
