//! Archives of images: OCI layouts and what `docker save` writes.

pub mod write;
