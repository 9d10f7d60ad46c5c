//! Probes: pure state machines of startup, readiness and liveness, and the runners that ask (exec, HTTP, TCP).
