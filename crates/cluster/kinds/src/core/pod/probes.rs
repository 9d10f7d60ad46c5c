//! Probes and lifecycle hooks (`pkg/apis/core/validation/validation.go`).

use serde_json::Value;

use crate::cursor::{Field, Findings};
use crate::metadata::non_negative;
use crate::names;

/// The signals that a Linux container may name to be stopped with.
const SIGNALS: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMAX-1",
    "SIGRTMAX-10",
    "SIGRTMAX-11",
    "SIGRTMAX-12",
    "SIGRTMAX-13",
    "SIGRTMAX-14",
    "SIGRTMAX-2",
    "SIGRTMAX-3",
    "SIGRTMAX-4",
    "SIGRTMAX-5",
    "SIGRTMAX-6",
    "SIGRTMAX-7",
    "SIGRTMAX-8",
    "SIGRTMAX-9",
    "SIGRTMIN",
    "SIGRTMIN+1",
    "SIGRTMIN+10",
    "SIGRTMIN+11",
    "SIGRTMIN+12",
    "SIGRTMIN+13",
    "SIGRTMIN+14",
    "SIGRTMIN+15",
    "SIGRTMIN+2",
    "SIGRTMIN+3",
    "SIGRTMIN+4",
    "SIGRTMIN+5",
    "SIGRTMIN+6",
    "SIGRTMIN+7",
    "SIGRTMIN+8",
    "SIGRTMIN+9",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];

/// Checks the hooks and probes of a container of a pod with this spec.
pub fn hooks_and_probes(container: &Field<'_>, spec: &Field<'_>, out: &mut Findings) {
    let grace = spec.get("terminationGracePeriodSeconds").opt_int();
    let lifecycle = container.get("lifecycle");
    if lifecycle.exists() {
        for name in ["postStart", "preStop"] {
            let hook = lifecycle.get(name);
            if hook.exists() {
                handler(&hook, &["exec", "httpGet", "tcpSocket", "sleep"], grace, out);
            }
        }
        stop_signal(&lifecycle.get("stopSignal"), &spec.get("os"), out);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.get(name);
        if probe.exists() {
            self::probe(&probe, name == "readinessProbe", grace, out);
        }
    }
}

fn probe(probe: &Field<'_>, readiness: bool, grace: Option<i64>, out: &mut Findings) {
    handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], grace, out);
    let numbers = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    numbers
        .iter()
        .for_each(|name| non_negative(&probe.get(name), out));
    let own_grace = probe.get("terminationGracePeriodSeconds");
    if own_grace.opt_int().is_some_and(|seconds| seconds <= 0) {
        out.push(own_grace.invalid("must be greater than 0"));
    }
    if readiness {
        if own_grace.exists() {
            out.push(own_grace.invalid("must not be set for readinessProbes"));
        }
        return;
    }
    let threshold = probe.get("successThreshold");
    if threshold.int() != 1 {
        out.push(threshold.invalid_value(threshold.int(), "must be 1"));
    }
}

/// Exactly one of `kinds`.
fn handler(holder: &Field<'_>, kinds: &[&'static str], grace: Option<i64>, out: &mut Findings) {
    let mut found = false;
    for action in kinds
        .iter()
        .map(|kind| (*kind, holder.get(kind)))
        .filter(|(_, action)| action.exists())
    {
        let (kind, action) = action;
        if found {
            out.push(action.forbidden("may not specify more than 1 handler type"));
            continue;
        }
        found = true;
        match kind {
            "exec" => {
                let command = action.get("command");
                if command.is_empty() {
                    out.push(command.required(""));
                }
            }
            "httpGet" => http_get(&action, out),
            "sleep" => sleep(&action, grace, out),
            // A gRPC port has no name.
            _ => port(&action.get("port"), out),
        }
    }
    if !found {
        out.push(holder.required("must specify a handler type"));
    }
}

fn http_get(action: &Field<'_>, out: &mut Findings) {
    let (path, scheme) = (action.get("path"), action.get("scheme"));
    if path.is_empty() {
        out.push(path.required(""));
    }
    port(&action.get("port"), out);
    if !matches!(scheme.str(), "HTTP" | "HTTPS") {
        out.push(scheme.not_supported(&["HTTP", "HTTPS"]));
    }
    let headers = action.get("httpHeaders");
    for header in headers.list() {
        let name = header.get("name").str();
        out.extend(
            names::http_header_name(name)
                .into_iter()
                .map(|text| headers.invalid_value(name, text)),
        );
    }
}

/// The number or the name of a port.
pub fn port(port: &Field<'_>, out: &mut Findings) {
    match port.value() {
        Some(Value::String(name)) => {
            out.extend(names::port_name(name).into_iter().map(|text| port.invalid(text)));
        }
        _ => {
            let number = port.int();
            out.extend(
                names::port_number(number)
                    .into_iter()
                    .map(|text| port.invalid_value(number, text)),
            );
        }
    }
}

fn sleep(action: &Field<'_>, grace: Option<i64>, out: &mut Findings) {
    let seconds = action.get("seconds").int();
    if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        out.push(action.invalid_value(seconds, detail));
    }
}

fn stop_signal(signal: &Field<'_>, os: &Field<'_>, out: &mut Findings) {
    if !signal.exists() {
        return;
    }
    let known: &[&str] = match os.get("name").str() {
        _ if !os.exists() => {
            out.push(signal.forbidden("may not be set for containers with empty `spec.os.name`"));
            return;
        }
        "windows" => &["SIGKILL", "SIGTERM"],
        "linux" => SIGNALS,
        _ => return,
    };
    if !known.contains(&signal.str()) {
        out.push(signal.not_supported(known));
    }
}
