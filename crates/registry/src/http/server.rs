//! A listener, its connections, cleaning up now and then, and an end that waits for what is under way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::service::Service;
use crate::limits;

/// How long accepting pauses after an error: out of descriptors, which come back when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A registry that answers.
pub struct Server {
    service: Service,
    tasks: TaskTracker,
    stop: CancellationToken,
    places: Arc<Semaphore>,
}

impl Server {
    /// Begins to clean up at intervals; listens nowhere yet.
    pub fn start(service: Service) -> Self {
        let server = Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            places: Arc::new(Semaphore::new(limits::CONNECTIONS)),
            service,
        };
        server
            .tasks
            .spawn(clean_up(server.service.clone(), server.stop.clone()));
        server
    }

    /// Answers on this listener too.
    pub fn listen(&self, listener: TcpListener) {
        let accepting = accept(
            self.service.clone(),
            listener,
            self.tasks.clone(),
            self.stop.clone(),
            self.places.clone(),
        );
        self.tasks.spawn(accepting);
    }

    /// Stops listening and waits for requests that are under way. Uploads that are broken off wait for their clients.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.service.tasks.close();
        let _ = timeout(limits::SHUTDOWN, self.tasks.wait()).await;
        let _ = timeout(limits::SHUTDOWN, self.service.tasks.wait()).await;
    }
}

async fn accept(
    service: Service,
    listener: TcpListener,
    tasks: TaskTracker,
    stop: CancellationToken,
    places: Arc<Semaphore>,
) {
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => return,
            place = places.clone().acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match (accepted, place) {
            (Ok((stream, from)), Ok(place)) => {
                let connection = serve(service.clone(), stream, from, stop.clone());
                tasks.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            _ => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

async fn serve(service: Service, stream: TcpStream, from: SocketAddr, stop: CancellationToken) {
    // Small answers must not wait for larger ones.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let answering = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.handle(request, from).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADERS)
        .serve_connection(TokioIo::new(stream), answering);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that goes away in the middle is no error of ours.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = timeout(limits::SHUTDOWN, connection).await;
}

async fn clean_up(service: Service, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(limits::SWEEP_INTERVAL) => {}
        }
        // What a disk refuses now, the next round does.
        let _ = service.on_disk(|registry| registry.collect().map(drop)).await;
    }
}
