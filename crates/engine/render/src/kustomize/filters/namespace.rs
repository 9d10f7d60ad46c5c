//! The namespace of objects, of the subjects of role bindings, and of whatever else field specs name.

use deploy_yaml::node::{Content, Node};

use super::Error;
use super::field_spec::{Compiled, Create, FieldSpec, FieldSpecs, apply};
use crate::kustomize::merge::tree::{self, Kind};

/// Which subjects of a role binding get the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Those with the name `default`.
    #[default]
    DefaultOnly,
    /// Those of the kind `ServiceAccount`.
    AllServiceAccounts,
    /// None.
    None,
}

impl Subjects {
    /// The value of the option `setRoleBindingSubjects`.
    pub fn parse(text: &str) -> Result<Subjects, Error> {
        match text {
            "" | "defaultOnly" => Ok(Subjects::DefaultOnly),
            "allServiceAccounts" => Ok(Subjects::AllServiceAccounts),
            "none" => Ok(Subjects::None),
            other => Err(Error::Invalid(format!(
                "invalid value {other:?} for setRoleBindingSubjects: must be one of \
                 \"defaultOnly\", \"none\" or \"allServiceAccounts\""
            ))),
        }
    }
}

/// How to set a namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    unset_only: bool,
    subjects: Subjects,
    /// Where the object's own namespace stands.
    own: Compiled,
    specs: FieldSpecs,
    /// The same specs without the name of `Namespace` objects, for all API versions but `v1`.
    specs_without_name: FieldSpecs,
}

const OWN: &str = "metadata/namespace";
const NAME: &str = "metadata/name";

impl Namespace {
    /// Prepares a namespace. With `unset_only`, only empty fields get it.
    pub fn new(
        name: &str,
        specs: impl IntoIterator<Item = FieldSpec>,
        unset_only: bool,
        subjects: Subjects,
    ) -> Namespace {
        // The object's own namespace and subjects have rules of their own, which specs cannot override.
        let is_binding = |kind: &str| kind == "RoleBinding" || kind == "ClusterRoleBinding";
        let specs: Vec<FieldSpec> = specs
            .into_iter()
            .filter(|spec| spec.path != OWN && !(is_binding(&spec.kind) && spec.path == "subjects/namespace"))
            .collect();
        Namespace {
            name: name.to_owned(),
            unset_only,
            subjects,
            own: Compiled::new(FieldSpec {
                path: OWN.to_owned(),
                create: true,
                ..FieldSpec::default()
            }),
            specs_without_name: FieldSpecs::new(specs.iter().filter(|spec| spec.path != NAME).cloned()),
            specs: FieldSpecs::new(specs),
        }
    }

    /// Sets the namespace in an object. Objects that are certainly outside namespaces keep their metadata.
    pub fn set(&self, object: &mut Node, is_cluster_scoped: bool) -> Result<(), Error> {
        if !is_cluster_scoped {
            apply(object, &self.own, Some(Create::SCALAR), &mut |field| {
                self.set_field(field)
            })?;
        }
        let text = |name| tree::field(object, name).and_then(tree::text);
        let specs = match text("apiVersion") {
            Some("v1") => &self.specs,
            _ => &self.specs_without_name,
        };
        if matches!(text("kind"), Some("RoleBinding" | "ClusterRoleBinding")) {
            self.set_subjects(object)?;
        }
        for spec in specs.of(object) {
            apply(object, spec, Some(Create::STRING), &mut |field| {
                self.set_field(field)
            })
            .map_err(|e| match e.refused_kind() {
                Some(kind) if kind != Kind::Scalar => e.at("namespace field specs must target scalar nodes"),
                _ => e.at("namespace transformation failed"),
            })?;
        }
        Ok(())
    }

    fn set_field(&self, field: &mut Node) -> Result<(), Error> {
        if self.unset_only
            && !tree::is_nil_or_empty(field)
            && tree::text(field).is_some_and(|text| !text.is_empty())
        {
            return Ok(());
        }
        Ok(tree::set_scalar(field, tree::tagged(&self.name, "!!str"))?)
    }

    fn set_subjects(&self, object: &mut Node) -> Result<(), Error> {
        let (field, value) = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::DefaultOnly => ("name", "default"),
            Subjects::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = tree::field_mut(object, "subjects").filter(|subjects| !tree::is_null(subjects))
        else {
            return Ok(());
        };
        self.visit_subjects(subjects, field, value)
            .map_err(|e| e.at("setting namespace on (cluster)role binding subjects"))
    }

    fn visit_subjects(&self, subjects: &mut Node, field: &str, value: &str) -> Result<(), Error> {
        tree::expect(subjects, Kind::Sequence)?;
        let Content::Sequence(subjects) = &mut subjects.content else {
            return Ok(());
        };
        for subject in subjects {
            let look = |subject: &Node| -> Result<bool, Error> {
                tree::expect(subject, Kind::Mapping)?;
                let Some(found) = tree::field(subject, field) else {
                    return Ok(false);
                };
                tree::expect(found, Kind::Scalar)?;
                Ok(tree::value(found) == value)
            };
            if !look(subject)
                .map_err(|e| e.at(format!("looking up {field} on (cluster)role binding subject")))?
            {
                continue;
            }
            if tree::field(subject, "namespace").is_none() {
                tree::put_field(subject, "namespace", tree::scalar(""), tree::scalar("namespace"));
            }
            if let Some(namespace) = tree::field_mut(subject, "namespace") {
                self.set_field(namespace)?;
            }
        }
        Ok(())
    }
}
