//! An API over a store in a folder of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use deploy_cluster_api::api::Api;
use deploy_cluster_storage::{Options, Store};

/// A cluster that lives as long as this.
pub struct World {
    pub api: Api,
    folder: PathBuf,
}

impl World {
    pub async fn start() -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("deploy-api-{}-{number}", std::process::id()));
        let store = Store::open(&Options::new(&folder)).expect("the folder is new");
        World {
            api: Api::new(store),
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
