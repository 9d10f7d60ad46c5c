//! The last lines of a container.

use hyper::Method;
use kube_client::client::Body;

use crate::cluster::{Cluster, request};
use crate::error::RequestError;
use crate::limits::LINES;

/// Whose lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Of the container that runs.
    Current,
    /// Of the one before it, which ended.
    Previous,
}

impl Cluster {
    /// The last lines that a container has written, at most [`LINES`].
    ///
    /// # Errors
    /// [`RequestError`]: also where the container has not started.
    pub async fn last_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: Lines,
    ) -> Result<String, RequestError> {
        let previous = lines == Lines::Previous;
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines={LINES}&previous={previous}"
        );
        let bytes = self
            .bytes(request(Method::GET, &path).body(Body::empty()))
            .await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
