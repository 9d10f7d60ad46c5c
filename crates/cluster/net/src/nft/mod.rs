//! nf_tables over netlink: what a table holds, and the batch that makes it so.
