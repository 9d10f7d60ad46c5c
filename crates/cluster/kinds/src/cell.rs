//! Cells that many tables have (`pkg/printers/internalversion/printers.go`).

use serde_json::Value;

use crate::cursor::Field;

/// The text, or what stands for none: `<none>`, `<unset>`.
pub fn text_or(field: &Field<'_>, none: &str) -> Value {
    if field.is_empty() { none } else { field.str() }.into()
}

/// The first items of a list, and how many more there are: `a,b,c + 2 more...`; `<unset>` for none.
pub fn first_three(items: &[String]) -> Value {
    const MAX: usize = 3;
    let shown = items[..items.len().min(MAX)].join(",");
    match items.len() {
        0 => "<unset>".into(),
        count if count > MAX => format!("{shown} + {} more...", count - MAX).into(),
        _ => shown.into(),
    }
}

/// Labels as `a=b,c=d`, `<none>` where there are none.
pub fn labels(labels: &Field<'_>) -> Value {
    let pairs: Vec<String> = labels
        .entries()
        .map(|(key, value)| format!("{key}={}", value.str()))
        .collect();
    if pairs.is_empty() {
        "<none>".into()
    } else {
        pairs.join(",").into()
    }
}

/// Addresses of a load balancer, sorted, each once.
pub fn load_balancer(status: &Field<'_>) -> String {
    let mut addresses: Vec<&str> = status
        .get("loadBalancer")
        .items("ingress")
        .map(|ingress| {
            let ip = ingress.get("ip").str();
            if ip.is_empty() {
                ingress.get("hostname").str()
            } else {
                ip
            }
        })
        .filter(|address| !address.is_empty())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.join(",")
}

/// A number or a percentage.
pub fn int_or_text(field: &Field<'_>, none: &str) -> Value {
    match field.value() {
        Some(Value::String(text)) => text.as_str().into(),
        Some(number) => number.to_string().into(),
        None => none.into(),
    }
}
