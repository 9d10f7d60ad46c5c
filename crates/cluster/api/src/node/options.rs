//! What is asked of a container, from the parameters of a query (`pkg/apis/core/v1/conversion.go`,
//! `pkg/apis/core/validation ValidatePodLogOptions`, `pkg/registry/core/pod/strategy.go validateContainer`).

use deploy_cluster_kinds::field::{Finding, FindingKind};
use jiff::Timestamp;
use serde_json::Value;

use crate::object;
use crate::options::Query;
use crate::status::{About, StatusError};

/// `PodLogOptions`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// A container of the pod.
    pub container: String,
    /// Goes on as long as the container writes.
    pub follow: bool,
    /// Of the container before the last restart.
    pub previous: bool,
    /// Each line begins with its time in RFC 3339.
    pub timestamps: bool,
    /// What is older is left out; at least 1.
    pub since_seconds: Option<i64>,
    /// What is older is left out; never with `since_seconds`.
    pub since_time: Option<Timestamp>,
    /// So many lines from the end; none where it is 0.
    pub tail_lines: Option<u64>,
    /// So many bytes, then the end; at least 1.
    pub limit_bytes: Option<u64>,
}

/// `PodExecOptions` and `PodAttachOptions`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// A container of the pod.
    pub container: String,
    /// What is run; empty for attach.
    pub command: Vec<String>,
    /// The client sends.
    pub stdin: bool,
    /// The client wants it.
    pub stdout: bool,
    /// The client wants it; with a terminal there is none.
    pub stderr: bool,
    /// A terminal.
    pub tty: bool,
}

impl LogOptions {
    /// Reads and judges; the container is not yet looked for.
    pub(crate) fn parse(query: &Query, pod: &str) -> Result<LogOptions, StatusError> {
        let since_seconds = query.number("sinceSeconds")?;
        let since_time = match query.first("sinceTime") {
            None | Some("" | "null") => None,
            Some(text) => Some(text.parse::<Timestamp>().map_err(|_| {
                let text = deploy_cluster_kinds::field::go_quote(text);
                StatusError::bad_request(format!(
                    "parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text} as \"2006\""
                ))
            })?),
        };
        let tail_lines = query.number("tailLines")?;
        let limit_bytes = query.number("limitBytes")?;
        let mut findings = Vec::new();
        if let Some(lines) = tail_lines.filter(|lines| *lines < 0) {
            findings.push(invalid("tailLines", lines, "must be greater than or equal to 0"));
        }
        if let Some(bytes) = limit_bytes.filter(|bytes| *bytes < 1) {
            findings.push(invalid("limitBytes", bytes, "must be greater than 0"));
        }
        match (since_seconds, since_time) {
            (Some(_), Some(_)) => findings.push(forbidden(
                "",
                "at most one of `sinceTime` or `sinceSeconds` may be specified",
            )),
            (Some(seconds), None) if seconds < 1 => {
                findings.push(invalid("sinceSeconds", seconds, "must be greater than 0"));
            }
            _ => {}
        }
        // The gate PodLogsQuerySplitStreams is off by default.
        if query.first("stream").is_some() {
            findings.push(forbidden("stream", "may not be specified"));
        }
        if !findings.is_empty() {
            return Err(StatusError::invalid(
                About::new("", "PodLogOptions"),
                pod,
                &findings,
            ));
        }
        Ok(LogOptions {
            container: query.text("container"),
            follow: query.flag("follow"),
            previous: query.flag("previous"),
            timestamps: query.flag("timestamps"),
            since_seconds,
            since_time,
            tail_lines: tail_lines.and_then(|lines| lines.try_into().ok()),
            limit_bytes: limit_bytes.and_then(|bytes| bytes.try_into().ok()),
        })
    }
}

impl StreamOptions {
    /// Reads; the container is not yet looked for.
    pub(crate) fn parse(query: &Query) -> StreamOptions {
        StreamOptions {
            container: query.text("container"),
            command: query.all("command"),
            stdin: query.flag("stdin"),
            stdout: query.flag("stdout"),
            stderr: query.flag("stderr"),
            tty: query.flag("tty"),
        }
    }
}

