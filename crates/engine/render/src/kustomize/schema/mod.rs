//! How the lists of a kind merge: the part of an OpenAPI document that a strategic merge asks for.
//!
//! - **What it is:** the Kubernetes types that kustomize has built in, as a text of 40 KB that is searched in place and
//!   never parsed as a whole, and documents of the user's (`openapi: path:`), which replace it.
//! - **What it refuses to know:** everything else in an OpenAPI document: defaults, formats, validation.
//! - **Entry point:** [`Schema::kind`], then [`Type::field`] and [`Type::elements`] on the way down.

mod built_in;
mod document;

use document::Document;

/// The version of the built-in types, as `openapi: version:` names it.
pub const BUILT_IN_VERSION: &str = "v1.21.2";

/// The types that a build knows.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    custom: Option<Document>,
    /// What the document does not define is looked up among the built-in types.
    built_in_too: bool,
}

static BUILT_IN: Schema = Schema {
    custom: None,
    built_in_too: false,
};

/// Why a schema cannot be had. Displays kustomize's own text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// `openapi: version:` names a version that is not built in.
    #[error("the specified OpenAPI version is not built in")]
    UnknownVersion,
    /// `openapi:` has both `version` and `path`.
    #[error("builtin version and custom schema provided, cannot use both")]
    VersionAndDocument,
    /// The document of `openapi: path:` is not YAML or JSON.
    #[error("invalid schema file: {0}")]
    Syntax(String),
}

/// One type, or one field's type.
#[derive(Clone, Copy, Debug)]
pub struct Type<'a>(Inner<'a>);

#[derive(Clone, Copy, Debug)]
enum Inner<'a> {
    BuiltIn(built_in::Entry),
    /// The schema is where references lead that the document does not define.
    Custom(&'a Document, document::Id, Option<&'a Schema>),
}

/// The scope of a kind, where it is known for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Its objects live in namespaces.
    Namespaced,
    /// Its objects have no namespace.
    Cluster,
}

impl Schema {
    /// The built-in types.
    pub fn built_in() -> Schema {
        Schema::default()
    }

    /// What the field `openapi` of a kustomization asks for: a built-in version, a document, or neither.
    /// The document is OpenAPI v2 in YAML or JSON.
    pub fn select(version: Option<&str>, document: Option<&[u8]>) -> Result<Schema, SchemaError> {
        match (version, document) {
            (Some(_), Some(_)) => Err(SchemaError::VersionAndDocument),
            (None, Some(text)) => Ok(Schema {
                custom: Some(Document::parse(text)?),
                built_in_too: false,
            }),
            (None | Some("" | BUILT_IN_VERSION), None) => Ok(Schema::built_in()),
            (Some(_), None) => Err(SchemaError::UnknownVersion),
        }
    }

    /// The same with the built-in types beside it. A document that is chosen after kustomize has looked at the built-in
    /// types does not replace them.
    pub fn beside_built_in(self) -> Schema {
        Schema {
            built_in_too: true,
            ..self
        }
    }

    fn elsewhere(&self) -> Option<&'static Schema> {
        self.built_in_too.then_some(&BUILT_IN)
    }

    /// The type of a kind. Nothing where the kind is not known, or nothing in it could merge.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<Type<'_>> {
        match &self.custom {
            Some(document) => document
                .kind(api_version, kind)
                .map(|id| Type(Inner::Custom(document, id, self.elsewhere())))
                .or_else(|| self.elsewhere()?.kind(api_version, kind)),
            None => built_in::kind(api_version, kind).map(|e| Type(Inner::BuiltIn(e))),
        }
    }

    /// The type that a reference such as `#/definitions/io.k8s.api.core.v1.PodSpec` names.
    pub fn reference(&self, reference: &str) -> Option<Type<'_>> {
        let name = reference.strip_prefix("#/definitions/")?;
        match &self.custom {
            Some(document) => document
                .definition(name)
                .map(|id| Type(Inner::Custom(document, id, self.elsewhere())))
                .or_else(|| self.elsewhere()?.reference(reference)),
            None => built_in::definition(name).map(|e| Type(Inner::BuiltIn(e))),
        }
    }

    /// Whether objects of a kind have a namespace. The built-in answer comes first, also beside a custom document.
    pub fn scope(&self, api_version: &str, kind: &str) -> Option<Scope> {
        built_in::scope(api_version, kind).or_else(|| self.custom.as_ref()?.scope(api_version, kind))
    }

    /// The schema that a comment holds (`# {"type": "array", "x-kubernetes-patch-strategy": "merge"}`), which counts for
    /// the field that it stands at. References in it are to this schema's definitions.
    pub fn in_comment(&self, comment: &str) -> Option<CommentSchema> {
        let text = comment.trim_start_matches('#').trim_start();
        if !text.starts_with('{') {
            return None;
        }
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let object = json.as_object().filter(|object| !object.is_empty())?;
        // The short form of a setter is a reference that nothing here defines: a schema of which nothing is known.
        Some(CommentSchema {
            reference: object.get("$ref").and_then(|r| r.as_str()).map(str::to_owned),
            document: Document::of_one(&json),
        })
    }
}

/// A schema that was written in a comment.
#[derive(Clone, Debug)]
pub struct CommentSchema {
    reference: Option<String>,
    document: Document,
}

impl CommentSchema {
    /// The type that it stands for.
    pub fn resolve<'a>(&'a self, schema: &'a Schema) -> Type<'a> {
        self.reference
            .as_deref()
            .and_then(|reference| schema.reference(reference))
            .unwrap_or(Type(Inner::Custom(
                &self.document,
                document::Id::FIRST,
                Some(schema),
            )))
    }
}

