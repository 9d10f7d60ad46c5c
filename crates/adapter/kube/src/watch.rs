//! A list that is kept up to date.

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Method;
use kube_client::client::Body;
use serde_json::Value;

use crate::cluster::{Cluster, escaped, request};
use crate::error::RequestError;
use crate::limits::{MAX_EVENT_BYTES, PAGE, WATCH};

/// What a watch tells.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// All that is there now. What was known before and is not among it is gone.
    All(Vec<Value>),
    /// An object that came or changed.
    Is(Value),
    /// An object that went, as it was last.
    Gone(Value),
}

/// The objects of a kind, in a namespace or in all. It holds no object itself.
pub struct Watch {
    cluster: Cluster,
    /// The path of the list, with a selector.
    path: String,
    version: String,
    kind: String,
    state: State,
}

enum State {
    /// Nothing is known, or what was known is too old.
    Unlisted,
    Listed(String),
    Open(Box<Open>),
}

struct Open {
    revision: String,
    body: Body,
    buffer: BytesMut,
}

impl Cluster {
    /// Watches a kind in a namespace, or in all where it is empty; only objects with these labels, where a selector is
    /// given.
    ///
    /// # Errors
    /// [`RequestError::KindMissing`].
    pub async fn watch(
        &self,
        group: &str,
        kind: &str,
        namespace: &str,
        selector: &str,
    ) -> Result<Watch, RequestError> {
        let kinds = self.kinds().await;
        let served = kinds
            .preferred(group, kind)
            .ok_or_else(|| RequestError::KindMissing {
                kind: kind.to_owned(),
                version: group.to_owned(),
            })?;
        let version = match group {
            "" => served.version.clone(),
            group => format!("{group}/{}", served.version),
        };
        Ok(Watch {
            cluster: self.clone(),
            path: format!(
                "{}?labelSelector={}",
                served.list_path(group, namespace),
                escaped(selector)
            ),
            version,
            kind: kind.to_owned(),
            state: State::Unlisted,
        })
    }
}

impl Watch {
    /// The next news. After an error it may be asked again, with a pause: it goes on where it was, or tells all anew.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn next(&mut self) -> Result<News, RequestError> {
        loop {
            match &mut self.state {
                State::Unlisted => {
                    let (all, revision) = self.list().await?;
                    self.state = State::Listed(revision);
                    return Ok(News::All(all));
                }
                State::Listed(revision) => {
                    let revision = revision.clone();
                    self.open(revision).await?;
                }
                State::Open(open) => match open.event().await {
                    Ok(Some(event)) => {
                        if let Some(news) = self.news(event)? {
                            return Ok(news);
                        }
                    }
                    // It ends now and then; the next one goes on from the same revision.
                    Ok(None) => self.state = State::Listed(std::mem::take(&mut open.revision)),
                    Err(error) => {
                        self.state = State::Listed(std::mem::take(&mut open.revision));
                        return Err(error);
                    }
                },
            }
        }
    }

    async fn list(&self) -> Result<(Vec<Value>, String), RequestError> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("{}&limit={PAGE}&continue={}", self.path, escaped(&next));
            let mut page = self
                .cluster
                .json(request(Method::GET, &path).body(Body::empty()))
                .await?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items.into_iter().map(|item| self.whole(item)));
            }
            match page["metadata"]["continue"].as_str() {
                Some(more) if !more.is_empty() => next = more.to_owned(),
                _ => {
                    let revision = page["metadata"]["resourceVersion"].as_str().unwrap_or_default();
                    return Ok((all, revision.to_owned()));
                }
            }
        }
    }

    /// Items of a list do not say what they are.
    fn whole(&self, mut item: Value) -> Value {
        if item.is_object() {
            item["apiVersion"] = Value::from(self.version.as_str());
            item["kind"] = Value::from(self.kind.as_str());
        }
        item
    }

    async fn open(&mut self, revision: String) -> Result<(), RequestError> {
        let seconds = WATCH.as_secs();
        let path = format!(
            "{}&watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}",
            self.path,
            escaped(&revision)
        );
        match self
            .cluster
            .send(request(Method::GET, &path).body(Body::empty()))
            .await
        {
            Ok(answer) => {
                let (body, buffer) = (answer.into_body(), BytesMut::new());
                self.state = State::Open(Box::new(Open {
                    revision,
                    body,
                    buffer,
                }));
                Ok(())
            }
            Err(RequestError::Status { code: 410, .. }) => {
                self.state = State::Unlisted;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes one event in; bookmarks are no news.
    fn news(&mut self, mut event: Value) -> Result<Option<News>, RequestError> {
        let object = event["object"].take();
        if event["type"] == "ERROR" {
            self.state = State::Unlisted;
            return match object["code"].as_u64() {
                Some(410) => Ok(None),
                _ => Err(RequestError::Answer(
                    object["message"].as_str().unwrap_or_default().to_owned(),
                )),
            };
        }
        if let (State::Open(open), Some(revision)) =
            (&mut self.state, object["metadata"]["resourceVersion"].as_str())
        {
            open.revision = revision.to_owned();
        }
        Ok(match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") => Some(News::Is(object)),
            Some("DELETED") => Some(News::Gone(object)),
            _ => None,
        })
    }
}

impl Open {
    /// The next line as JSON; `None` at the end. Nothing is lost where the caller stops waiting in the middle.
    async fn event(&mut self) -> Result<Option<Value>, RequestError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                let event = serde_json::from_slice(&line);
                return event
                    .map(Some)
                    .map_err(|error| RequestError::Answer(error.to_string()));
            }
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Err(RequestError::Answer(format!(
                    "an event of more than {MAX_EVENT_BYTES} bytes"
                )));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(RequestError::Unreachable(error.to_string())),
                None => return Ok(None),
            }
        }
    }
}
