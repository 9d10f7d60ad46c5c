//! Where a webhook is and what it takes (`apiserver/pkg/util/webhook/validation.go`).

use crate::cursor::{Field, Findings};
use crate::{check, names};

const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
const FORM: &str = "; desired format: https://host[/path]";

/// Where a webhook is: a URL or a Service.
pub fn client_config(client: &Field<'_>, out: &mut Findings) {
    let (address, service) = (client.get("url"), client.get("service"));
    match (address.exists(), service.exists()) {
        (true, false) => url(&address, out),
        (false, true) => validate_service(&service, out),
        _ => out.push(client.required("exactly one of url or service is required")),
    }
}

fn url(place: &Field<'_>, out: &mut Findings) {
    let text = place.str();
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    let authority = rest.strip_prefix("//").unwrap_or_default();
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let (authority, path) = authority.split_at(end);
    let (user, host) = authority
        .rsplit_once('@')
        .map_or((None, authority), |(user, host)| (Some(user), host));
    if scheme != "https" {
        out.push(place.invalid_value(scheme, format!("'https' is the only allowed URL scheme{FORM}")));
    }
    if host.is_empty() {
        out.push(place.invalid_value("", format!("host must be specified{FORM}")));
    }
    if let Some(user) = user {
        out.push(place.invalid_value(user, "user information is not permitted in the URL"));
    }
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    if !fragment.is_empty() {
        out.push(place.invalid_value(fragment, "fragments are not permitted in the URL"));
    }
    let query = path.split_once('?').map_or("", |(_, query)| query);
    if !query.is_empty() {
        out.push(place.invalid_value(query, "query parameters are not permitted in the URL"));
    }
}

fn validate_service(service: &Field<'_>, out: &mut Findings) {
    // Upstream takes the one for the other.
    for (place, checked) in [("name", "namespace"), ("namespace", "name")] {
        if service.get(checked).is_empty() {
            out.push(service.get(place).required(""));
        }
    }
    let port = service.get("port");
    let texts = names::port_number(port.int());
    if !texts.is_empty() {
        out.push(port.invalid_value(port.int(), format!("port is not valid: {}", texts.join(", "))));
    }
    let path = service.get("path");
    match path.str() {
        "" | "/" => {}
        "//" => out.push(path.invalid("segment[0] may not be empty")),
        text => {
            if !text.starts_with('/') {
                out.push(path.invalid("must start with a '/'"));
            }
            // Upstream drops the first character, whatever it is.
            let rest: String = text.chars().skip(1).collect();
            let rest = rest.strip_suffix('/').unwrap_or(&rest);
            for (index, step) in rest.split('/').enumerate() {
                if step.is_empty() {
                    out.push(path.invalid(format!("segment[{index}] may not be empty")));
                    continue;
                }
                let texts = names::dns_subdomain(step);
                out.extend(
                    texts
                        .iter()
                        .map(|text| path.invalid(format!("segment[{index}]: {text}"))),
                );
            }
        }
    }
}

/// The versions of reviews that a webhook takes; there is at least one.
pub fn review_versions(versions: &Field<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for version in versions.list() {
        if seen.contains(&version.str()) {
            out.push(version.invalid("duplicate version"));
            continue;
        }
        seen.push(version.str());
        check::invalid(&version, names::dns_1035_label(version.str()), out);
    }
    if !seen.iter().any(|version| REVIEWS.contains(version)) {
        out.push(versions.invalid(format!("must include at least one of {}", REVIEWS.join(", "))));
    }
}
