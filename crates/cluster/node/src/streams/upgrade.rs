//! The beginning of a stream: which protocol is spoken, the answer 101, and the WebSocket's pumps.

use bytes::Bytes;
use deploy_cluster_api::request::{Body, Duplex, Request, Response, Upgrade};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::channels::{Inbound, Told, Version};
use super::plain;
use super::process::{Ends, Job};
use super::websocket::{self, Event, Reader, Say};
use crate::limits;

/// A request to speak something else from now on.
pub enum Wanted {
    /// A WebSocket with one of these protocols.
    WebSocket {
        /// `Sec-WebSocket-Protocol`
        offered: String,
        /// `Sec-WebSocket-Accept`
        accept: String,
    },
    /// SPDY/3.1 on the connection itself, with one of these protocols.
    Spdy {
        /// `X-Stream-Protocol-Version`
        offered: String,
    },
}

impl Wanted {
    /// What a request wants, and the connection; or why it cannot have it.
    pub fn of(request: &Request) -> Result<(Wanted, Upgrade), Response> {
        let refused = |why: &str| plain(400, why.to_owned());
        let wanted = match request.header("upgrade").to_ascii_lowercase().as_str() {
            "websocket" => {
                let key = request.header("sec-websocket-key");
                if key.is_empty() || request.header("sec-websocket-version") != "13" {
                    return Err(refused("a WebSocket of version 13 with a key is expected"));
                }
                Wanted::WebSocket {
                    offered: request.header("sec-websocket-protocol").to_owned(),
                    accept: websocket::accept(key),
                }
            }
            "spdy/3.1" => Wanted::Spdy {
                offered: request.header("x-stream-protocol-version").to_owned(),
            },
            // `httpstream/spdy/upgrade.go`
            _ => {
                return Err(refused("unable to upgrade: missing upgrade headers in request"));
            }
        };
        let upgrade = request.link.as_ref().and_then(|link| link.upgrade());
        let upgrade = upgrade.ok_or_else(|| refused("this connection cannot be upgraded"))?;
        Ok((wanted, upgrade))
    }
}

/// The answer after which a WebSocket is spoken.
pub fn websocket(accept: String, protocol: &str) -> Response {
    Response {
        status: 101,
        headers: vec![
            ("upgrade", "websocket".to_owned()),
            ("connection", "Upgrade".to_owned()),
            ("sec-websocket-accept", accept),
            ("sec-websocket-protocol", protocol.to_owned()),
        ],
        body: Body::Whole(Bytes::new()),
    }
}

/// The answer after which SPDY is spoken.
pub fn spdy(protocol: &str) -> Response {
    Response {
        status: 101,
        headers: vec![
            ("upgrade", "SPDY/3.1".to_owned()),
            ("connection", "Upgrade".to_owned()),
            ("x-stream-protocol-version", protocol.to_owned()),
        ],
        body: Body::Whole(Bytes::new()),
    }
}

/// Serves a process over a WebSocket until one of them ends.
pub async fn serve(stream: Box<dyn Duplex>, version: Version, job: Job) {
    let (read, write) = tokio::io::split(stream);
    let (say, said) = mpsc::channel(limits::STREAM_QUEUE);
    let (tell, told) = mpsc::channel(limits::STREAM_QUEUE);
    let ends = Ends {
        told,
        say: say.clone(),
    };
    let reading = listen(read, Inbound::new(version), tell, say);
    let writing = speak(write, said);
    tokio::pin!(reading);
    tokio::select! {
        _ = async { tokio::join!(job.run(ends), writing) } => {
            // What the client still sends is read: a connection that is closed over unread bytes loses what was said.
            let _ = timeout(limits::STREAM_CLOSE, reading).await;
        }
        () = &mut reading => {}
    }
}

/// Until the client leaves.
async fn listen(
    read: ReadHalf<Box<dyn Duplex>>,
    mut inbound: Inbound,
    tell: mpsc::Sender<Told>,
    say: mpsc::Sender<Say>,
) {
    let mut reader = Reader::new(tokio::io::BufReader::new(read));
    while let Ok(event) = reader.next().await {
        match event {
            Event::Data { first, last, bytes } => match inbound.take(first, last, bytes) {
                Told::Nothing => {}
                // When the process has ended, nobody listens any more.
                word => drop(tell.send(word).await),
            },
            Event::Ping(bytes) => drop(say.send(Say::Pong(bytes)).await),
            Event::Close => return,
        }
    }
}

/// Until it has said good-bye; then its queue is gone, and whoever wants to say more hears so.
pub async fn speak(mut write: WriteHalf<Box<dyn Duplex>>, mut said: mpsc::Receiver<Say>) {
    while let Some(say) = said.recv().await {
        let written = websocket::write(&mut write, &say).await;
        if written.is_err() || matches!(say, Say::Close(_)) {
            return;
        }
    }
}
