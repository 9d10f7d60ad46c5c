//! Manifests: HEAD, GET, PUT, DELETE.

use std::fmt::Display;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use hyper::{Method, StatusCode};
use tokio::time::timeout;

use super::answer::{self, Answer, CONTENT_DIGEST, SUBJECT, TAG};
use super::body::Outgoing;
use super::refusal::Refusal;
use super::service::{Asked, Service};
use crate::content::{Head, Reference};
use crate::limits;

pub async fn answer<B>(
    service: &Service,
    asked: &Asked,
    name: &str,
    reference: &str,
    body: B,
) -> Result<Answer, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let reference = Reference::parse(reference)?;
    match asked.method {
        Method::PUT => put(service, asked, name, reference, body).await,
        Method::DELETE => {
            let name = name.to_owned();
            service
                .on_disk(move |registry| registry.delete(&name, &reference))
                .await??;
            Ok(answer::empty(StatusCode::ACCEPTED))
        }
        _ => get(service, asked, name, reference).await,
    }
}

async fn get(service: &Service, asked: &Asked, name: &str, reference: Reference) -> Result<Answer, Refusal> {
    let mut head = service.registry.manifest_head(name, &reference)?;
    let tag = format!("\"{}\"", head.digest);
    if asked
        .header(IF_NONE_MATCH)
        .is_some_and(|seen| seen.contains(&tag))
    {
        let mut same = answer::empty(StatusCode::NOT_MODIFIED);
        answer::put(&mut same, ETAG, &tag);
        return Ok(same);
    }
    if asked.method == Method::HEAD {
        let mut found = answer::empty(StatusCode::OK);
        describe(&mut found, &head, &tag);
        answer::put_length(&mut found, head.size);
        return Ok(found);
    }
    let bytes = match service.registry.recent_manifest(&head.digest) {
        Some(bytes) => bytes,
        None => {
            let name = name.to_owned();
            let found = service
                .on_disk(move |registry| registry.manifest(&name, &reference))
                .await?;
            let (now, bytes) = found?;
            // The tag may have moved meanwhile.
            head = now;
            bytes
        }
    };
    let mut found = answer::with_body(StatusCode::OK, Outgoing::Whole(bytes));
    let tag = format!("\"{}\"", head.digest);
    describe(&mut found, &head, &tag);
    Ok(found)
}

fn describe(answer: &mut Answer, head: &Head, tag: &str) {
    answer::put(answer, CONTENT_TYPE, &head.media_type);
    answer::put(answer, CONTENT_DIGEST, head.digest.as_str());
    answer::put(answer, ETAG, tag);
}

async fn put<B>(
    service: &Service,
    asked: &Asked,
    name: &str,
    reference: Reference,
    body: B,
) -> Result<Answer, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    let limited = Limited::new(body.map_err(|error| error.to_string()), limits::MANIFEST_BYTES);
    let collected = timeout(limits::BODY_PATIENCE, limited.collect()).await;
    let bytes = match collected {
        Err(_) => return Err(Refusal::Body("nothing came for too long".to_owned())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(Refusal::TooLarge(limits::MANIFEST_BYTES));
        }
        Ok(Err(error)) => return Err(Refusal::Body(error.to_string())),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    let tags: Vec<String> = asked.query.all("tag").map(str::to_owned).collect();
    let media_type = asked.header(CONTENT_TYPE).map(str::to_owned);
    let (repository, shown) = (name.to_owned(), tags.clone());
    let pushed = service
        .on_disk(move |registry| {
            registry.put_manifest(&repository, &reference, &tags, media_type.as_deref(), &bytes)
        })
        .await??;
    let mut created = answer::empty(StatusCode::CREATED);
    answer::put(
        &mut created,
        LOCATION,
        &format!("/v2/{name}/manifests/{}", pushed.digest),
    );
    answer::put(&mut created, CONTENT_DIGEST, pushed.digest.as_str());
    if let Some(subject) = &pushed.subject {
        answer::put(&mut created, SUBJECT, subject.as_str());
    }
    for tag in &shown {
        answer::put(&mut created, TAG, tag);
    }
    Ok(created)
}
