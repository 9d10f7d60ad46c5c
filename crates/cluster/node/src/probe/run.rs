//! Runs probes and hooks that need nothing but the network or time; commands are run by whoever has the container.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::http::{self, Ask};
use super::{Action, Outcome};

/// What a command in a container came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Its exit code and what it wrote, cut at [`crate::limits::PROBE_BODY_BYTES_MAX`].
    Exited(i32, String),
    /// It had not ended in time, and was killed.
    Late,
    /// It could not be run.
    Failed(String),
}

/// The outcome of a command that was a probe.
pub fn exec_outcome(command: &[String], ran: Ran) -> Outcome {
    match ran {
        Ran::Exited(0, _) => Outcome::Success,
        Ran::Exited(_, output) => Outcome::Failure(output),
        Ran::Late => Outcome::Failure(format!("command \"{}\" timed out", command.join(" "))),
        Ran::Failed(error) => Outcome::Error(error),
    }
}

/// Asks over the network; `container` is where ports have their names. `None` for a command.
pub async fn ask(action: &Action, container: &Value, address: &str, within: Duration) -> Option<Outcome> {
    match action {
        Action::Exec(_) => None,
        Action::Http {
            tls,
            host,
            port,
            path,
            headers,
        } => {
            let Some(number) = port.number(container) else {
                return Some(no_port(action));
            };
            let ask = Ask {
                tls: *tls,
                host: or(host, address),
                port: number,
                path,
                headers,
                purpose: "probe",
            };
            Some(http::outcome(http::get(&ask, within).await))
        }
        Action::Tcp { host, port } => {
            let Some(number) = port.number(container) else {
                return Some(no_port(action));
            };
            Some(tcp(or(host, address), number, within).await)
        }
        Action::Sleep(_) => Some(Outcome::Error("sleep is no probe".to_owned())),
        Action::Grpc => Some(Outcome::Error("gRPC probes are not supported yet".to_owned())),
    }
}

/// Runs a lifecycle hook that is no command, within the time that the pod has. `None` for a command
/// (`pkg/kubelet/lifecycle/handlers.go`).
pub async fn hook(
    action: &Action,
    container: &Value,
    address: &str,
    within: Duration,
) -> Option<Result<(), String>> {
    match action {
        Action::Exec(_) => None,
        Action::Http {
            tls,
            host,
            port,
            path,
            headers,
        } => {
            let Some(number) = port.number(container) else {
                return Some(Err("invalid port number".to_owned()));
            };
            let ask = Ask {
                tls: *tls,
                host: or(host, address),
                port: number,
                path,
                headers,
                purpose: "lifecycle",
            };
            Some(http::get(&ask, within).await.map(|_| ()))
        }
        Action::Sleep(time) => {
            tokio::time::sleep((*time).min(within)).await;
            Some(Ok(()))
        }
        Action::Tcp { .. } | Action::Grpc => Some(Err("invalid handler".to_owned())),
    }
}

fn or<'a>(host: &'a str, address: &'a str) -> &'a str {
    if host.is_empty() { address } else { host }
}

fn no_port(action: &Action) -> Outcome {
    match action {
        Action::Http {
            port: super::Port::Name(name),
            ..
        }
        | Action::Tcp {
            port: super::Port::Name(name),
            ..
        } => Outcome::Error(format!("couldn't find port: {name}")),
        _ => Outcome::Error("invalid port number: 0".to_owned()),
    }
}

async fn tcp(host: &str, port: u16, within: Duration) -> Outcome {
    match timeout(within, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Outcome::Success,
        Ok(Err(error)) => Outcome::Failure(refused(host, port, &error)),
        Err(_) => Outcome::Failure(format!("dial tcp {}: i/o timeout", place(host, port))),
    }
}

/// Go's text for a connection that was not made.
pub(super) fn refused(host: &str, port: u16, error: &io::Error) -> String {
    let place = place(host, port);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("dial tcp {place}: connect: connection refused"),
        io::ErrorKind::HostUnreachable => format!("dial tcp {place}: connect: no route to host"),
        io::ErrorKind::NetworkUnreachable => format!("dial tcp {place}: connect: network is unreachable"),
        _ => format!("dial tcp {place}: {error}"),
    }
}

