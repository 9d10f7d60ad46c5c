//! What a path asks for (`apiserver/pkg/endpoints/request/requestinfo.go`).

use deploy_cluster_kinds::selector::FieldSelector;

use crate::options::Query;

/// A path, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the method in lower case where
    /// the path names no resource.
    pub verb: String,
    /// The path names a resource, below `/api/V/` or `/apis/G/V/`.
    pub resource_request: bool,
    /// API group, empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// `pods`
    pub resource: String,
    /// `status`, empty for none.
    pub subresource: String,
    /// What follows the subresource.
    pub rest: Vec<String>,
    /// Empty for cluster-scoped objects and all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// The path came as `/watch/...`.
    pub watch_prefix: bool,
    /// The decoded path.
    pub path: String,
}

impl RequestInfo {
    /// Takes `path` (still percent-encoded) apart. A `/watch` without more is an error.
    pub fn parse(method: &str, path: &str, query: &Query) -> Result<RequestInfo, String> {
        let path = crate::options::percent_decode(path, false);
        let mut info = RequestInfo {
            verb: method.to_ascii_lowercase(),
            path: path.clone(),
            ..RequestInfo::default()
        };
        let trimmed = path.trim_matches('/');
        let mut parts: Vec<&str> = if trimmed.is_empty() {
            Vec::new()
        } else {
            trimmed.split('/').collect()
        };
        let skip = match parts.first() {
            Some(&"api") if parts.len() >= 3 => 1,
            Some(&"apis") if parts.len() >= 4 => {
                info.group = parts[1].to_owned();
                2
            }
            _ => return Ok(info),
        };
        info.version = parts[skip].to_owned();
        info.resource_request = true;
        parts.drain(..=skip);
        info.verb = verb(method).to_owned();
        if matches!(parts[0], "watch" | "proxy") {
            if parts.len() < 2 {
                return Err(format!("unable to determine kind and namespace from url, {path}"));
            }
            info.verb = parts[0].to_owned();
            info.watch_prefix = parts[0] == "watch";
            parts.remove(0);
        }
        if parts[0] == "namespaces" && parts.len() > 1 {
            info.namespace = parts[1].to_owned();
            if parts.len() > 2 && !matches!(parts[2], "status" | "finalize") {
                parts.drain(..2);
            }
        }
        info.resource = parts[0].to_owned();
        info.name = parts.get(1).map_or_else(String::new, |part| (*part).to_owned());
        if info.verb != "proxy" {
            info.subresource = parts.get(2).map_or_else(String::new, |part| (*part).to_owned());
            info.rest = parts.iter().skip(3).map(|part| (*part).to_owned()).collect();
        }
        if info.name.is_empty() {
            info.verb = match info.verb.as_str() {
                "get" if query.flag("watch") => "watch".to_owned(),
                "get" => "list".to_owned(),
                "delete" => "deletecollection".to_owned(),
                other => other.to_owned(),
            };
            if matches!(info.verb.as_str(), "list" | "watch") {
                info.name = selected_name(query);
            }
        }
        Ok(info)
    }
}

fn verb(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

/// A list with a field selector for one name is a request for that name, for authorization.
fn selected_name(query: &Query) -> String {
    let Some(Ok(selector)) = query.first("fieldSelector").map(FieldSelector::parse) else {
        return String::new();
    };
    match selector.exact("metadata.name") {
        Some(name) if !name.contains(['/', '%']) && name != "." && name != ".." => name.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        // method, path, query => verb, group, version, namespace, resource, subresource, name
        let cases = [
            ("GET", "/api/v1/namespaces", "", "list||v1||namespaces||"),
            (
                "GET",
                "/api/v1/namespaces/other",
                "",
                "get||v1|other|namespaces||other",
            ),
            (
                "GET",
                "/api/v1/namespaces/other/pods",
                "",
                "list||v1|other|pods||",
            ),
            (
                "GET",
                "/api/v1/namespaces/other/pods/foo",
                "",
                "get||v1|other|pods||foo",
            ),
            (
                "HEAD",
                "/api/v1/namespaces/other/pods/foo",
                "",
                "get||v1|other|pods||foo",
            ),
            ("GET", "/api/v1/pods", "", "list||v1||pods||"),
            ("GET", "/api/v1/pods", "watch=true", "watch||v1||pods||"),
            ("GET", "/api/v1/pods", "watch=false", "list||v1||pods||"),
            ("GET", "/api/v1/watch/pods", "", "watch||v1||pods||"),
            (
                "GET",
                "/api/v1/watch/namespaces/other/pods",
                "",
                "watch||v1|other|pods||",
            ),
            (
                "PUT",
                "/api/v1/namespaces/x/finalize",
                "",
                "update||v1|x|namespaces|finalize|x",
            ),
            (
                "PUT",
                "/api/v1/namespaces/x/status",
                "",
                "update||v1|x|namespaces|status|x",
            ),
            (
                "GET",
                "/apis/apps/v1/namespaces/x/deployments/d/scale",
                "",
                "get|apps|v1|x|deployments|scale|d",
            ),
            (
                "DELETE",
                "/api/v1/namespaces/x/pods",
                "",
                "deletecollection||v1|x|pods||",
            ),
            (
                "GET",
                "/api/v1/namespaces/x/pods",
                "fieldSelector=metadata.name%3Dfoo",
                "list||v1|x|pods||foo",
            ),
            ("POST", "/api/v1/namespaces/x/pods", "", "create||v1|x|pods||"),
        ];
        for (method, path, query, expected) in cases {
            let info = RequestInfo::parse(method, path, &Query::parse(query)).expect("the path is complete");
            let found = [
                info.verb,
                info.group,
                info.version,
                info.namespace,
                info.resource,
                info.subresource,
                info.name,
            ];
            assert!(info.resource_request, "{path}");
            assert_eq!(found.join("|"), expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn other_paths_name_no_resource() {
        for path in [
            "/",
            "/api",
            "/api/v1",
            "/apis",
            "/apis/apps",
            "/apis/apps/v1",
            "/healthz",
            "/foo/bar/baz/q",
        ] {
            let info = RequestInfo::parse("GET", path, &Query::default()).expect("nothing is missing");
            assert!(!info.resource_request, "{path}");
            assert_eq!(info.verb, "get");
        }
        assert!(RequestInfo::parse("GET", "/api/v1/watch", &Query::default()).is_err());
    }
}
