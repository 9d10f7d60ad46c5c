//! The environment of a container: `env` and `envFrom`, `$(NAME)` expansion, the downward API, `/etc/hosts`, `resolv.conf`.
