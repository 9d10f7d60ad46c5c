//! Lists: tags, repositories, referrers.

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, LINK};
use serde_json::json;

use super::answer::{self, Answer, FILTERS};
use super::blobs::read_digest;
use super::refusal::Refusal;
use super::service::{Asked, Service};
use crate::limits;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub fn tags(service: &Service, asked: &Asked, name: &str) -> Result<Answer, Refusal> {
    let most = most(asked)?;
    let page = service.registry.tags(name, asked.query.get("last"), most)?;
    let mut list = answer::json(StatusCode::OK, &json!({"name": name, "tags": page.entries}));
    if let Some(last) = page.entries.last().filter(|_| page.more) {
        link(&mut list, &format!("/v2/{name}/tags/list?n={most}&last={last}"));
    }
    Ok(list)
}

/// The repositories that the caller may pull from.
pub fn catalog(service: &Service, asked: &Asked) -> Result<Answer, Refusal> {
    let most = most(asked)?;
    let mut after = asked.query.get("last").map(str::to_owned);
    let mut entries: Vec<String> = Vec::new();
    let mut more = true;
    while more && entries.len() <= most {
        let page = service.registry.repositories(after.as_deref(), limits::PAGE);
        more = page.more;
        after = page.entries.last().cloned();
        entries.extend(
            page.entries
                .into_iter()
                .filter(|name| asked.caller.rights.lists(name)),
        );
    }
    let more = entries.len() > most;
    entries.truncate(most);
    let mut list = answer::json(StatusCode::OK, &json!({"repositories": entries}));
    if let Some(last) = entries.last().filter(|_| more) {
        link(&mut list, &format!("/v2/_catalog?n={most}&last={last}"));
    }
    Ok(list)
}

pub async fn referrers(
    service: &Service,
    asked: &Asked,
    name: &str,
    digest: &str,
) -> Result<Answer, Refusal> {
    let subject = read_digest(digest)?;
    let after = asked.query.get("last").map(read_digest).transpose()?;
    let artifact_type = asked.query.get("artifactType").map(str::to_owned);
    let (repository, wanted) = (name.to_owned(), artifact_type.clone());
    let asked_for = subject.clone();
    let page = service
        .on_disk(move |registry| {
            registry.referrers(&repository, &asked_for, wanted.as_deref(), after.as_ref())
        })
        .await??;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": page.entries});
    let mut list = answer::json(StatusCode::OK, &index);
    list.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(INDEX));
    if artifact_type.is_some() {
        answer::put(&mut list, FILTERS, "artifactType");
    }
    let last = page.entries.last().and_then(|entry| entry["digest"].as_str());
    if let Some(last) = last.filter(|_| page.more) {
        let filter =
            artifact_type.map_or_else(String::new, |wanted| format!("artifactType={}&", escape(&wanted)));
        link(
            &mut list,
            &format!("/v2/{name}/referrers/{subject}?{filter}last={last}"),
        );
    }
    Ok(list)
}

/// How many entries are asked for.
fn most(asked: &Asked) -> Result<usize, Refusal> {
    match asked.query.get("n") {
        None => Ok(limits::PAGE),
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(text.parse().unwrap_or(limits::PAGE).min(limits::PAGE))
        }
        Some(_) => Err(Refusal::Query("n is no number".to_owned())),
    }
}

/// Where the list goes on (RFC 5988).
fn link(answer: &mut Answer, path: &str) {
    answer::put(answer, LINK, &format!("<{path}>; rel=\"next\""));
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
