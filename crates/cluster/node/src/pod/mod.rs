//! The pure engine of one pod: from the object, what runs and the time, to effects and the status.
//!
//! [`Engine::step`] takes one [`Input`] (the object has changed, a container has ended, a probe was answered, time has gone
//! by) and returns the [`Effect`]s to carry out; each effect that has an outcome comes back as an input. [`Engine::status`]
//! is what the API server shall know, [`Engine::wake`] when to step again where nothing else happens. No clock, no I/O.

pub mod admission;
pub mod back_off;
mod ending;
mod engine;
mod exchange;
mod object;
mod plan;
pub mod resources;
mod restore;
pub mod security;
mod start;
mod state;
mod status;
mod stop;
#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use exchange::{
    CreateError, Effect, Exit, Hook, ImageFacts, Input, PullFailure, SandboxUp, VolumeFailure,
};
pub use object::{Container, Pod, RestartPolicy, shown};
pub use restore::{Found, Survivor};
