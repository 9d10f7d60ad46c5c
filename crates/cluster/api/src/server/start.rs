//! From options to a server that answers, and its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deploy_cluster_storage::{OpenError, Store};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Shared, serve};
use crate::allocators::Range;
use crate::api::{Api, Setup};
use crate::bootstrap::Place;
use crate::identity::authority::{Authority, ServerCertificate, server_names};
use crate::identity::files::IdentityError;
use crate::identity::jwt::SigningKey;
use crate::identity::{MASTERS, kubeconfig};
use crate::{identifiers, limits};

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Holds the database, the authority, keys.
    pub data_dir: PathBuf,
    /// Where it listens; port 0 is any.
    pub listen: SocketAddr,
    /// Whether controllers will run beside it. Only they make the service account that the first pod of a namespace
    /// waits for.
    pub controllers: bool,
    /// Where services get their addresses; the same one each time.
    pub service_range: Range,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The authority or its keys cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something that every cluster has cannot be written.
    #[error("cannot set the cluster up: {0}")]
    Bootstrap(String),
}

/// A server that answers.
pub struct Server {
    api: Api,
    address: SocketAddr,
    authority: Arc<Authority>,
    certificate: Arc<ServerCertificate>,
    shared: Shared,
}

impl Server {
    /// Opens the data folder, listens, answers.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left behind then.
    pub async fn start(options: Options) -> Result<Server, StartError> {
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|source| StartError::Listen {
                address: options.listen,
                source,
            })?;
        let address = listener.local_addr().unwrap_or(options.listen);
        let dir = options.data_dir.clone();
        let opened = tokio::task::spawn_blocking(move || -> Result<_, StartError> {
            let store = Store::open(&deploy_cluster_storage::Options::new(&dir))?;
            let authority = Arc::new(Authority::open(&dir, identifiers::now_seconds())?);
            let signing_key = SigningKey::open(&dir.join("service-accounts.key"))?;
            Ok((store, authority, signing_key))
        });
        let (store, authority, signing_key) = opened
            .await
            .map_err(|error| StartError::Bootstrap(error.to_string()))??;
        let names = server_names(options.service_range.first(), &[address.ip()]);
        let certificate = authority.server_certificate(names, Arc::new(identifiers::now_seconds))?;
        let config = authority.server_config(certificate.clone())?;
        let place = Place {
            listen: address,
            authority: authority.certificate_pem().to_owned(),
            service_range: options.service_range,
        };
        let setup = Setup {
            store,
            signing_key,
            place,
            default_account_patience: match options.controllers {
                true => limits::DEFAULT_ACCOUNT_PATIENCE,
                false => Duration::ZERO,
            },
        };
        let api = Api::start(setup)
            .await
            .map_err(|error| StartError::Bootstrap(error.message))?;
        let shared = Shared {
            api: api.clone(),
            tls: TlsAcceptor::from(Arc::new(config)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            places: Arc::new(Semaphore::new(limits::CONNECTIONS)),
            upgrades: Arc::new(Semaphore::new(limits::UPGRADES)),
        };
        let server = Server {
            api,
            address,
            authority,
            certificate,
            shared,
        };
        server.accept(listener);
        let store = server.api.store().clone();
        server.api.inner.tasks.spawn(async move {
            store
                .compact_periodically(deploy_cluster_storage::limits::COMPACT_INTERVAL)
                .await;
        });
        Ok(server)
    }

    /// Listens on a second address as well (that of the cluster's bridge), which the certificate names from then on and
    /// to which the service `kubernetes` leads; port 0 is any. Returns where.
    ///
    /// # Errors
    /// [`StartError::Listen`] where the address is taken or not ours, [`StartError::Identity`] where the authority
    /// cannot sign, [`StartError::Bootstrap`] where the endpoints cannot be written.
    pub async fn listen_also(&self, address: SocketAddr) -> Result<SocketAddr, StartError> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr().unwrap_or(address);
        self.certificate.add_name(&address.ip().to_string())?;
        self.accept(listener);
        let advertised = self.api.advertise(address).await;
        advertised.map_err(|error| StartError::Bootstrap(error.message))?;
        Ok(address)
    }

    fn accept(&self, listener: TcpListener) {
        self.shared.tasks.spawn(accept(self.shared.clone(), listener));
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API behind the sockets.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// A kubeconfig for an administrator, with a certificate of his own.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn kubeconfig(&self, name: &str) -> Result<String, IdentityError> {
        let now = identifiers::now_seconds();
        let client = self.authority.client("kubernetes-admin", &[MASTERS], now)?;
        let server = format!("https://{}", self.address);
        Ok(kubeconfig::text(name, &server, &self.authority, &client))
    }

    /// Stops listening, ends watches, waits for requests that are under way, and closes the store.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.api.end_watches();
        self.shared.tasks.close();
        let _ = timeout(limits::SHUTDOWN, self.shared.tasks.wait()).await;
        self.api.close().await;
    }
}

async fn accept(shared: Shared, listener: TcpListener) {
    loop {
        let place = shared.places.clone().acquire_owned();
        let (place, stream) = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        match (place, stream) {
            (Ok(place), Ok((stream, _))) => {
                let connection = serve(shared.clone(), stream);
                shared.tasks.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // Too many open files, or a client that left before it was accepted: the next one may do better, but not
            // at once.
            _ => tokio::time::sleep(limits::ACCEPT_PAUSE).await,
        }
    }
}
