//! Rooms, steps and limits with real sandboxes; act's workflows.

mod act;
mod limits;
mod steps;
mod world;
