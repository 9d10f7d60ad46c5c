//! The client against small registries on loopback: honest ones, slow-witted ones, hostile ones.

mod access;
mod hostile;
mod images;
mod server;
mod transfer;
