//! Git: the embedded server, checkouts, webhooks, the state repository.
