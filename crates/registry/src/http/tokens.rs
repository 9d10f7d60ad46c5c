//! `/token`: a name and a password for a token (distribution, docs/content/spec/auth/token.md and oauth.md).

use std::fmt::Display;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::query::Query;
use super::refusal::Refusal;
use super::service::{Asked, Service};
use crate::access::{Caller, Scope, Stranger, Way};
use crate::limits;

pub async fn answer<B>(
    service: &Service,
    asked: &Asked,
    admitted: Result<Caller, Stranger>,
    body: B,
) -> Result<Answer, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let refused = || {
        // Not Bearer: the way to a token cannot be a token.
        Refusal::Unauthorized("Basic realm=\"deploy-registry\"".to_owned())
    };
    let (caller, scopes) = match asked.method {
        Method::GET => (admitted.map_err(|_| refused())?, scopes(&asked.query)),
        Method::POST => {
            let form = form(body).await?;
            let caller = match (form.get("grant_type"), form.get("username"), form.get("password")) {
                (Some("password"), Some(name), Some(password)) => service.gate.sign_in(name, password).await,
                _ => {
                    let error = json!({"error": "unsupported_grant_type"});
                    return Ok(answer::json(StatusCode::BAD_REQUEST, &error));
                }
            };
            (caller.map_err(|_| refused())?, scopes(&form))
        }
        _ => return Err(Refusal::NoMethod("GET, POST")),
    };
    // A token lasts no longer than its password was checked: no chain of tokens.
    if caller.way == Way::Token || caller.way == Way::Anonymous && caller.rights.is_nothing() {
        return Err(refused());
    }
    let (token, life) = service.gate.token(&caller, &scopes);
    let mut given = answer::json(
        StatusCode::OK,
        &json!({
            "token": token,
            "access_token": token,
            "expires_in": life,
            "issued_at": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }),
    );
    given
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(given)
}

fn scopes(query: &Query) -> Vec<Scope> {
    let mut all: Vec<Scope> = query.all("scope").flat_map(Scope::parse_all).collect();
    all.truncate(limits::SCOPES);
    all
}

async fn form<B>(body: B) -> Result<Query, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let broken = || Refusal::Query("the form is too long, or it broke off".to_owned());
    let limited = Limited::new(body.map_err(|error| error.to_string()), limits::FORM_BYTES);
    let collected = timeout(limits::BODY_PATIENCE, limited.collect())
        .await
        .map_err(|_| broken())?;
    let bytes = collected.map_err(|_| broken())?.to_bytes();
    let text = std::str::from_utf8(&bytes).map_err(|_| broken())?;
    Ok(Query::parse(text))
}
