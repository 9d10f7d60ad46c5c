//! What a manifest says about a probe.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// Which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Whether the container has begun; the others wait for it.
    Startup,
    /// Whether it may get requests.
    Readiness,
    /// Whether it has to be restarted.
    Liveness,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Startup => "Startup",
            Kind::Readiness => "Readiness",
            Kind::Liveness => "Liveness",
        })
    }
}

/// A probe with the API's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How to ask.
    pub action: Action,
    /// `initialDelaySeconds`
    pub initial_delay: Duration,
    /// `timeoutSeconds`
    pub timeout: Duration,
    /// `periodSeconds`
    pub period: Duration,
    /// `successThreshold`
    pub success_threshold: u64,
    /// `failureThreshold`
    pub failure_threshold: u64,
    /// `terminationGracePeriodSeconds` of the probe.
    pub grace_seconds: Option<i64>,
}

/// How to ask; also what lifecycle hooks do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A command in the container: its exit code.
    Exec(Vec<String>),
    /// A request: its status.
    Http {
        /// Whether with TLS, whose certificate nobody verifies.
        tls: bool,
        /// Empty for the pod's address.
        host: String,
        /// Of the container.
        port: Port,
        /// With its query.
        path: String,
        /// In their order.
        headers: Vec<(String, String)>,
    },
    /// A connection.
    Tcp {
        /// Empty for the pod's address.
        host: String,
        /// Of the container.
        port: Port,
    },
    /// Nothing but time goes by.
    Sleep(Duration),
    /// gRPC's health service, which is not supported yet.
    Grpc,
}

/// A port as a number, or by its name in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// Itself.
    Number(u16),
    /// Of `ports[].name`.
    Name(String),
}

impl Probe {
    /// Reads a probe; `None` where there is none.
    pub fn read(value: &Value) -> Option<Probe> {
        let action = Action::read(value)?;
        let seconds = |name: &str, default: u64| Duration::from_secs(value[name].as_u64().unwrap_or(default));
        let times = |name: &str, default: u64| value[name].as_u64().unwrap_or(default).max(1);
        Some(Probe {
            action,
            initial_delay: seconds("initialDelaySeconds", 0),
            timeout: seconds("timeoutSeconds", 1).max(Duration::from_secs(1)),
            period: seconds("periodSeconds", 10).max(Duration::from_secs(1)),
            success_threshold: times("successThreshold", 1),
            failure_threshold: times("failureThreshold", 3),
            grace_seconds: value["terminationGracePeriodSeconds"].as_i64(),
        })
    }
}

impl Action {
    /// Reads what a probe or a hook does; `None` where it says nothing.
    pub fn read(value: &Value) -> Option<Action> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(exec) = value["exec"].as_object() {
            let command = exec
                .get("command")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            return Some(Action::Exec(command.map(text).collect()));
        }
        let http = &value["httpGet"];
        if http.is_object() {
            let headers = http["httpHeaders"].as_array().into_iter().flatten();
            return Some(Action::Http {
                tls: http["scheme"]
                    .as_str()
                    .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
                host: text(&http["host"]),
                port: Port::read(&http["port"]),
                path: text(&http["path"]),
                headers: headers
                    .map(|header| (text(&header["name"]), text(&header["value"])))
                    .collect(),
            });
        }
        let tcp = &value["tcpSocket"];
        if tcp.is_object() {
            return Some(Action::Tcp {
                host: text(&tcp["host"]),
                port: Port::read(&tcp["port"]),
            });
        }
        if value["sleep"].is_object() {
            let seconds = value["sleep"]["seconds"].as_u64().unwrap_or_default();
            return Some(Action::Sleep(Duration::from_secs(seconds)));
        }
        value["grpc"].is_object().then_some(Action::Grpc)
    }
}

impl Port {
    fn read(value: &Value) -> Port {
        match value.as_u64().and_then(|number| u16::try_from(number).ok()) {
            Some(number) => Port::Number(number),
            None => Port::Name(value.as_str().unwrap_or_default().to_owned()),
        }
    }

    /// The number, for a container (`pkg/probe/util.go ResolveContainerPort`).
    pub fn number(&self, container: &Value) -> Option<u16> {
        match self {
            Port::Number(number) => (*number > 0).then_some(*number),
            Port::Name(name) => {
                let mut ports = container["ports"].as_array().into_iter().flatten();
                let named = ports.find(|port| port["name"].as_str() == Some(name))?;
                u16::try_from(named["containerPort"].as_u64()?).ok()
            }
        }
    }
}
