//! A small HTTP/1.1 client over TLS: what a comparison of answers needs, one connection, nothing hidden.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deploy_cluster_oracle::{Answer, Identity, Request, Server};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// How long an answer, or the next line of a watch, may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a watch may be silent.
const LINE_WITHIN: Duration = Duration::from_secs(3);

type Connection = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A server at an address, and the admin's credentials.
pub struct HttpServer {
    /// `127.0.0.1:6443`
    address: String,
    /// With the admin's certificate, if there is one.
    admin: Arc<ClientConfig>,
    nobody: Arc<ClientConfig>,
    token: Option<String>,
    idle: Vec<(Identity, Connection)>,
}

impl HttpServer {
    /// Reads the first cluster and user of a kubeconfig; `server` is used in place of its address if it is given.
    pub fn from_kubeconfig(path: &Path, server: Option<&str>) -> Result<HttpServer, String> {
        let fail = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let text = fs::read(path).map_err(|e| fail(&e))?;
        let config = deploy_yaml::to_json(&text, deploy_yaml::Dialect::Core12).map_err(|e| fail(&e))?;
        let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
        let url = server
            .or(cluster["server"].as_str())
            .ok_or_else(|| fail(&"no server"))?;
        let address = url
            .strip_prefix("https://")
            .ok_or_else(|| fail(&"the server must be https://"))?;
        let pem = |holder: &Value, key: &str| -> Result<Option<Vec<u8>>, String> {
            if let Some(data) = holder[format!("{key}-data")].as_str() {
                return STANDARD.decode(data).map(Some).map_err(|e| fail(&e));
            }
            holder[key]
                .as_str()
                .map(|file| fs::read(file).map_err(|e| fail(&e)))
                .transpose()
        };
        let mut roots = RootCertStore::empty();
        let authority =
            pem(cluster, "certificate-authority")?.ok_or_else(|| fail(&"no certificate-authority"))?;
        for certificate in CertificateDer::pem_slice_iter(&authority) {
            roots
                .add(certificate.map_err(|e| fail(&e))?)
                .map_err(|e| fail(&e))?;
        }
        let builder = || {
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map(|builder| builder.with_root_certificates(roots.clone()))
        };
        let nobody = builder().map_err(|e| fail(&e))?.with_no_client_auth();
        let admin = match (pem(user, "client-certificate")?, pem(user, "client-key")?) {
            (Some(certificates), Some(key)) => {
                let certificates = CertificateDer::pem_slice_iter(&certificates).collect::<Result<_, _>>();
                let key = PrivateKeyDer::from_pem_slice(&key).map_err(|e| fail(&e))?;
                let builder = builder().map_err(|e| fail(&e))?;
                builder
                    .with_client_auth_cert(certificates.map_err(|e| fail(&e))?, key)
                    .map_err(|e| fail(&e))?
            }
            _ => nobody.clone(),
        };
        Ok(HttpServer {
            address: address.trim_end_matches('/').to_owned(),
            admin: Arc::new(admin),
            nobody: Arc::new(nobody),
            token: user["token"].as_str().map(str::to_owned),
            idle: Vec::new(),
        })
    }

    fn connect(&self, identity: Identity) -> io::Result<Connection> {
        let host = self
            .address
            .rsplit_once(':')
            .map_or(&*self.address, |(host, _)| host);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = if identity == Identity::Admin {
            &self.admin
        } else {
            &self.nobody
        };
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(BufReader::new(StreamOwned::new(tls, stream)))
    }

    fn exchange(
        &self,
        mut connection: Connection,
        request: &Request,
    ) -> io::Result<(Answer, Option<Connection>)> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\n",
            request.method, request.path, self.address
        );
        if let (Identity::Admin, Some(token)) = (request.identity, &self.token)
            && !request.headers.iter().any(|(name, _)| name == "authorization")
        {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
        let stream = connection.get_mut();
        stream.write_all(&[head.as_bytes(), &request.body].concat())?;
        stream.flush()?;
        let (status, headers) = read_head(&mut connection)?;
        let header = |name: &str| {
            headers
                .iter()
                .find(|(present, _)| present == name)
                .map(|(_, value)| value.as_str())
        };
        let mut body = Vec::new();
        let mut ended = true;
        if header("transfer-encoding") == Some("chunked") {
            if request.lines.is_some() {
                connection.get_ref().sock.set_read_timeout(Some(LINE_WITHIN))?;
            }
            ended = read_chunks(&mut connection, &mut body, request.lines)?;
        } else if let Some(length) = header("content-length").and_then(|text| text.parse().ok()) {
            body.resize(length, 0);
            connection.read_exact(&mut body)?;
        } else if request.method != "HEAD" && status != 204 {
            connection.read_to_end(&mut body)?;
            ended = false;
        }
        let again = ended && header("connection") != Some("close");
        Ok((
            Answer {
                status,
                headers,
                body,
            },
            again.then_some(connection),
        ))
    }
}

impl Server for HttpServer {
    fn send(&mut self, request: &Request) -> Result<Answer, String> {
        let kept = self
            .idle
            .iter()
            .position(|(identity, _)| *identity == request.identity);
        if let Some(at) = kept {
            let (identity, connection) = self.idle.remove(at);
            // The server may have closed it meanwhile: then a new one follows.
            if let Ok((answer, kept)) = self.exchange(connection, request) {
                self.idle.extend(kept.map(|connection| (identity, connection)));
                return Ok(answer);
            }
        }
        let connection = self
            .connect(request.identity)
            .map_err(|e| format!("{}: {e}", self.address))?;
        let (answer, kept) = self
            .exchange(connection, request)
            .map_err(|e| format!("{} {}: {e}", request.method, request.path))?;
        self.idle
            .extend(kept.map(|connection| (request.identity, connection)));
        Ok(answer)
    }
}

fn read_line(connection: &mut Connection) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

type Head = (u16, Vec<(String, String)>);

fn read_head(connection: &mut Connection) -> io::Result<Head> {
    let line = read_line(connection)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no HTTP: {line}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((status, headers))
}

/// Reads to the end, or until there are so many lines, or until no more come. Says whether it was the end.
fn read_chunks(connection: &mut Connection, body: &mut Vec<u8>, lines: Option<usize>) -> io::Result<bool> {
    loop {
        if lines.is_some_and(|wanted| body.iter().filter(|byte| **byte == b'\n').count() >= wanted) {
            return Ok(false);
        }
        let line = match read_line(connection) {
            Ok(line) => line,
            Err(error) if lines.is_some() && is_timeout(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let size = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
        let start = body.len();
        body.resize(start + size, 0);
        connection.read_exact(&mut body[start..])?;
        read_line(connection)?;
        if size == 0 {
            return Ok(true);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