/// The ports of a query; Go's form decoder takes each as a number.
pub(crate) fn ports_of(query: &Query) -> Result<Vec<u16>, StatusError> {
    let numbers = query.all("ports").into_iter().map(|text| {
        text.parse::<u16>().map_err(|_| {
            let text = deploy_cluster_kinds::field::go_quote(&text);
            StatusError::bad_request(format!("strconv.ParseInt: parsing {text}: invalid syntax"))
        })
    });
    numbers.collect()
}

/// The container that is meant: the named one, or the only one.
pub(crate) fn container_of(pod: &Value, named: &str) -> Result<String, StatusError> {
    let names = |field: &str| -> Vec<String> {
        let list = pod["spec"][field]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let names = list.iter().filter_map(|container| container["name"].as_str());
        names.map(str::to_owned).collect()
    };
    let all = || {
        [
            names("initContainers"),
            names("containers"),
            names("ephemeralContainers"),
        ]
        .concat()
    };
    let pod_name = object::name(pod);
    if !named.is_empty() {
        if all().iter().any(|name| name == named) {
            return Ok(named.to_owned());
        }
        return Err(StatusError::bad_request(format!(
            "container {named} is not valid for pod {pod_name}"
        )));
    }
    match names("containers").as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(StatusError::bad_request(format!(
            "a container name must be specified for pod {pod_name}"
        ))),
        _ => Err(StatusError::bad_request(format!(
            "a container name must be specified for pod {pod_name}, choose one of: [{}]",
            all().join(" ")
        ))),
    }
}

fn invalid(path: &str, value: i64, detail: &str) -> Finding {
    Finding {
        kind: FindingKind::Invalid,
        path: path.to_owned(),
        value: Some(value.into()),
        shown: None,
        detail: detail.to_owned(),
    }
}

fn forbidden(path: &str, detail: &str) -> Finding {
    Finding {
        kind: FindingKind::Forbidden,
        path: path.to_owned(),
        value: None,
        shown: None,
        detail: detail.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn log_options_are_judged_as_upstream() {
        let parse = |query: &str| LogOptions::parse(&Query::parse(query), "p");
        let read = parse("container=c&follow=true&tailLines=0&limitBytes=7&sinceTime=2026-01-02T03:04:05Z");
        let read = read.expect("all of it is valid");
        assert!(read.follow && !read.previous && read.since_time.is_some());
        assert_eq!((read.tail_lines, read.limit_bytes), (Some(0), Some(7)));
        let refused = [
            (
                "tailLines=-1",
                "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                "limitBytes=0",
                "PodLogOptions \"p\" is invalid: limitBytes: Invalid value: 0: must be greater than 0",
            ),
            (
                "sinceSeconds=0",
                "PodLogOptions \"p\" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0",
            ),
            (
                "stream=Stdout",
                "PodLogOptions \"p\" is invalid: stream: Forbidden: may not be specified",
            ),
            ("tailLines=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ];
        for (query, text) in refused {
            assert_eq!(
                parse(query).map_err(|error| error.message),
                Err(text.to_owned()),
                "{query}"
            );
        }
    }

    #[test]
    fn the_only_container_need_not_be_named() {
        let pod = |names: &[&str]| {
            let containers: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"metadata": {"name": "p"}, "spec": {"containers": containers, "initContainers": [{"name": "i"}]}})
        };
        let found =
            |names: &[&str], named: &str| container_of(&pod(names), named).map_err(|error| error.message);
        assert_eq!(found(&["a"], ""), Ok("a".to_owned()));
        assert_eq!(found(&["a"], "i"), Ok("i".to_owned()));
        assert_eq!(
            found(&["a"], "b"),
            Err("container b is not valid for pod p".to_owned())
        );
        assert_eq!(
            found(&["a", "b"], ""),
            Err("a container name must be specified for pod p, choose one of: [i a b]".to_owned())
        );
    }
}
