//! The revisions of the embedded cluster: an append-only table in SQLite, an index in memory, and watches.
