//! Tokens over HTTP: made, listed, revoked, each with a line in the ledger.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use deploy_model::with_causes;
use deploy_store::{Actor, ActorKind, Line, Subject};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::{App, Caller};
use crate::tokens::{Right, Token, TokensError};

impl From<TokensError> for Refusal {
    fn from(error: TokensError) -> Refusal {
        let (status, reason) = match &error {
            TokensError::Unknown(_) => (StatusCode::NOT_FOUND, "not-found"),
            TokensError::Name(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            TokensError::TooMany => (StatusCode::CONFLICT, "conflict"),
            TokensError::Io { .. } | TokensError::Malformed { .. } => {
                (StatusCode::INTERNAL_SERVER_ERROR, "failed")
            }
        };
        Refusal::new(status, reason, with_causes(&error))
    }
}

/// `GET /tokens`: whose there are, and what they may do; never their texts.
pub(super) async fn list(State(app): State<App>) -> Result<Json<Value>, Refusal> {
    let shown = |token: Token| json!({"name": token.name, "right": token.right, "created": token.created});
    let tokens = app.tokens.list()?;
    Ok(Json(tokens.into_iter().map(shown).collect()))
}

/// `POST /tokens`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    right: Right,
}

pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Value>, Refusal> {
    let text = app.tokens.create(&wanted.name, wanted.right, Timestamp::now())?;
    let line = line(&caller, "token.created", &wanted.name).with(json!({"right": wanted.right}));
    if let Err(refusal) = write_down(&app, line).await {
        // Nobody has it yet.
        app.tokens.revoke(&wanted.name)?;
        return Err(refusal);
    }
    Ok(Json(json!({"name": wanted.name, "token": text})))
}

/// `DELETE /tokens/NAME`
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refusal> {
    // First the deed: a full disk must not keep a lost token alive.
    app.tokens.revoke(&name)?;
    write_down(&app, line(&caller, "token.revoked", &name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn line(caller: &Caller, kind: &str, name: &str) -> Line {
    let actor = Actor::new(ActorKind::Person, caller.name.clone());
    Line::new(Timestamp::now(), actor, kind, Subject::new("token", name))
}

async fn write_down(app: &App, line: Line) -> Result<(), Refusal> {
    let appended = app.ci.ledger().append(vec![line]).await;
    appended
        .map(drop)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", with_causes(&error)))
}
