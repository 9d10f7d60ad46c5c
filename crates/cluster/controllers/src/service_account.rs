//! What every namespace has: the service account `default` (`pkg/controller/serviceaccount`), and the certificate
//! authority that pods check the API server by (`pkg/controller/certificates/rootcacertpublisher`).

use serde_json::json;

use crate::controller::{Change, Controller, Key, Look, Watch};
use crate::effect::{Effect, Outcome};
use crate::kind::{CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT};
use crate::object;
use crate::view::View;

/// The row of the controller of service accounts.
pub const ACCOUNTS: Controller = Controller {
    name: "service-account-controller",
    watches: &[
        Watch {
            kind: NAMESPACE,
            keys: of_namespace,
        },
        Watch {
            kind: SERVICE_ACCOUNT,
            keys: of_part,
        },
    ],
    reconcile: account,
    workers: 1,
};

/// The row of the controller of certificate authorities.
pub const ROOT_CA: Controller = Controller {
    name: "root-ca-cert-publisher",
    watches: &[
        Watch {
            kind: NAMESPACE,
            keys: of_namespace,
        },
        Watch {
            kind: CONFIG_MAP,
            keys: of_part,
        },
    ],
    reconcile: root_ca,
    workers: 1,
};

const ROOT_CA_NAME: &str = "kube-root-ca.crt";

/// Where the API server keeps the authority for those who need it.
const AUTHORITY: (&str, &str, &str) = (
    "kube-system",
    "extension-apiserver-authentication",
    "client-ca-file",
);

fn of_namespace(_: &dyn View, change: &Change<'_>) -> Vec<Key> {
    vec![Key {
        namespace: object::name(change.object).into(),
        name: "".into(),
    }]
}

/// The namespace of what these controllers made, when somebody changes or removes it; all of them when the authority
/// itself changes.
fn of_part(view: &dyn View, change: &Change<'_>) -> Vec<Key> {
    let (namespace, name) = (object::namespace(change.object), object::name(change.object));
    if (namespace, name) == (AUTHORITY.0, AUTHORITY.1) {
        let all = view.list(&NAMESPACE, None);
        return all
            .iter()
            .map(|ns| Key {
                namespace: object::name(ns).into(),
                name: "".into(),
            })
            .collect();
    }
    if matches!(name, "default" | ROOT_CA_NAME) {
        return vec![Key {
            namespace: namespace.into(),
            name: "".into(),
        }];
    }
    Vec::new()
}

fn is_alive(look: &Look<'_>) -> bool {
    let namespace = look.view.get(&NAMESPACE, "", &look.key.namespace);
    namespace.is_some_and(|namespace| !object::is_deleting(&namespace))
}

fn account(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let namespace = &look.key.namespace;
    if is_alive(look) && look.view.get(&SERVICE_ACCOUNT, namespace, "default").is_none() {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": &**namespace},
        });
        outcome.push(Effect::Create {
            kind: SERVICE_ACCOUNT,
            object,
            tell: None,
        });
    }
    outcome
}

fn root_ca(look: &Look<'_>) -> Outcome {
    let mut outcome = Outcome::nothing();
    let namespace = &look.key.namespace;
    let Some(known) = look.view.get(&CONFIG_MAP, AUTHORITY.0, AUTHORITY.1) else {
        return outcome;
    };
    let data = json!({"ca.crt": known["data"][AUTHORITY.2]});
    if !is_alive(look) {
        return outcome;
    }
    match look.view.get(&CONFIG_MAP, namespace, ROOT_CA_NAME) {
        None => {
            let object = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": ROOT_CA_NAME,
                    "namespace": &**namespace,
                    "annotations": {"kubernetes.io/description":
                        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
                         endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                         guaranteed across distributions of Kubernetes clusters."},
                },
                "data": data,
            });
            outcome.push(Effect::Create {
                kind: CONFIG_MAP,
                object,
                tell: None,
            });
        }
        Some(current) if current["data"] != data => {
            let mut object = serde_json::Value::clone(&current);
            object["data"] = data;
            outcome.push(Effect::Update {
                kind: CONFIG_MAP,
                object,
            });
        }
        Some(_) => {}
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::memory::Memory;
    use serde_json::Value;

    fn namespace(deleting: bool) -> Value {
        let mut namespace = json!({"kind": "Namespace", "metadata": {"name": "shop"}});
        if deleting {
            namespace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        namespace
    }

    fn authority() -> Value {
        json!({
            "kind": "ConfigMap", "data": {"client-ca-file": "PEM"},
            "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        })
    }

    fn made(controller: &Controller, objects: Vec<Value>) -> Vec<Effect> {
        let memory = Memory::of(objects);
        let key = Key {
            namespace: "shop".into(),
            name: "".into(),
        };
        let now = "2026-01-01T01:00:00Z".parse().expect("a time");
        (controller.reconcile)(&Look {
            view: &memory,
            key: &key,
            now,
            failure: None,
        })
        .effects
    }

    #[test]
    fn a_namespace_gets_both_unless_it_ends() {
        assert_eq!(made(&ACCOUNTS, vec![namespace(false)]).len(), 1);
        assert_eq!(made(&ACCOUNTS, vec![namespace(true)]).len(), 0);
        let [Effect::Create { object, .. }] = &made(&ROOT_CA, vec![namespace(false), authority()])[..] else {
            panic!("the authority is published")
        };
        assert_eq!(object["data"]["ca.crt"], "PEM");
        assert_eq!(made(&ROOT_CA, vec![namespace(true), authority()]).len(), 0);
    }

    #[test]
    fn a_changed_authority_is_put_back() {
        let spoiled = json!({
            "kind": "ConfigMap", "data": {"ca.crt": "other"},
            "metadata": {"name": ROOT_CA_NAME, "namespace": "shop"},
        });
        let [Effect::Update { object, .. }] =
            &made(&ROOT_CA, vec![namespace(false), authority(), spoiled])[..]
        else {
            panic!("it is put back")
        };
        assert_eq!(object["data"], json!({"ca.crt": "PEM"}));
    }
}
