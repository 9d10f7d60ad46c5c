//! The parts, put together: Git, runs, builder, registry, ledger, and the HTTP server in front.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deploy_git::{Git, Repositories, ServerOptions};
use deploy_image::Store;
use deploy_jobs::{Ground, Labels, Limits, Runner, Way};
use deploy_model::with_causes;
use deploy_registry::access::Gate;
use deploy_registry::http::{Address, Service};
use deploy_registry::{Registry, TagPolicy};
use deploy_registry_client::{Client, Credentials};
use deploy_store::{Actor, ActorKind, Ledger, Line, Subject};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::builder::ImageBuilder;
use crate::ci::{Book, Ci, Parts, RunRecord, Runs};
use crate::error::ServerError;
use crate::http::{self, Front};
use crate::limits;
use crate::tokens::{Right, Tokens, private};

/// The name of the token that the server makes for who runs it.
const OWNER: &str = "owner";

/// What a server is made of.
pub struct Options {
    /// The data folder.
    pub data: PathBuf,
    /// Where the API and Git listen; port 0 is any.
    pub listen: SocketAddr,
    /// Where the registry listens.
    pub registry: SocketAddr,
    /// The names under which clients reach the registry, as references have them, beside its address.
    pub registry_names: Vec<String>,
    /// The URL that people and workflows use, where something stands before the server.
    pub external_url: Option<String>,
    /// Which tags move.
    pub tags: TagPolicy,
    /// What is executed as a shim.
    pub program: PathBuf,
    /// The home folder whose toolchains jobs see, and the `PATH` of which they get what they see.
    pub home: PathBuf,
    /// See `home`.
    pub path: String,
    /// Which network jobs get.
    pub way: Way,
    /// Which labels stand for which roots.
    pub labels: Labels,
    /// What each job may use.
    pub limits: Limits,
}

/// Something to tell who watches the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// References of a repository were pushed.
    Pushed {
        /// Which repository.
        repository: String,
        /// Which reference.
        reference: String,
        /// By whom.
        by: String,
        /// How many runs start.
        runs: usize,
        /// Workflow files that do not start, each with its reason; the file is empty where it is about all.
        others: Vec<(String, String)>,
    },
    /// A run begins.
    Started {
        /// Its number.
        id: i64,
        /// Its repository.
        repository: String,
        /// Its workflow.
        workflow: String,
    },
    /// A run has ended.
    Ended {
        /// Its number.
        id: i64,
        /// Its repository.
        repository: String,
        /// Its workflow.
        workflow: String,
        /// `success`, `failure` ...
        conclusion: String,
        /// From its beginning.
        took_ms: u64,
    },
    /// Something could not be done.
    Failed {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
}

impl News {
    pub(crate) fn ended(run: &RunRecord, conclusion: &str, took_ms: u64) -> News {
        News::Ended {
            id: run.id,
            repository: run.repository.clone(),
            workflow: run.workflow.clone(),
            conclusion: conclusion.to_owned(),
            took_ms,
        }
    }
}

/// A server that answers.
pub struct Server {
    address: SocketAddr,
    registry_address: SocketAddr,
    news: broadcast::Sender<News>,
    front: Front,
    git: deploy_git::Server,
    registry: deploy_registry::http::Server,
    ci: Arc<Ci>,
    runner: Arc<Runner>,
    ledger: Ledger,
    client_file: PathBuf,
}

