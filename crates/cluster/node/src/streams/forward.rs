//! `kubectl port-forward`: SPDY/3.1, alone or within a WebSocket; a pair of streams is a connection to a port of the pod
//! (`kubelet/pkg/cri/streaming/portforward/httpstream.go`).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as StdStream};
use std::path::PathBuf;

use bytes::Bytes;
use deploy_cluster_api::request::Duplex;
use deploy_cluster_net::link::Namespace;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::spdy::{self, Incoming};
use super::upgrade::speak;
use super::websocket::{Event, Reader, Say};
use crate::limits;

/// The protocol of the streams.
pub const PROTOCOL: &str = "portforward.k8s.io";
/// The same within a WebSocket (`apimachinery/pkg/util/portforward`).
pub const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// Where connections go.
#[derive(Clone, Debug)]
pub struct Place {
    /// The network namespace; none is the machine's.
    pub network: Option<PathBuf>,
    /// For messages.
    pub pod: String,
}

/// One connection that a client wants: both streams of it, once they are there.
#[derive(Default)]
struct Pair {
    data: Option<Incoming>,
    error: Option<Incoming>,
}

/// Serves until the client leaves.
pub async fn serve(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, place: Place) {
    let (read, write) = tokio::io::split(stream);
    let (mut session, queue) = spdy::session(read);
    let accepting = async move {
        let mut pairs: HashMap<String, Pair> = HashMap::new();
        let mut connections = JoinSet::new();
        while let Ok(Some(incoming)) = session.next().await {
            while connections.try_join_next().is_some() {}
            // Streams that never find their other half.
            if pairs.len() >= limits::SPDY_STREAMS_MAX {
                pairs.clear();
            }
            if let Some((data, error)) = paired(&mut pairs, incoming) {
                connections.spawn(connect(data, error, place.clone()));
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = spdy::write(write, queue) => {}
    }
}

/// The pair that has become whole.
fn paired(pairs: &mut HashMap<String, Pair>, incoming: Incoming) -> Option<(Incoming, Incoming)> {
    let is_data = incoming.header("streamtype") == "data";
    let request = match incoming.header("requestid") {
        // Old clients open the stream for errors, and then the one for data.
        "" if is_data => incoming.id().saturating_sub(2).to_string(),
        "" => incoming.id().to_string(),
        request => request.to_owned(),
    };
    let mut pair = pairs.remove(&request).unwrap_or_default();
    let place = if is_data { &mut pair.data } else { &mut pair.error };
    *place = Some(incoming);
    match pair {
        Pair {
            data: Some(data),
            error: Some(error),
        } => Some((data, error)),
        pair => {
            pairs.insert(request, pair);
            None
        }
    }
}

/// One connection, from its beginning to its end.
async fn connect(data: Incoming, error: Incoming, place: Place) {
    let port = data.header("port").parse::<u16>().ok().filter(|port| *port > 0);
    let connected = match port {
        Some(port) => dial(&place, port).await.map_err(|why| (port, why)),
        None => Err((0, "the port is no number".to_owned())),
    };
    match connected {
        Ok(stream) => pass(stream, data).await,
        Err((port, why)) => {
            let text = format!("error forwarding port {port} to pod {}: {why}", place.pod);
            error.output.send(text.as_bytes()).await;
            data.output.finish().await;
        }
    }
    error.output.finish().await;
}

/// Passes on until the pod has said all.
async fn pass(stream: TcpStream, data: Incoming) {
    let Incoming {
        mut input, output, ..
    } = data;
    let (mut read, mut write) = stream.into_split();
    let there = async {
        while let Some(bytes) = input.recv().await {
            if write.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // It may still answer.
        let _ = write.shutdown().await;
        // What the client sends on is read, so that its other streams go on.
        while input.recv().await.is_some() {}
        std::future::pending::<()>().await;
    };
    let back = async {
        let mut buffer = vec![0; limits::STREAM_READ_BYTES];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            if !output.send(&buffer[..count]).await {
                break;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
    output.finish().await;
}

/// Connects to a port of the pod's own loopback: also servers that listen nowhere else are found.
async fn dial(place: &Place, port: u16) -> Result<TcpStream, String> {
    let network = place.network.clone();
    let dialed = tokio::task::spawn_blocking(move || match network {
        None => loopback(port),
        Some(path) => {
            let namespace = Namespace::open(path).map_err(|error| error.to_string())?;
            namespace
                .run(|| loopback(port))
                .map_err(|error| error.to_string())?
        }
    });
    let stream = dialed.await.map_err(|error| error.to_string())??;
    TcpStream::from_std(stream).map_err(|error| error.to_string())
}

fn loopback(port: u16) -> Result<StdStream, String> {
    let to = |address: IpAddr| -> io::Result<StdStream> {
        let stream = StdStream::connect_timeout(&SocketAddr::new(address, port), limits::FORWARD_CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    to(Ipv4Addr::LOCALHOST.into()).or_else(|first| {
        to(Ipv6Addr::LOCALHOST.into()).map_err(|second| {
            format!(
                "failed to connect to localhost:{port} inside the pod's network namespace, \
                 IPv4: dial tcp4 127.0.0.1:{port}: {first} IPv6: dial tcp6 [::1]:{port}: {second}"
            )
        })
    })
}

/// Serves SPDY within a WebSocket.
pub async fn serve_tunnel(stream: Box<dyn Duplex>, place: Place) {
    let (ours, theirs) = tokio::io::duplex(limits::STREAM_READ_BYTES);
    let (read, write) = tokio::io::split(stream);
    let (say, said) = mpsc::channel(limits::STREAM_QUEUE);
    tokio::select! {
        () = serve(theirs, place) => {}
        () = speak(write, said) => {}
        _ = carry(Reader::new(tokio::io::BufReader::new(read)), ours, say) => {}
    }
}

/// Carries the bytes of all messages in, and what is answered out.
async fn carry<R: tokio::io::AsyncRead + Unpin>(
    mut reader: Reader<R>,
    inner: DuplexStream,
    say: mpsc::Sender<Say>,
) -> io::Result<()> {
    let (mut read, mut write) = tokio::io::split(inner);
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let pong = say.clone();
    let inwards = async {
        loop {
            match reader.next().await? {
                Event::Data { bytes, .. } => write.write_all(&bytes).await?,
                Event::Ping(bytes) => pong.send(Say::Pong(bytes)).await.map_err(gone)?,
                Event::Close => return Ok::<(), io::Error>(()),
            }
        }
    };
    let outwards = async {
        let mut buffer = vec![0; limits::STREAM_READ_BYTES];
        loop {
            let count = read.read(&mut buffer).await?;
            if count == 0 {
                return Ok::<(), io::Error>(());
            }
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            say.send(Say::Binary(bytes)).await.map_err(gone)?;
        }
    };
    tokio::select! {
        done = inwards => done,
        done = outwards => done,
    }
}
