//! Configurations of images: what a base says becomes a stage's settings, and a stage's settings an image's.

use deploy_dockerfile::Settings;
use deploy_dockerfile::instruction::Healthcheck;
use deploy_image::{Config, ConfigError};
use deploy_model::image::Digest;
use deploy_model::image::manifest::Platform;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One line of an image's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step as it is written.
    pub text: String,
    /// When, in seconds of Unix.
    pub at_s: i64,
    /// It has made no layer.
    pub empty: bool,
}

/// What a base image says.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// What its process is.
    pub settings: Settings,
    /// Its history, as it came.
    pub history: Vec<Value>,
    /// When it was made, seconds of Unix; 0 if it does not say.
    pub created_s: i64,
    /// Of its plain layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

impl Base {
    /// Reads a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let (config, diff_ids) = Config::parse(bytes)?;
        let root: Value =
            serde_json::from_slice(bytes).map_err(|error| ConfigError::Json(error.to_string()))?;
        let inner = &root["config"];
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        let created_s = config
            .created
            .parse::<Timestamp>()
            .map_or(0, Timestamp::as_second);
        Ok(Self {
            settings: Settings {
                env: config.env.iter().map(pair).collect(),
                user: config.user,
                working_dir: config.working_dir,
                entrypoint: config.entrypoint,
                cmd: config.cmd,
                exposed_ports: config.exposed_ports.into_iter().collect(),
                volumes: config.volumes.into_iter().collect(),
                labels: config.labels,
                stop_signal: config.stop_signal,
                shell: texts(&inner["Shell"]),
                healthcheck: healthcheck(&inner["Healthcheck"]),
                author: root["author"].as_str().unwrap_or_default().to_owned(),
            },
            history: root["history"].as_array().cloned().unwrap_or_default(),
            created_s,
            diff_ids,
        })
    }
}

/// The configuration of an image with these layers, lowest first.
pub fn write(
    settings: &Settings,
    platform: &Platform,
    created_s: i64,
    history: &[Value],
    lines: &[Line],
    diff_ids: &[Digest],
) -> Vec<u8> {
    let mut inner = Map::new();
    let mut put = |name: &str, value: Value| {
        let empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if !empty {
            inner.insert(name.to_owned(), value);
        }
    };
    let set = |names: &std::collections::BTreeSet<String>| -> Value {
        names
            .iter()
            .map(|name| (name.clone(), json!({})))
            .collect::<Map<_, _>>()
            .into()
    };
    let env: Vec<String> = settings
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    put("User", json!(settings.user));
    put("ExposedPorts", set(&settings.exposed_ports));
    put("Env", json!(env));
    put("Entrypoint", json!(settings.entrypoint));
    put("Cmd", json!(settings.cmd));
    put("Volumes", set(&settings.volumes));
    put("WorkingDir", json!(settings.working_dir));
    put("Labels", json!(settings.labels));
    put("StopSignal", json!(settings.stop_signal));
    put("Shell", json!(settings.shell));
    put(
        "Healthcheck",
        settings.healthcheck.as_ref().map_or(Value::Null, check),
    );
    let lines = lines.iter().map(|line| {
        let mut value = json!({"created": time(line.at_s), "created_by": line.text});
        if line.empty {
            value["empty_layer"] = json!(true);
        }
        value
    });
    let mut root = json!({
        "created": time(created_s),
        "architecture": platform.architecture,
        "os": platform.os,
        "config": inner,
        "rootfs": {
            "type": "layers",
            "diff_ids": diff_ids.iter().map(Digest::as_str).collect::<Vec<_>>(),
        },
        "history": history.iter().cloned().chain(lines).collect::<Vec<_>>(),
    });
    for (name, value) in [("variant", &platform.variant), ("author", &settings.author)] {
        if !value.is_empty() {
            root[name] = json!(value);
        }
    }
    root.to_string().into_bytes()
}

fn time(at_s: i64) -> String {
    Timestamp::from_second(at_s)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    texts
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn healthcheck(value: &Value) -> Option<Healthcheck> {
    let number = |name: &str| value[name].as_i64().unwrap_or(0);
    value.is_object().then(|| Healthcheck {
        test: texts(&value["Test"]),
        interval_ns: number("Interval"),
        timeout_ns: number("Timeout"),
        start_period_ns: number("StartPeriod"),
        start_interval_ns: number("StartInterval"),
        retries: number("Retries"),
    })
}

fn check(check: &Healthcheck) -> Value {
    let mut value = json!({"Test": check.test});
    for (name, number) in [
        ("Interval", check.interval_ns),
        ("Timeout", check.timeout_ns),
        ("StartPeriod", check.start_period_ns),
        ("StartInterval", check.start_interval_ns),
        ("Retries", check.retries),
    ] {
        if number != 0 {
            value[name] = json!(number);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let settings = Settings {
            env: vec![("A".to_owned(), "b=c".to_owned())],
            shell: vec!["/bin/bash".to_owned(), "-c".to_owned()],
            healthcheck: Some(Healthcheck {
                test: vec!["CMD".to_owned(), "x".to_owned()],
                retries: 3,
                ..Healthcheck::default()
            }),
            author: "me".to_owned(),
            ..Settings::default()
        };
        let line = Line {
            text: "RUN x".to_owned(),
            at_s: 1,
            empty: true,
        };
        let bytes = write(
            &settings,
            &Platform::own(),
            7,
            &[json!({"created_by": "base"})],
            &[line],
            &[],
        );
        let base = Base::parse(&bytes).unwrap();
        assert_eq!(base.settings, settings);
        assert_eq!((base.created_s, base.history.len()), (7, 2));
        assert_eq!(base.history[1]["empty_layer"], true);
    }
}
