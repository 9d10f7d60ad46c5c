//! An API server in this process with all controllers at work, in a folder of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deploy_cluster_api::allocators::Range;
use deploy_cluster_api::api::{Api, Setup};
use deploy_cluster_api::bootstrap::Place;
use deploy_cluster_api::identity::jwt::SigningKey;
use deploy_cluster_controllers::controllers;
use deploy_cluster_controllers::shell::Controllers;
use deploy_cluster_storage::{Options, Store};

/// A pod may be made right after its namespace: the server waits this long for the service account that a controller
/// makes, as the real one does.
const ACCOUNT_PATIENCE: Duration = Duration::from_secs(2);

/// A cluster that lives as long as this.
pub struct World {
    pub api: Api,
    _controllers: Controllers,
    folder: PathBuf,
}

impl World {
    pub async fn start() -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("deploy-controllers-{}-{number}", std::process::id()));
        let setup = Setup {
            store: Store::open(&Options::new(&folder)).expect("the folder is new"),
            signing_key: SigningKey::open(&folder.join("service-accounts.key")).expect("the folder is new"),
            place: Place {
                listen: ([127, 0, 0, 1], 16443).into(),
                authority: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned(),
                service_range: Range::default(),
            },
            default_account_patience: ACCOUNT_PATIENCE,
        };
        let api = Api::start(setup).await.expect("a new cluster can be set up");
        let controllers = Controllers::start(&api, controllers::ALL);
        World {
            api,
            _controllers: controllers,
            folder,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What is left behind is swept with the other temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
