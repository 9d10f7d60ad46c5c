//! Images of a registry over HTTP.
