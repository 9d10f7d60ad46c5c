//! Roles and bindings, indexed by subject (`plugin/pkg/auth/authorizer/rbac`).
//!
//! A decision looks at the bindings of the user and his groups, no others, and costs microseconds. The index follows
//! the storage's events through [`Rbac::put`] and [`Rbac::delete`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

use super::rules::Rule;
use super::{Attributes, Authorizer, Decision, GROUP};
use crate::identity::{MASTERS, UserInfo, accounts};

/// The four resources that it is made of, as the storage names them.
pub const RESOURCES: [&str; 4] = [
    "rbac.authorization.k8s.io/clusterroles",
    "rbac.authorization.k8s.io/clusterrolebindings",
    "rbac.authorization.k8s.io/roles",
    "rbac.authorization.k8s.io/rolebindings",
];

/// Decides by the roles and bindings that it has been told of.
#[derive(Default)]
pub struct Rbac {
    index: RwLock<Index>,
}

/// Rules that a user has, and roles that his bindings name in vain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// All rules, binding by binding.
    pub rules: Vec<Rule>,
    /// Kind and name of roles that are not there.
    pub missing_roles: Vec<RoleRef>,
}

/// The role that a binding names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleRef {
    /// `ClusterRole` or `Role`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    /// Service accounts too: under the name that they have as users.
    User(String),
    Group(String),
}

struct Binding {
    name: String,
    namespace: String,
    role: RoleRef,
    /// Each subject, and how the reason of a decision describes it.
    subjects: Vec<(Subject, String)>,
}

/// A scope is a namespace, or empty for the cluster.
#[derive(Default)]
struct Index {
    roles: HashMap<String, HashMap<String, Arc<Vec<Rule>>>>,
    bindings: HashMap<String, Scope>,
}

#[derive(Default)]
struct Scope {
    by_name: BTreeMap<String, Arc<Binding>>,
    by_subject: HashMap<Subject, BTreeSet<String>>,
}

impl Rbac {
    /// Takes note of a role or binding that is new or has changed. `resource` is one of [`RESOURCES`]; others are
    /// ignored.
    pub fn put(&self, resource: &str, object: &Value) {
        let (namespace, name) = (
            text(&object["metadata"]["namespace"]),
            text(&object["metadata"]["name"]),
        );
        let mut index = self.write();
        match resource.strip_prefix("rbac.authorization.k8s.io/") {
            Some("roles" | "clusterroles") => {
                let rules = Arc::new(Rule::list(&object["rules"]));
                index
                    .roles
                    .entry(namespace.to_owned())
                    .or_default()
                    .insert(name.to_owned(), rules);
            }
            Some("rolebindings" | "clusterrolebindings") => {
                let scope = index.bindings.entry(namespace.to_owned()).or_default();
                scope.remove(name);
                scope.add(Binding::parse(object));
            }
            _ => {}
        }
    }

    /// Forgets a role or binding.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) {
        let mut index = self.write();
        match resource.strip_prefix("rbac.authorization.k8s.io/") {
            Some("roles" | "clusterroles") => {
                if let Some(roles) = index.roles.get_mut(namespace) {
                    roles.remove(name);
                    if roles.is_empty() {
                        index.roles.remove(namespace);
                    }
                }
            }
            Some("rolebindings" | "clusterrolebindings") => {
                if let Some(scope) = index.bindings.get_mut(namespace) {
                    scope.remove(name);
                    if scope.by_name.is_empty() {
                        index.bindings.remove(namespace);
                    }
                }
            }
            _ => {}
        }
    }

    /// All rules that a user has in a namespace, those of the whole cluster included.
    pub fn held(&self, user: &UserInfo, namespace: &str) -> Held {
        let mut held = Held::default();
        self.read().visit(user, namespace, &mut |_, found| {
            match found {
                Ok(rules) => held.rules.extend(rules.iter().cloned()),
                Err(role) => held.missing_roles.push(role.clone()),
            }
            true
        });
        held
    }

    /// The rules of a role that a binding in `namespace` (empty: of the cluster) names; `None` where it is not there.
    pub fn rules_of(&self, kind: &str, name: &str, namespace: &str) -> Option<Arc<Vec<Rule>>> {
        self.read().rules_of(kind, name, namespace)
    }

    // A panic while the lock is held cannot leave the index half changed in a way that allows more.
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Authorizer for Rbac {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let Some(user) = attributes.user else {
            return Decision::NoOpinion(String::new());
        };
        // apiserver/pkg/authorization/authorizerfactory.NewPrivilegedGroups
        if user.is_in(MASTERS) {
            return Decision::Allow(String::new());
        }
        let mut allowed = None;
        let mut missing: Vec<String> = Vec::new();
        self.read()
            .visit(user, attributes.namespace, &mut |source, found| {
                match found {
                    Ok(rules) if rules.iter().any(|rule| rule.allows(attributes)) => {
                        allowed = Some(format!("RBAC: allowed by {}", source()));
                    }
                    Ok(_) => {}
                    Err(role) => missing.push(role.not_found()),
                }
                allowed.is_none()
            });
        match allowed {
            Some(reason) => Decision::Allow(reason),
            None if missing.is_empty() => Decision::NoOpinion(String::new()),
            None => Decision::NoOpinion(format!("RBAC: {}", crate::status::aggregate(missing.into_iter()))),
        }
    }
}

