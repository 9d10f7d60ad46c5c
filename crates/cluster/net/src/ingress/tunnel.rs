//! After a switch of protocols: bytes in both directions.

use std::io;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Connects a client to an endpoint until one of them has nothing more to say, or all ends.
pub async fn run(on_upgrade: OnUpgrade, stream: (TcpStream, Bytes), stop: CancellationToken) {
    // A broken connection is a way to end it.
    let _ = stop.run_until_cancelled_owned(connect(on_upgrade, stream)).await;
}

async fn connect(on_upgrade: OnUpgrade, (mut endpoint, early): (TcpStream, Bytes)) -> io::Result<()> {
    let upgraded = on_upgrade.await.map_err(io::Error::other)?;
    let mut client = TokioIo::new(upgraded);
    client.write_all(&early).await?;
    client.flush().await?;
    copy_bidirectional(&mut client, &mut endpoint).await?;
    Ok(())
}