impl Server {
    /// Starts everything; when this returns, it answers.
    ///
    /// # Errors
    /// What is missing or in the way: see [`ServerError`]. Nothing goes on running then.
    pub async fn start(options: Options) -> Result<Server, ServerError> {
        // First what is likeliest to be taken: nothing else has been touched then.
        let (listener, address) = bind(options.listen).await?;
        let (registry_listener, registry_address) = bind(options.registry).await?;
        let data = options.data.clone();
        let ledger = {
            let data = data.clone();
            let opening = tokio::task::spawn_blocking(move || {
                let options = deploy_store::Options {
                    projections: vec![Arc::new(Runs)],
                    program: "deploy run ci".to_owned(),
                    vfs: None,
                };
                Ledger::open(&data, options)
            });
            joined(opening, &options.data).await??
        };
        let tokens = Arc::new(Tokens::open(&data)?);
        let own = own_token(&tokens, &data, &ledger).await?;
        let registry = deploy_registry::Options {
            tags: options.tags.clone(),
            ..deploy_registry::Options::default()
        };
        let clock = registry.clock.clone();
        let registry = Registry::open(&data.join("registry"), registry)?;
        let gate = Gate::new(tokens.clone(), clock)
            .map_err(|_| files(&data)(io::Error::other("the system has no randomness")))?;
        let client = Client::new(deploy_registry_client::Options::default());
        let mut hosts = options.registry_names.clone();
        hosts.extend([
            registry_address.to_string(),
            format!("localhost:{}", registry_address.port()),
        ]);
        let images = data.join("cluster/images");
        let builder = ImageBuilder {
            store: Arc::new(Store::open(&images)?),
            folder: data.join("build"),
            program: options.program.clone(),
            client,
            ledger: ledger.clone(),
            own: (hosts, Credentials::basic(OWNER, &own)),
        };
        let ground = Ground {
            folder: data.join("ci"),
            images,
            program: options.program.clone(),
            home: options.home.clone(),
            path: options.path.clone(),
            way: options.way.clone(),
        };
        let mut jobs = deploy_jobs::Options::new(ground, Arc::new(Book(ledger.clone())));
        jobs.labels = options.labels;
        jobs.limits = options.limits;
        jobs.builder = Some(Arc::new(builder));
        let runner = Runner::start(jobs).await?;
        let (repositories, pushes) = Repositories::open(&data.join("git"), Git::find()?)?;
        let git = deploy_git::Server::new(repositories.clone(), tokens.clone(), ServerOptions::default());
        let url = options
            .external_url
            .unwrap_or_else(|| format!("http://{address}"));
        let (news, _) = broadcast::channel(limits::NEWS);
        let parts = Parts {
            data: data.clone(),
            url: url.clone(),
            ledger: ledger.clone(),
            repositories,
            runner: runner.clone(),
            news: news.clone(),
        };
        let ci = Ci::start(parts)
            .await
            .map_err(|error| ServerError::LedgerUse(error.to_string()))?;
        // The most usual runner has a room before the first push comes.
        runner.prepare(&["ubuntu-latest".to_owned()]);
        tokio::spawn(ci.clone().listen(pushes));
        let registry =
            deploy_registry::http::Server::start(Service::new(registry, Arc::new(gate), Address::AsAsked));
        registry.listen(registry_listener);
        let front = Front::serve(listener, http::router(ci.clone(), git.clone(), tokens));
        let client_file = client_file(&data);
        let told = json!({
            "url": format!("http://{address}"),
            "registry": registry_address.to_string(),
            "token": own,
        });
        private(&client_file, format!("{told:#}\n").as_bytes()).map_err(files(&client_file))?;
        Ok(Server {
            address,
            registry_address,
            news,
            front,
            git,
            registry,
            ci,
            runner,
            ledger,
            client_file,
        })
    }

    /// Where the API and Git listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the registry listens.
    pub fn registry_address(&self) -> SocketAddr {
        self.registry_address
    }

    /// The file with the address and the token of who runs the server.
    pub fn client_file(&self) -> &Path {
        &self.client_file
    }

    /// What happens from now on.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Takes no more requests, ends what runs, and waits for it. What is queued starts with the next server.
    ///
    /// # Errors
    /// Rooms of jobs that cannot be taken away.
    pub async fn close(self) -> Result<(), ServerError> {
        self.front.close().await;
        self.ci.close().await;
        self.git.close().await;
        self.registry.shutdown().await;
        drop(self.ci);
        self.runner.close().await?;
        self.ledger.close().await;
        Ok(())
    }
}

/// The file in which clients of this user find the server of a data folder.
pub(crate) fn client_file(data: &Path) -> PathBuf {
    data.join("config/client.json")
}

/// The token of who runs the server: the one of the last start, or a new one.
async fn own_token(tokens: &Tokens, data: &Path, ledger: &Ledger) -> Result<String, ServerError> {
    let file = client_file(data);
    let known = std::fs::read(&file).ok();
    let known = known.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    if let Some(text) = known.as_ref().and_then(|client| client["token"].as_str())
        && tokens.find(text).is_some_and(|token| token.name == OWNER)
    {
        return Ok(text.to_owned());
    }
    if tokens.list()?.iter().any(|token| token.name == OWNER) {
        tokens.revoke(OWNER)?;
    }
    let now = Timestamp::now();
    let text = tokens.create(OWNER, Right::Write, now)?;
    let line = Line::new(
        now,
        Actor::new(ActorKind::Reconciler, "server"),
        "token.created",
        Subject::new("token", OWNER),
    );
    let line = line
        .because("the server's owner had none")
        .with(json!({"right": Right::Write}));
    let appended = ledger.append(vec![line]).await;
    appended.map_err(|error| ServerError::LedgerUse(with_causes(&error)))?;
    Ok(text)
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source| ServerError::Address { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn files(path: &Path) -> impl FnOnce(io::Error) -> ServerError {
    let path = path.to_owned();
    move |source| ServerError::Files { path, source }
}

async fn joined<T>(task: tokio::task::JoinHandle<T>, data: &Path) -> Result<T, ServerError> {
    task.await
        .map_err(|error| files(data)(io::Error::other(error.to_string())))
}