impl<'a> Type<'a> {
    /// The type of a field, or of any value of a map.
    pub fn field(self, name: &str) -> Option<Type<'a>> {
        match self.0 {
            Inner::BuiltIn(entry) => entry.field(name).map(|e| Type(Inner::BuiltIn(e))),
            Inner::Custom(document, id, elsewhere) => {
                Type::followed(document, elsewhere, document.field(id, name)?)
            }
        }
    }

    /// The type of a list's elements.
    pub fn elements(self) -> Option<Type<'a>> {
        match self.0 {
            Inner::BuiltIn(entry) => entry.elements().map(|e| Type(Inner::BuiltIn(e))),
            Inner::Custom(document, id, elsewhere) => {
                Type::followed(document, elsewhere, document.elements(id)?)
            }
        }
    }

    /// Whether this is a list whose elements merge one by one.
    pub fn merges(self) -> bool {
        self.strategy().split(',').any(|s| s == "merge")
    }

    /// The patch strategy, as written: empty, `merge`, `merge,retainKeys`, ...
    pub fn strategy(self) -> &'a str {
        match self.0 {
            Inner::BuiltIn(entry) => entry.strategy(),
            Inner::Custom(document, id, _) => document.strategy(id),
        }
    }

    /// The fields that tell a list's elements apart; none for a list of scalars.
    pub fn keys(self) -> Vec<&'a str> {
        match self.0 {
            Inner::BuiltIn(entry) => entry.keys().collect(),
            Inner::Custom(document, id, _) => document.keys(id),
        }
    }

    fn followed(
        document: &'a Document,
        elsewhere: Option<&'a Schema>,
        to: document::Followed<'a>,
    ) -> Option<Type<'a>> {
        match to {
            document::Followed::Here(id) => Some(Type(Inner::Custom(document, id, elsewhere))),
            document::Followed::Elsewhere(reference) => elsewhere?.reference(reference),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk<'a>(schema: &'a Schema, api_version: &str, kind: &str, path: &str) -> Option<Type<'a>> {
        path.split('/')
            .try_fold(schema.kind(api_version, kind)?, |at, part| match part {
                "[]" => at.elements(),
                name => at.field(name),
            })
    }

    #[test]
    fn built_in_lists_know_their_keys() {
        let schema = Schema::built_in();
        let rows = [
            ("apps/v1", "Deployment", "spec/template/spec/containers", "name"),
            (
                "apps/v1",
                "Deployment",
                "spec/template/spec/containers/[]/ports",
                "containerPort,protocol",
            ),
            ("v1", "Service", "spec/ports", "port,protocol"),
            ("v1", "Pod", "metadata/finalizers", ""),
            (
                "batch/v1",
                "CronJob",
                "spec/jobTemplate/spec/template/spec/volumes",
                "name",
            ),
            ("v1", "ServiceAccount", "secrets", "name"),
        ];
        for (api_version, kind, path, keys) in rows {
            let list = walk(&schema, api_version, kind, path).expect(path);
            assert!(list.merges(), "{path}");
            assert_eq!(list.keys().join(","), keys, "{path}");
        }
        let args = walk(
            &schema,
            "apps/v1",
            "Deployment",
            "spec/template/spec/containers/[]/args",
        );
        assert!(!args.expect("args is known").merges());
        assert!(schema.kind("apps/v1", "Nothing").is_none());
        assert!(schema.kind("v1", "Deployment").is_none());
    }

    #[test]
    fn scopes_are_known() {
        let schema = Schema::built_in();
        assert_eq!(schema.scope("v1", "Namespace"), Some(Scope::Cluster));
        assert_eq!(schema.scope("v1", "ConfigMap"), Some(Scope::Namespaced));
        assert_eq!(schema.scope("example.com/v1", "Unknown"), None);
    }

    #[test]
    fn a_document_replaces_the_built_in_types() {
        let text = br##"{"definitions": {
            "a.Mine": {
                "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Mine"}],
                "properties": {"spec": {"$ref": "#/definitions/a.Spec"}}},
            "a.Spec": {"properties": {
                "parts": {"type": "array", "items": {"$ref": "#/definitions/a.Part"},
                    "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "id"}}},
            "a.Part": {"properties": {"tags": {"type": "array", "x-kubernetes-patch-strategy": "merge"}}}
        }}"##;
        let schema = Schema::select(None, Some(text)).expect("it is OpenAPI");
        let parts = walk(&schema, "example.com/v1", "Mine", "spec/parts").expect("it is defined");
        assert_eq!((parts.strategy(), parts.keys()), ("merge", vec!["id"]));
        assert!(
            walk(&schema, "example.com/v1", "Mine", "spec/parts/[]/tags").is_some_and(|tags| tags.merges())
        );
        assert!(schema.kind("apps/v1", "Deployment").is_none());
        assert_eq!(
            Schema::select(Some("v1.20.4"), None).expect_err("only one version is built in"),
            SchemaError::UnknownVersion
        );
        assert_eq!(
            Schema::select(Some(BUILT_IN_VERSION), Some(text)).expect_err("one or the other"),
            SchemaError::VersionAndDocument
        );
    }

    #[test]
    fn a_comment_can_be_a_schema() {
        let schema = Schema::built_in();
        let comment = schema.in_comment(r#"# {"type":"array", "x-kubernetes-patch-strategy": "merge"}"#);
        assert!(comment.expect("it is one").resolve(&schema).merges());
        assert!(schema.in_comment("# a note").is_none());
        let pod = schema.in_comment(r##"# {"$ref":"#/definitions/io.k8s.api.core.v1.PodSpec"}"##);
        assert!(
            pod.expect("it is one")
                .resolve(&schema)
                .field("containers")
                .is_some_and(|c| c.merges())
        );
    }
}
