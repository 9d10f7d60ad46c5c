//! Builds images: carries out a Dockerfile's graph.
