//! Netlink messages and sockets, as little as rtnetlink and nf_tables need.
