//! Large answers, compressed for clients that accept it (`responsewriters.negotiateContentEncoding`).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::limits;
use crate::request::{Body, Request, Response};

/// Compresses a body that is worth it.
pub(crate) fn compress(request: &Request, mut response: Response) -> Response {
    let Body::Whole(body) = &response.body else {
        return response;
    };
    let accepts = request
        .header("accept-encoding")
        .split(',')
        .any(|coding| coding.trim() == "gzip");
    if !accepts || body.len() <= limits::GZIP_BYTES || response.status >= 300 {
        return response;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let compressed = encoder.write_all(body).and_then(|()| encoder.finish());
    if let Ok(compressed) = compressed {
        response.body = Body::Whole(compressed.into());
        response.headers.push(("content-encoding", "gzip".to_owned()));
        response.headers.push(("vary", "Accept-Encoding".to_owned()));
    }
    response
}
