//! A registry within another program: `cargo run -p deploy-registry --example serve -- FOLDER ADDRESS`.

use std::path::Path;
use std::sync::Arc;

use deploy_registry::access::{Accounts, Gate};
use deploy_registry::http::{Address, Server, Service};
use deploy_registry::{Options, Registry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7050".to_owned());
    let options = Options::default();
    let registry = Registry::open(Path::new(&folder), options.clone())?;
    let gate = Gate::new(Arc::new(Accounts::open_on_this_machine()), options.clock)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(&address).await?;
        let server = Server::start(Service::new(registry, Arc::new(gate), Address::AsAsked));
        server.listen(listener);
        tokio::signal::ctrl_c().await?;
        server.shutdown().await;
        Ok(())
    })
}
