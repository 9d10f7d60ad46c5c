//! The registry from outside.

mod access;
mod clients;
mod conformance;
mod crash;
mod disk;
mod protocol;
mod pushing;
mod support;
mod sweeping;
