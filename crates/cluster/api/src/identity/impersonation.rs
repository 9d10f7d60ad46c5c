//! A user acts as another: `Impersonate-User`, `-Group`, `-Uid`, `-Extra-KEY`
//! (`apiserver/pkg/endpoints/filters/impersonation.go`).

use std::collections::BTreeMap;

use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, UserInfo, accounts};
use crate::authorization::{Attributes, Authorizer, Decision, forbidden};
use crate::options::percent_decode;
use crate::status::StatusError;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// Why a request cannot be made as somebody else.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// He may not: 403.
    Forbidden(Box<StatusError>),
    /// The headers make no sense: upstream answers with this text and 500, not with a Status object.
    Senseless(String),
}

/// One thing that somebody wants to be.
struct Wish<'a> {
    kind: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: String,
    namespace: &'a str,
    name: &'a str,
}

/// Who a request is made as; `None` without such headers. Every part needs the `impersonate` verb. Names of `headers`
/// are in lower case; values of a header that came twice are joined with `, `.
pub fn impersonate(
    user: &UserInfo,
    headers: &BTreeMap<String, String>,
    uri: &str,
    authorizer: &dyn Authorizer,
) -> Result<Option<UserInfo>, Refused> {
    let wishes = wishes(headers);
    if wishes.is_empty() {
        return Ok(None);
    }
    if !wishes
        .iter()
        .any(|wish| matches!(wish.kind, "User" | "ServiceAccount"))
    {
        return Err(Refused::Senseless(senseless(uri, &wishes)));
    }
    let has_groups = headers.contains_key(GROUP);
    let mut target = UserInfo::default();
    for wish in &wishes {
        let attributes = Attributes {
            user: Some(user),
            verb: "impersonate",
            group: wish.group,
            version: if wish.group.is_empty() { "" } else { "v1" },
            resource: wish.resource,
            subresource: &wish.subresource,
            namespace: wish.namespace,
            name: wish.name,
            resource_request: true,
            path: "",
        };
        if let Decision::NoOpinion(reason) = authorizer.authorize(&attributes) {
            return Err(Refused::Forbidden(Box::new(forbidden(&attributes, &reason))));
        }
        match wish.kind {
            "ServiceAccount" => {
                target.name = accounts::username(wish.namespace, wish.name);
                if !has_groups {
                    target.groups = accounts::groups(wish.namespace);
                }
            }
            "User" => target.name = wish.name.to_owned(),
            "Group" => target.groups.push(wish.name.to_owned()),
            "UID" => target.uid = wish.name.to_owned(),
            _ => target
                .extra
                .entry(wish.subresource.clone())
                .or_default()
                .push(wish.name.to_owned()),
        }
    }
    add_group(&mut target);
    Ok(Some(target))
}

fn add_group(target: &mut UserInfo) {
    let group = if target.name == ANONYMOUS {
        UNAUTHENTICATED
    } else if target.is_in(UNAUTHENTICATED) {
        return;
    } else {
        AUTHENTICATED
    };
    if !target.is_in(group) {
        target.groups.push(group.to_owned());
    }
}

fn wishes(headers: &BTreeMap<String, String>) -> Vec<Wish<'_>> {
    let mut wishes = Vec::new();
    let plain = |kind, resource, name| Wish {
        kind,
        group: "",
        resource,
        subresource: String::new(),
        namespace: "",
        name,
    };
    let header = |name: &str| {
        headers
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    if let Some(name) = header(USER) {
        wishes.push(match accounts::split_username(name) {
            Some((namespace, name)) => Wish {
                namespace,
                ..plain("ServiceAccount", "serviceaccounts", name)
            },
            None => plain("User", "users", name),
        });
    }
    if let Some(groups) = headers.get(GROUP) {
        wishes.extend(groups.split(", ").map(|name| plain("Group", "groups", name)));
    }
    for (key, values) in headers
        .iter()
        .filter_map(|(name, values)| Some((name.strip_prefix(EXTRA)?, values)))
    {
        let key = percent_decode(&key.to_ascii_lowercase(), false);
        wishes.extend(values.split(", ").map(|value| Wish {
            group: "authentication.k8s.io",
            subresource: key.clone(),
            ..plain("UserExtra", "userextras", value)
        }));
    }
    if let Some(uid) = header(UID) {
        wishes.push(Wish {
            group: "authentication.k8s.io",
            ..plain("UID", "uids", uid)
        });
    }
    wishes
}

