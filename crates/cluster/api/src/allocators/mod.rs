//! Cluster addresses and node ports of Services.
