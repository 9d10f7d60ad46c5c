//! Which thing of the registry a path names.

use crate::access::Action;

/// What a path names. Names are as they came; they are checked where they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/token`
    Token,
    /// `/healthz`, `/readyz`
    Health,
    /// `/v2/NAME/...`
    Repository {
        /// Its name.
        name: String,
        /// What of it.
        part: Part,
    },
}

/// What of a repository a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `blobs/DIGEST`
    Blob(String),
    /// `blobs/uploads/`
    Uploads,
    /// `blobs/uploads/ID`
    Upload(String),
    /// `manifests/REFERENCE`
    Manifest(String),
    /// `tags/list`
    Tags,
    /// `referrers/DIGEST`
    Referrers(String),
}

impl Route {
    /// The route of an unescaped path.
    pub fn parse(path: &str) -> Option<Self> {
        match path {
            "/v2" | "/v2/" => return Some(Self::Base),
            "/v2/_catalog" => return Some(Self::Catalog),
            "/token" => return Some(Self::Token),
            "/healthz" | "/readyz" => return Some(Self::Health),
            _ => {}
        }
        let rest = path.strip_prefix("/v2/")?;
        // A repository may be called like a part of it: what is last counts.
        let of = |name: &str, part: Part| {
            Some(Self::Repository {
                name: name.to_owned(),
                part,
            })
        };
        if let Some(name) = rest
            .strip_suffix("/blobs/uploads/")
            .or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            return of(name, Part::Uploads);
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return of(name, Part::Tags);
        }
        let (before, last) = rest.rsplit_once('/')?;
        if let Some(name) = before.strip_suffix("/blobs/uploads") {
            return of(name, Part::Upload(last.to_owned()));
        }
        let (name, kind) = before.rsplit_once('/')?;
        match kind {
            "blobs" => of(name, Part::Blob(last.to_owned())),
            "manifests" => of(name, Part::Manifest(last.to_owned())),
            "referrers" => of(name, Part::Referrers(last.to_owned())),
            _ => None,
        }
    }
}

impl Part {
    /// What one must be allowed to do for a method; none for one that the part does not have.
    pub fn action(&self, method: &hyper::Method) -> Option<Action> {
        match (self, method.as_str()) {
            (Self::Blob(_) | Self::Manifest(_) | Self::Tags | Self::Referrers(_), "GET" | "HEAD") => {
                Some(Action::Pull)
            }
            (Self::Blob(_) | Self::Manifest(_), "DELETE") => Some(Action::Delete),
            (Self::Uploads, "POST") | (Self::Manifest(_), "PUT") => Some(Action::Push),
            (Self::Upload(_), "GET" | "PATCH" | "PUT" | "DELETE") => Some(Action::Push),
            _ => None,
        }
    }

    /// The methods that it has, for `Allow`.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Blob(_) => "GET, HEAD, DELETE",
            Self::Uploads => "POST",
            Self::Upload(_) => "GET, PATCH, PUT, DELETE",
            Self::Manifest(_) => "GET, HEAD, PUT, DELETE",
            Self::Tags | Self::Referrers(_) => "GET, HEAD",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_part() {
        let text = |text: &str| text.to_owned();
        for (path, name, part) in [
            ("/v2/a/b/blobs/sha256:1", "a/b", Part::Blob(text("sha256:1"))),
            ("/v2/a/blobs/uploads/", "a", Part::Uploads),
            ("/v2/a/blobs/uploads", "a", Part::Uploads),
            ("/v2/a/blobs/uploads/1", "a", Part::Upload(text("1"))),
            ("/v2/a/manifests/latest", "a", Part::Manifest(text("latest"))),
            (
                "/v2/manifests/manifests/tags",
                "manifests",
                Part::Manifest(text("tags")),
            ),
            ("/v2/a/manifests/tags/list", "a/manifests", Part::Tags),
            ("/v2/a/referrers/sha256:1", "a", Part::Referrers(text("sha256:1"))),
            ("/v2/../../blobs/x", "../..", Part::Blob(text("x"))),
        ] {
            let name = name.to_owned();
            assert_eq!(
                Route::parse(path),
                Some(Route::Repository { name, part }),
                "{path}"
            );
        }
        for path in ["", "/", "/v1/", "/v2/a", "/v2/a/b/c", "/v3/a/tags/list", "/v2//"] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
        assert_eq!(Route::parse("/v2/"), Some(Route::Base));
    }
}
