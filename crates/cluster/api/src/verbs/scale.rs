//! The scale subresource: how many there are to be, for kinds of any shape
//! (`pkg/registry/apps/*/storage`, `apiextensions-apiserver/pkg/registry/customresource`).

use std::collections::BTreeMap;

use deploy_cluster_kinds::field::{Finding, FindingKind};
use deploy_cluster_kinds::selector::LabelSelector;
use deploy_cluster_schema::apply::{
    FieldManager, ManagedFields, ReplicasPaths, Updater, Versions, empty_object, to_parent, to_scale,
};
use deploy_cluster_schema::fields::Element;
use deploy_cluster_schema::merge::Shape;
use deploy_cluster_schema::registry::GroupVersionKind;
use serde_json::{Value, json};

use super::change::change;
use super::create::match_namespace;
use super::patch::{configuration, refused};
use super::update::check_name;
use super::{Call, Change, Outcome, Strategy};
use crate::negotiate::PatchKind;
use crate::patching::Patch;
use crate::scope::Scope;
use crate::status::{About, StatusError};
use crate::{identifiers, object};

/// The kind of a Scale.
pub(crate) fn kind() -> GroupVersionKind {
    GroupVersionKind::new("autoscaling", "v1", "Scale")
}

/// Shows the scale of the object of the scope.
pub(crate) fn get(call: &Call<'_>) -> Result<Outcome, StatusError> {
    let scope = &call.scope;
    let entry = call.api.store.get(&scope.key(&scope.namespace, &scope.name));
    let entry = entry.ok_or_else(|| scope.not_found())?;
    let object = scope.object(&entry);
    has_replicas(scope, &object)?;
    Ok(Outcome::Other {
        status: 200,
        object: scale_of(scope, &object),
    })
}

/// How a scale is written.
pub(crate) enum Written {
    /// A whole Scale, decoded.
    Whole(Value),
    /// A patch of the Scale.
    Patch(Patch),
}

/// Writes the scale of the object of the scope.
pub(crate) async fn write(call: &mut Call<'_>, written: Written) -> Result<Outcome, StatusError> {
    let strategy = Strategy {
        create: false,
        unconditional: true,
        ..Strategy::main(call.scope.rules, false)
    };
    let changed = change(call, &written, strategy).await?;
    let object = changed.object.into_value();
    Ok(Outcome::Other {
        status: 200,
        object: scale_of(&call.scope, &object),
    })
}

impl Change for Written {
    fn apply(&self, call: &mut Call<'_>, live: Option<&Value>) -> Result<Value, StatusError> {
        let live = live.ok_or_else(|| call.scope.not_found())?;
        let scope = call.scope.clone();
        has_replicas(&scope, live)?;
        let places = Places::of(&scope);
        let paths: ReplicasPaths = BTreeMap::from([(
            scope.served.api_version(),
            Some(field_path(&places.spec_replicas)),
        )]);
        let parent = ManagedFields::decode(live["metadata"].get("managedFields")).unwrap_or_default();
        let mut before = scale_of(&scope, live);
        if let Some(entries) = to_scale(&parent, &paths).encode() {
            object::set(&mut before, "managedFields", entries);
        }
        let mut after = self.scale(call, &before)?;
        match_namespace(&scope.namespace, &mut after)?;
        check_name(call, &after)?;
        if !scope.is_custom() {
            check(&after)?;
        }
        let scaled = ManagedFields::decode(after["metadata"].get("managedFields")).unwrap_or_default();
        let mut new = live.clone();
        places
            .spec_replicas
            .set(&mut new, after["spec"]["replicas"].as_i64().unwrap_or(0).into());
        object::set(
            &mut new,
            "resourceVersion",
            after["metadata"]["resourceVersion"].clone(),
        );
        let managed = to_parent(&parent, &scaled, &scope.served.api_version(), &paths);
        object::set(&mut new, "managedFields", managed.encode().unwrap_or_default());
        Ok(new)
    }

    fn uid(&self) -> Option<&str> {
        match self {
            Self::Whole(scale) => Some(object::uid(scale)).filter(|uid| !uid.is_empty()),
            Self::Patch(_) => None,
        }
    }
}

impl Written {
    /// The Scale after the write, with its managers.
    fn scale(&self, call: &mut Call<'_>, before: &Value) -> Result<Value, StatusError> {
        let scope = call.scope.clone();
        let kind = kind();
        let (schema, id) = scope
            .registry
            .types(&kind)
            .ok_or_else(|| StatusError::internal("Scale has no types"))?;
        let versions = ScaleVersions {
            shape: Shape::new(schema, id),
        };
        let (filters, api_version) = (BTreeMap::new(), kind.api_version());
        let empty = empty_object(versions.shape);
        let manager = FieldManager {
            updater: Updater {
                versions: &versions,
                filters: &filters,
            },
            api_version: &api_version,
            kind: &kind.kind,
            subresource: "scale",
            empty: &empty,
        };
        let now = identifiers::now();
        let new = match self {
            Self::Whole(scale) => scale.clone(),
            Self::Patch(patch) if patch.kind == PatchKind::Apply => {
                let config = configuration(patch, &mut call.warnings)?;
                let force = call.options.force.unwrap_or(false);
                let applied = manager.apply(Some(before), &config.object, &call.manager, force, &now);
                let applied = applied.map_err(|error| refused(&error))?;
                config.strictly(patch, &mut call.warnings)?;
                return Ok(applied);
            }
            Self::Patch(patch) => patch.onto(&scope.registry, &kind, before, &mut call.warnings)?,
        };
        Ok(manager.update(Some(before), new, &call.manager, &now))
    }
}

