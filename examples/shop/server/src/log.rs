//! One JSON object a line, on stdout.

use std::io::Write;

use crate::clock;
use crate::json::Object;

/// Writes lines that carry who wrote them.
pub struct Log {
    role: &'static str,
    site: String,
}

/// What a line about a request says.
pub struct Access<'a> {
    pub trace_id: &'a str,
    pub user_id: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub status_code: u16,
    pub latency_ms: f64,
}

impl Log {
    /// A log of this service in this market.
    pub fn new(role: &'static str, site: &str) -> Log {
        Log { role, site: site.to_owned() }
    }

    /// Something that happened.
    pub fn event(&self, level: &str, message: &str, fields: &[(&str, &str)]) {
        let line = self.line(level, message);
        write(fields.iter().fold(line, |line, (name, value)| line.text(name, value)));
    }

    /// A request that was answered.
    pub fn access(&self, access: &Access) {
        let level = if access.status_code >= 500 { "error" } else { "info" };
        let line = self
            .line(level, "request")
            .text("trace_id", access.trace_id)
            .text("user_id", access.user_id)
            .text("method", access.method)
            .text("path", access.path)
            .raw("status_code", access.status_code)
            .raw("latency_ms", format_args!("{:.3}", access.latency_ms));
        write(line);
    }

    fn line(&self, level: &str, message: &str) -> Object {
        Object::new()
            .text("time", &clock::now())
            .text("level", level)
            .text("message", message)
            .text("service", self.role)
            .text("site", &self.site)
    }
}

fn write(line: Object) {
    let mut text = line.end();
    text.push('\n');
    // A log that nobody reads must not stop a sale.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
