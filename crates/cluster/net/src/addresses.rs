//! Under construction: addresses.