/// The text for headers that name no user; the wishes are printed as Go prints its references.
fn senseless(uri: &str, wishes: &[Wish<'_>]) -> String {
    let wishes: Vec<String> = wishes
        .iter()
        .map(|wish| {
            let version = if wish.group.is_empty() {
                ""
            } else {
                "authentication.k8s.io/v1"
            };
            format!(
                "{{{}  {}  {version}  {}}}",
                wish.kind, wish.name, wish.subresource
            )
        })
        .collect();
    let text = format!(
        "Internal Server Error: \"{uri}\": requested [{}] without impersonating a user",
        wishes.join(" ")
    );
    // responsewriters/errors.go keeps texts from looking like HTML.
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets root do all, and alice nothing.
    struct OnlyRoot;

    impl Authorizer for OnlyRoot {
        fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
            match attributes.user {
                Some(user) if user.name == "root" => Decision::Allow(String::new()),
                _ => Decision::NoOpinion(String::new()),
            }
        }
    }

    fn run(user: &str, headers: &[(&str, &str)]) -> Result<Option<UserInfo>, Refused> {
        let headers = headers
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        impersonate(
            &UserInfo::named(user, &[]),
            &headers,
            "/api/v1/namespaces",
            &OnlyRoot,
        )
    }

    #[test]
    fn root_becomes_others() {
        assert_eq!(run("alice", &[("accept", "x")]), Ok(None));
        let headers = [
            (USER, "bob"),
            (GROUP, "g1, g2"),
            (UID, "77"),
            ("impersonate-extra-scopes", "v"),
            ("impersonate-extra-acme%2fscopes", "v2, v3"),
        ];
        let bob = run("root", &headers).unwrap().unwrap();
        assert_eq!((bob.name.as_str(), bob.uid.as_str()), ("bob", "77"));
        assert_eq!(bob.groups, ["g1", "g2", "system:authenticated"]);
        assert_eq!(bob.extra["acme/scopes"], ["v2", "v3"]);
        let account = run("root", &[(USER, "system:serviceaccount:shop:web")])
            .unwrap()
            .unwrap();
        assert_eq!(
            account.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:shop",
                "system:authenticated"
            ]
        );
        let nobody = run("root", &[(USER, ANONYMOUS)]).unwrap().unwrap();
        assert_eq!(nobody.groups, ["system:unauthenticated"]);
        let groups = run("root", &[(USER, "x"), (GROUP, UNAUTHENTICATED)])
            .unwrap()
            .unwrap()
            .groups;
        assert_eq!(groups, ["system:unauthenticated"]);
    }

    #[test]
    fn others_may_not() {
        // Recorded from kube-apiserver 1.34.2.
        let cases = [
            (
                "bob",
                "users \"bob\" is forbidden: User \"alice\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            ),
            (
                "system:serviceaccount:default:x",
                "serviceaccounts \"x\" is forbidden: User \"alice\" cannot impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"default\"",
            ),
        ];
        for (name, message) in cases {
            let Err(Refused::Forbidden(error)) = run("alice", &[(USER, name)]) else {
                panic!("{name} was let through");
            };
            assert_eq!(error.message, message);
        }
        assert_eq!(
            run("root", &[(UID, "bob"), ("impersonate-extra-scopes", "v")]),
            Err(Refused::Senseless("Internal Server Error: \"/api/v1/namespaces\": requested [{UserExtra  v  authentication.k8s.io/v1  scopes} {UID  bob  authentication.k8s.io/v1  }] without impersonating a user".to_owned()))
        );
    }
}