impl RoleRef {
    /// As upstream's lister says it.
    pub(crate) fn not_found(&self) -> String {
        match self.kind.as_str() {
            "ClusterRole" | "Role" => {
                format!(
                    "{}.{GROUP} \"{}\" not found",
                    self.kind.to_ascii_lowercase(),
                    self.name
                )
            }
            kind => format!("unsupported role reference kind: \"{kind}\""),
        }
    }
}

/// Gets each binding of a user: a description, and its rules or the role that is missing. False ends the visit.
type Visitor<'v> = &'v mut dyn FnMut(&dyn Fn() -> String, Result<&[Rule], &RoleRef>) -> bool;

impl Index {
    fn visit(&self, user: &UserInfo, namespace: &str, visitor: Visitor<'_>) {
        let mut subjects = vec![Subject::User(user.name.clone())];
        subjects.extend(user.groups.iter().cloned().map(Subject::Group));
        let scopes = if namespace.is_empty() {
            &[""][..]
        } else {
            &["", namespace][..]
        };
        for scope in scopes.iter().filter_map(|scope| self.bindings.get(*scope)) {
            let names: BTreeSet<&String> = subjects
                .iter()
                .filter_map(|subject| scope.by_subject.get(subject))
                .flatten()
                .collect();
            for binding in names.into_iter().filter_map(|name| scope.by_name.get(name)) {
                let source = || binding.describe(&subjects);
                let rules = self.rules_of(&binding.role.kind, &binding.role.name, &binding.namespace);
                let found = rules.as_ref().map(|rules| rules.as_slice()).ok_or(&binding.role);
                if !visitor(&source, found) {
                    return;
                }
            }
        }
    }

    fn rules_of(&self, kind: &str, name: &str, namespace: &str) -> Option<Arc<Vec<Rule>>> {
        let scope = match kind {
            "ClusterRole" => "",
            "Role" if !namespace.is_empty() => namespace,
            _ => return None,
        };
        self.roles.get(scope)?.get(name).cloned()
    }
}

impl Scope {
    fn add(&mut self, binding: Binding) {
        for (subject, _) in &binding.subjects {
            self.by_subject
                .entry(subject.clone())
                .or_default()
                .insert(binding.name.clone());
        }
        self.by_name.insert(binding.name.clone(), Arc::new(binding));
    }

    fn remove(&mut self, name: &str) {
        let Some(binding) = self.by_name.remove(name) else {
            return;
        };
        for (subject, _) in &binding.subjects {
            if let Some(names) = self.by_subject.get_mut(subject) {
                names.remove(name);
                if names.is_empty() {
                    self.by_subject.remove(subject);
                }
            }
        }
    }
}

impl Binding {
    fn parse(object: &Value) -> Binding {
        let namespace = text(&object["metadata"]["namespace"]);
        let subjects = object["subjects"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|subject| {
                let (kind, name) = (text(&subject["kind"]), text(&subject["name"]));
                let key = match kind {
                    "User" => Subject::User(name.to_owned()),
                    "Group" => Subject::Group(name.to_owned()),
                    "ServiceAccount" => {
                        let own = text(&subject["namespace"]);
                        let namespace = if own.is_empty() { namespace } else { own };
                        if namespace.is_empty() {
                            return None;
                        }
                        let described = format!("ServiceAccount \"{name}/{namespace}\"");
                        return Some((Subject::User(accounts::username(namespace, name)), described));
                    }
                    _ => return None,
                };
                Some((key, format!("{kind} \"{name}\"")))
            });
        Binding {
            name: text(&object["metadata"]["name"]).to_owned(),
            namespace: namespace.to_owned(),
            role: RoleRef {
                kind: text(&object["roleRef"]["kind"]).to_owned(),
                name: text(&object["roleRef"]["name"]).to_owned(),
            },
            subjects: subjects.collect(),
        }
    }

    /// The reason of a decision: the binding, and the first of its subjects that is one of `subjects`.
    fn describe(&self, subjects: &[Subject]) -> String {
        let subject = self
            .subjects
            .iter()
            .find(|(subject, _)| subjects.contains(subject));
        let subject = subject.map_or("", |(_, text)| text);
        let (kind, name) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", self.name.clone())
        } else {
            ("RoleBinding", format!("{}/{}", self.name, self.namespace))
        };
        format!(
            "{kind} \"{name}\" of {} \"{}\" to {subject}",
            self.role.kind, self.role.name
        )
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    const CLUSTER_ROLES: &str = RESOURCES[0];
    const CLUSTER_BINDINGS: &str = RESOURCES[1];
    const ROLES: &str = RESOURCES[2];
    const BINDINGS: &str = RESOURCES[3];

    pub(crate) fn role(namespace: &str, name: &str, rules: Value) -> Value {
        json!({"metadata": {"namespace": namespace, "name": name}, "rules": rules})
    }