fn place(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::probe::Port;

    const WITHIN: Duration = Duration::from_secs(10);

    /// Answers each connection with the next of these texts; what was asked comes back.
    async fn serve(answers: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("an address").port();
        let asked = async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut bytes = vec![0; 4096];
                let length = stream.read(&mut bytes).await.expect("a request");
                asked.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
                stream.write_all(answer.as_bytes()).await.expect("it listens");
            }
            asked
        };
        #[allow(clippy::disallowed_methods)]
        (port, tokio::task::spawn(asked))
    }

    fn http(port: u16, path: &str) -> Action {
        let headers = vec![("X-A".to_owned(), "b".to_owned())];
        Action::Http {
            tls: false,
            host: String::new(),
            port: Port::Number(port),
            path: path.to_owned(),
            headers,
        }
    }

    fn answer(status: &str, rest: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{rest}Content-Length: 2\r\n\r\nok")
    }

    #[tokio::test]
    async fn a_status_decides() {
        for (status, outcome) in [
            ("200 OK", Outcome::Success),
            (
                "399 X",
                Outcome::Warning("Probe terminated redirects, Response body: ok".to_owned()),
            ),
            (
                "404 X",
                Outcome::Failure("HTTP probe failed with statuscode: 404".to_owned()),
            ),
        ] {
            let (port, asked) = serve(vec![answer(status, "")]).await;
            let found = ask(&http(port, "/a?b=c"), &json!({}), "127.0.0.1", WITHIN).await;
            assert_eq!(found, Some(outcome));
            let asked = asked.await.expect("it served").remove(0);
            assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
            for line in [
                "x-a: b",
                "user-agent: kube-probe/1.34",
                "accept: */*",
                &format!("host: 127.0.0.1:{port}"),
            ] {
                assert!(asked.contains(line), "{line} in {asked}");
            }
        }
    }

    #[tokio::test]
    async fn redirects_are_followed_at_home_only() {
        let (port, asked) = serve(vec![
            answer("302 Found", "Location: /b\r\n"),
            answer("200 OK", ""),
        ])
        .await;
        assert_eq!(
            ask(&http(port, "/a"), &json!({}), "127.0.0.1", WITHIN).await,
            Some(Outcome::Success)
        );
        assert!(asked.await.expect("it served")[1].starts_with("GET /b "));
        let (port, _) = serve(vec![answer("302 Found", "Location: http://example.com/\r\n")]).await;
        let found = ask(&http(port, "/a"), &json!({}), "127.0.0.1", WITHIN).await;
        assert!(matches!(found, Some(Outcome::Warning(_))), "{found:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_told_as_go_tells_it() {
        let free = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            listener.local_addr().expect("an address").port()
        };
        let action = Action::Tcp {
            host: String::new(),
            port: Port::Name("web".to_owned()),
        };
        let container = json!({"ports": [{"name": "web", "containerPort": free}]});
        let refused = format!("dial tcp 127.0.0.1:{free}: connect: connection refused");
        assert_eq!(
            ask(&action, &container, "127.0.0.1", WITHIN).await,
            Some(Outcome::Failure(refused.clone()))
        );
        let found = ask(&http(free, "/"), &json!({}), "127.0.0.1", WITHIN).await;
        assert_eq!(
            found,
            Some(Outcome::Failure(format!(
                "Get \"http://127.0.0.1:{free}/\": {refused}"
            )))
        );
        let named = Action::Tcp {
            host: String::new(),
            port: Port::Name("no".to_owned()),
        };
        assert!(matches!(
            ask(&named, &container, "127.0.0.1", WITHIN).await,
            Some(Outcome::Error(_))
        ));
    }

    #[test]
    fn commands_fail_with_what_they_wrote() {
        let command = ["sh".to_owned(), "-c".to_owned()];
        assert_eq!(
            exec_outcome(&command, Ran::Exited(1, "no".to_owned())),
            Outcome::Failure("no".to_owned())
        );
        assert_eq!(
            exec_outcome(&command, Ran::Late),
            Outcome::Failure("command \"sh -c\" timed out".to_owned())
        );
    }
}
