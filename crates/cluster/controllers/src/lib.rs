//! The controllers and the scheduler of the embedded cluster.
