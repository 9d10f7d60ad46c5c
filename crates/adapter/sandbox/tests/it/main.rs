//! Real containers. Root is needed; without it each test prints that it was skipped.

mod compare;
mod confinement;
mod exec;
mod hostile;
mod life;
mod limits;
mod logs;
mod restart;
mod world;
