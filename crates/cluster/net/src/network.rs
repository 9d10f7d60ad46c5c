//! Under construction: network.
