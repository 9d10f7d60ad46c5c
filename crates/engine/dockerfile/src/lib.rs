//! Dockerfiles: from text to a build graph with cache keys.
