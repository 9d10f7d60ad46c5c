//! Runs over HTTP: look, wait, stop, start.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use deploy_jobs::step_log;
use deploy_model::with_causes;
use deploy_workflow::run::{JobId, StepNumber};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::{App, Caller};
use crate::ci::{RunRecord, RunState, run_of, runs_of};
use crate::limits;

fn failed(error: &dyn std::error::Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", with_causes(error))
}

/// `GET /runs?repository=&before=&limit=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    repository: Option<String>,
    before: Option<i64>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(app): State<App>,
    Query(asked): Query<Listing>,
) -> Result<Json<Vec<RunRecord>>, Refusal> {
    let limit = asked.limit.unwrap_or(limits::LISTED_RUNS);
    let runs = runs_of(app.ci.ledger(), asked.repository, asked.before, limit).await;
    runs.map(Json).map_err(|error| failed(&error))
}

/// `GET /runs/ID?wait=ended`: with `wait`, the answer comes when the run has ended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Showing {
    wait: Option<Until>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Until {
    Ended,
}

pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<i64>,
    Query(asked): Query<Showing>,
) -> Result<Json<RunRecord>, Refusal> {
    let mut watch = app.ci.ledger().watch();
    loop {
        let run = find(&app, id).await?;
        if asked.wait.is_none() || run.state == RunState::Ended {
            return Ok(Json(run));
        }
        if watch.changed().await.is_none() {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "closing",
                "the server ends",
            ));
        }
    }
}

async fn find(app: &App, id: i64) -> Result<RunRecord, Refusal> {
    let run = run_of(app.ci.ledger(), id)
        .await
        .map_err(|error| failed(&error))?;
    run.ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("there is no run {id}"),
        )
    })
}

/// `GET /runs/ID/log`: what its steps said, step by step, once it has ended.
pub(super) async fn log(State(app): State<App>, Path(id): Path<i64>) -> Result<impl IntoResponse, Refusal> {
    let run = find(&app, id).await?;
    let logs = app.ci.logs().to_owned();
    let text = tokio::task::spawn_blocking(move || whole_log(&logs, &run)).await;
    let text = text.map_err(|error| failed(&error))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

fn whole_log(logs: &std::path::Path, run: &RunRecord) -> String {
    let mut text = String::new();
    if let Some(reason) = &run.reason {
        text.push_str(&format!("{reason}\n"));
    }
    for note in run.report["notes"].as_array().into_iter().flatten() {
        text.push_str(&format!("{}\n", note.as_str().unwrap_or_default()));
    }
    for (job, report) in run.report["jobs"].as_object().into_iter().flatten() {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        text.push_str(&format!(
            "== {}: {}\n",
            word(&report["name"]),
            word(&report["conclusion"])
        ));
        if let Some(reason) = report["reason"].as_str() {
            text.push_str(&format!("{reason}\n"));
        }
        for step in report["steps"].as_array().into_iter().flatten() {
            let (name, outcome, took) = (word(&step["name"]), word(&step["outcome"]), &step["took_ms"]);
            text.push_str(&format!("-- {name}: {outcome}, {took} ms\n"));
            let number = step["number"]
                .as_u64()
                .and_then(|number| u32::try_from(number).ok());
            let path = step_log(
                logs,
                &run.id.to_string(),
                &JobId(job.clone()),
                StepNumber(number.unwrap_or_default()),
            );
            // Logs are kept for a time, reports for ever.
            text.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            if text.len() > limits::LOG_BYTES {
                return text;
            }
        }
    }
    text
}

/// `POST /runs/ID/cancel`
pub(super) async fn cancel(State(app): State<App>, Path(id): Path<i64>) -> Result<StatusCode, Refusal> {
    app.ci.cancel(id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /runs/ID/rerun`
pub(super) async fn rerun(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, Refusal> {
    let id = app.ci.rerun(id, &caller.name).await?;
    Ok(Json(json!({"id": id})))
}

/// `POST /dispatches`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dispatch {
    repository: String,
    workflow: String,
    reference: Option<String>,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
}

pub(super) async fn dispatch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<Dispatch>,
) -> Result<Json<Value>, Refusal> {
    let started = app.ci.dispatch(
        &asked.repository,
        &asked.workflow,
        asked.reference.as_deref(),
        asked.inputs,
        &caller.name,
    );
    let id = started.await?;
    Ok(Json(json!({"id": id})))
}

/// `GET /repositories`
pub(super) async fn repositories(State(app): State<App>) -> Result<Json<Vec<String>>, Refusal> {
    let repositories = app.ci.repositories().clone();
    let names = tokio::task::spawn_blocking(move || repositories.names()).await;
    let names = names
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))?;
    Ok(Json(names.iter().map(ToString::to_string).collect()))
}