    pub(crate) fn binding(namespace: &str, name: &str, role: [&str; 2], subjects: Value) -> Value {
        json!({
            "metadata": {"namespace": namespace, "name": name},
            "roleRef": {"kind": role[0], "name": role[1]},
            "subjects": subjects,
        })
    }

    pub(crate) fn world() -> Rbac {
        let rbac = Rbac::default();
        let read =
            |resource: &str| json!([{"apiGroups": [""], "resources": [resource], "verbs": ["get", "list"]}]);
        rbac.put(CLUSTER_ROLES, &role("", "reader", read("pods")));
        rbac.put(ROLES, &role("shop", "secrets", read("secrets")));
        let group = json!([{"kind": "User", "name": "x"}, {"kind": "Group", "name": "developers"}]);
        rbac.put(
            CLUSTER_BINDINGS,
            &binding("", "readers", ["ClusterRole", "reader"], group),
        );
        let account = json!([{"kind": "ServiceAccount", "name": "web"}]);
        rbac.put(
            BINDINGS,
            &binding("shop", "web", ["Role", "secrets"], account.clone()),
        );
        rbac.put(
            BINDINGS,
            &binding("shop", "web-reads", ["ClusterRole", "reader"], account),
        );
        let bob = json!([{"kind": "User", "name": "bob"}]);
        rbac.put(
            CLUSTER_BINDINGS,
            &binding("", "dangling", ["ClusterRole", "nobind"], bob),
        );
        rbac
    }

    fn decide(rbac: &Rbac, user: &UserInfo, verb: &str, resource: &str, namespace: &str) -> Decision {
        rbac.authorize(&Attributes {
            user: Some(user),
            verb,
            resource,
            namespace,
            resource_request: true,
            ..Attributes::default()
        })
    }

    #[test]
    fn bindings_decide() {
        let rbac = world();
        let developer = UserInfo::named("ann", &["developers"]);
        let mut web = accounts::service_account_user("shop", "web", "u");
        web.recognised();
        let allowed = "RBAC: allowed by ClusterRoleBinding \"readers\" of ClusterRole \"reader\" to Group \"developers\"";
        assert_eq!(
            decide(&rbac, &developer, "list", "pods", ""),
            Decision::Allow(allowed.to_owned())
        );
        assert!(decide(&rbac, &developer, "get", "pods", "anywhere").allowed());
        assert!(!decide(&rbac, &developer, "delete", "pods", "anywhere").allowed());
        let allowed =
            "RBAC: allowed by RoleBinding \"web/shop\" of Role \"secrets\" to ServiceAccount \"web/shop\"";
        assert_eq!(
            decide(&rbac, &web, "get", "secrets", "shop"),
            Decision::Allow(allowed.to_owned())
        );
        assert!(decide(&rbac, &web, "get", "pods", "shop").allowed());
        assert!(!decide(&rbac, &web, "get", "pods", "other").allowed());
        assert!(!decide(&rbac, &web, "list", "pods", "").allowed());
        let root = UserInfo::named("root", &[MASTERS]);
        assert_eq!(
            decide(&rbac, &root, "anything", "at-all", ""),
            Decision::Allow(String::new())
        );
        let bob = UserInfo::named("bob", &[]);
        let why = "RBAC: clusterrole.rbac.authorization.k8s.io \"nobind\" not found";
        assert_eq!(
            decide(&rbac, &bob, "list", "pods", ""),
            Decision::NoOpinion(why.to_owned())
        );
        assert_eq!(
            rbac.authorize(&Attributes::default()),
            Decision::NoOpinion(String::new())
        );
    }

    #[test]
    fn changes_are_seen_and_leave_nothing_behind() {
        let rbac = world();
        let developer = UserInfo::named("ann", &["developers"]);
        let other = json!([{"kind": "Group", "name": "testers"}]);
        rbac.put(
            CLUSTER_BINDINGS,
            &binding("", "readers", ["ClusterRole", "reader"], other),
        );
        assert!(!decide(&rbac, &developer, "list", "pods", "").allowed());
        let tester = UserInfo::named("tom", &["testers"]);
        assert!(decide(&rbac, &tester, "list", "pods", "").allowed());
        rbac.delete(CLUSTER_ROLES, "", "reader");
        assert!(!decide(&rbac, &tester, "list", "pods", "").allowed());
        rbac.put(
            CLUSTER_ROLES,
            &role(
                "",
                "reader",
                json!([{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]),
            ),
        );
        assert!(decide(&rbac, &tester, "delete", "nodes", "").allowed());
        rbac.delete(CLUSTER_BINDINGS, "", "readers");
        assert!(!decide(&rbac, &tester, "delete", "nodes", "").allowed());
        for (resource, namespace, name) in [
            (CLUSTER_BINDINGS, "", "dangling"),
            (BINDINGS, "shop", "web"),
            (BINDINGS, "shop", "web-reads"),
            (ROLES, "shop", "secrets"),
            (CLUSTER_ROLES, "", "reader"),
        ] {
            rbac.delete(resource, namespace, name);
        }
        let index = rbac.read();
        assert!(index.roles.is_empty() && index.bindings.is_empty());
    }
}
