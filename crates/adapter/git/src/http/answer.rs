//! Answers that are a text: git shows it to its user, each line after `remote:`.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::AnyBody;

/// A refusal.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    text: String,
    headers: Vec<(&'static str, String)>,
}

pub fn refused(status: StatusCode, text: &str) -> Answer {
    Answer {
        status,
        text: text.to_owned(),
        headers: Vec::new(),
    }
}

impl Answer {
    pub fn with(mut self, name: &'static str, value: &str) -> Answer {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn into_response(self) -> Response<AnyBody> {
        let body = Full::new(Bytes::from(format!("{}\n", self.text)))
            .map_err(|never| match never {})
            .boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // Git shows texts of this type only (http.c, `show_http_message`).
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
