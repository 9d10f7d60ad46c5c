//! Why a build stops: kustomize's own words, and beside them what a caller can act on.

use std::fmt;

/// Why a build stopped. `Display` is the text that kustomize prints, or ours where kustomize has none.
#[derive(Debug, thiserror::Error)]
#[error("{}", inner.text)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    text: String,
    /// The file, and the field if it is about one.
    place: Option<(String, Option<String>)>,
    warnings: Vec<String>,
}

/// What kind of stop it is: one variant per decision of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The files say something that kustomize refuses.
    Invalid,
    /// A file that is named is not there.
    Missing {
        /// Its absolute path.
        path: String,
    },
    /// A file or folder lies outside what the build may read.
    OutsideRoot {
        /// Its absolute path.
        path: String,
    },
    /// A folder includes itself, perhaps by way of others.
    Cycle {
        /// The folder that was met again.
        path: String,
    },
    /// Something is named by URL; a build reads no network.
    Remote {
        /// The URL as written.
        url: String,
    },
    /// A field or a plugin that this renderer does not do.
    Unsupported {
        /// The field, or the kind of the plugin.
        field: String,
    },
    /// A bound of the renderer was met.
    TooLarge,
}

/// The result of a step of a build.
pub(super) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What kind of stop it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// The kustomization file, or the file it names, where the trouble lies.
    pub fn file(&self) -> Option<&str> {
        self.inner.place.as_ref().map(|(file, _)| file.as_str())
    }

    /// The field of the kustomization file that led there.
    pub fn field(&self) -> Option<&str> {
        self.inner.place.as_ref()?.1.as_deref()
    }

    /// What the build had warned of before it stopped, as [`Build::warnings`](super::Build::warnings).
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    pub(super) fn with_warnings(mut self, warnings: Vec<String>) -> Error {
        self.inner.warnings = warnings;
        self
    }

    pub(super) fn new(kind: ErrorKind, text: impl Into<String>) -> Error {
        Error {
            inner: Box::new(Inner {
                kind,
                text: text.into(),
                place: None,
                warnings: Vec::new(),
            }),
        }
    }

    pub(super) fn invalid(text: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, text)
    }

    pub(super) fn unsupported(field: impl Into<String>, text: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unsupported { field: field.into() }, text)
    }

    /// Puts `prefix: ` before the text, as kustomize does while an error travels up.
    pub(super) fn context(mut self, prefix: impl fmt::Display) -> Error {
        self.inner.text = format!("{prefix}: {}", self.inner.text);
        self
    }

    /// Replaces the text and keeps the kind and the place.
    pub(super) fn reworded(mut self, text: impl FnOnce(&str) -> String) -> Error {
        self.inner.text = text(&self.inner.text);
        self
    }

    /// Says which file and field it is about; the innermost place that is known wins.
    pub(super) fn at(self, file: &str, field: &str) -> Error {
        self.place(file, Some(field))
    }

    /// Says which file it is about, where it is about no field.
    pub(super) fn in_file(self, file: &str) -> Error {
        self.place(file, None)
    }

    fn place(mut self, file: &str, field: Option<&str>) -> Error {
        self.inner
            .place
            .get_or_insert_with(|| (file.to_owned(), field.map(str::to_owned)));
        self
    }
}

/// `result.context("prefix")`, as on [`Error`].
pub(super) trait Context<T> {
    fn context<P: fmt::Display>(self, prefix: impl FnOnce() -> P) -> Result<T>;
    fn at(self, file: &str, field: &str) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context<P: fmt::Display>(self, prefix: impl FnOnce() -> P) -> Result<T> {
        self.map_err(|error| error.context(prefix()))
    }

    fn at(self, file: &str, field: &str) -> Result<T> {
        self.map_err(|error| error.at(file, field))
    }
}
