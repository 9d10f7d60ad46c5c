//! The Node object: registration, capacity, conditions, heartbeats and the lease in `kube-node-lease`.