/// A custom object says how many there are to be (`customresource/etcd.go scaleFromCustomResource`).
fn has_replicas(scope: &Scope, object: &Value) -> Result<(), StatusError> {
    let custom = scope
        .resource
        .custom
        .as_ref()
        .and_then(|custom| custom.scale.as_ref());
    match custom {
        Some(paths) if crate::custom::at(&paths.spec_replicas, object).is_none() => {
            let path = &paths.spec_replicas;
            let text = format!("the spec replicas field {path:?} does not exist");
            Err(StatusError::internal(&text))
        }
        _ => Ok(()),
    }
}

/// `pkg/apis/autoscaling/validation ValidateScale`
fn check(scale: &Value) -> Result<(), StatusError> {
    let replicas = &scale["spec"]["replicas"];
    if replicas.as_i64().unwrap_or(0) >= 0 {
        return Ok(());
    }
    let finding = Finding {
        kind: FindingKind::Invalid,
        path: "spec.replicas".to_owned(),
        value: Some(replicas.clone()),
        shown: None,
        detail: "must be greater than or equal to 0".to_owned(),
    };
    Err(StatusError::invalid(
        About::new("autoscaling", "Scale"),
        object::name(scale),
        &[finding],
    ))
}

struct ScaleVersions<'s> {
    shape: Shape<'s>,
}

impl Versions for ScaleVersions<'_> {
    fn shape(&self, api_version: &str) -> Option<Shape<'_>> {
        (api_version == "autoscaling/v1").then_some(self.shape)
    }

    fn convert(&self, _: &Value, from: &str, to: &str) -> Result<Value, String> {
        Err(format!("cannot convert from {from} to {to}"))
    }
}

/// A place in an object, as a path of names.
struct Place(Vec<String>);

impl Place {
    /// From `.spec.replicas`
    fn parse(path: &str) -> Place {
        Place(
            path.split('.')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    fn get<'v>(&self, object: &'v Value) -> &'v Value {
        self.0.iter().fold(object, |value, name| &value[name.as_str()])
    }

    fn set(&self, object: &mut Value, value: Value) {
        let mut place = object;
        for name in &self.0 {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[name.as_str()];
        }
        *place = value;
    }
}

fn field_path(place: &Place) -> Vec<Element> {
    place
        .0
        .iter()
        .map(|name| Element::Field(name.as_str().into()))
        .collect()
}

/// Where a kind keeps what a Scale shows.
struct Places {
    spec_replicas: Place,
    status_replicas: Place,
    /// The selector as text, where the kind keeps it so.
    selector_text: Option<Place>,
}

impl Places {
    fn of(scope: &Scope) -> Places {
        let custom = scope
            .resource
            .custom
            .as_ref()
            .and_then(|custom| custom.scale.as_ref());
        match custom {
            Some(paths) => Places {
                spec_replicas: Place::parse(&paths.spec_replicas),
                status_replicas: Place::parse(&paths.status_replicas),
                selector_text: Some(Place::parse(paths.label_selector.as_deref().unwrap_or_default())),
            },
            None => Places {
                spec_replicas: Place::parse(".spec.replicas"),
                status_replicas: Place::parse(".status.replicas"),
                selector_text: None,
            },
        }
    }
}

/// The Scale of an object.
fn scale_of(scope: &Scope, object: &Value) -> Value {
    let places = Places::of(scope);
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {},
        "spec": {},
        "status": {"replicas": places.status_replicas.get(object).as_i64().unwrap_or(0)},
    });
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        object::set(&mut scale, field, object["metadata"][field].clone());
    }
    if let Some(replicas) = places
        .spec_replicas
        .get(object)
        .as_i64()
        .filter(|replicas| *replicas != 0)
    {
        scale["spec"]["replicas"] = replicas.into();
    }
    let selector = match &places.selector_text {
        Some(place) => place.get(object).as_str().unwrap_or_default().to_owned(),
        None if &*scope.stored.kind == "ReplicationController" => {
            LabelSelector::from_map(object["spec"].get("selector")).to_string()
        }
        None => LabelSelector::from_object(object["spec"].get("selector"))
            .map_or_else(|_| String::new(), |selector| selector.to_string()),
    };
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    scale
}
