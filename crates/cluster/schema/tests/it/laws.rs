//! What holds for all objects: laws of field sets, structured merge and server-side apply.

use std::collections::BTreeMap;

use deploy_cluster_schema::apply::{Manager, Managers, OneVersion, Operation, UpdateError, Updater};
use deploy_cluster_schema::fields::{Set, equal};
use deploy_cluster_schema::merge::{Duplicates, Shape};
use deploy_cluster_schema::types::Schema;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::smd_schema::parse;

const SCHEMA: &str = "
types:
- name: root
  map:
    fields:
    - name: number
      type: {scalar: numeric}
    - name: set
      type: {list: {elementType: {scalar: string}, elementRelationship: associative}}
    - name: atomic
      type: {list: {elementType: {scalar: string}, elementRelationship: atomic}}
    - name: open
      type: {map: {elementType: {scalar: string}}}
    - name: list
      type: {list: {elementType: {namedType: root}, elementRelationship: associative, keys: [number]}}
";

fn letters() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("[a-d]", 1..4)
        .prop_map(|set| set.into_iter().collect())
        .prop_shuffle()
}

/// Valid objects of the type `root`.
fn objects() -> impl Strategy<Value = Value> {
    let leaf = fields(Just(vec![json!({})]).boxed());
    leaf.prop_recursive(3, 24, 3, |inner| {
        fields(prop::collection::vec(inner, 1..3).boxed())
    })
}

fn fields(items: BoxedStrategy<Vec<Value>>) -> BoxedStrategy<Value> {
    let list = items.prop_map(|items| {
        let with_key = |(place, mut item): (usize, Value)| {
            item["number"] = json!(place % 3);
            item
        };
        items
            .into_iter()
            .enumerate()
            .map(with_key)
            .collect::<Vec<Value>>()
    });
    let maybe = prop::option::of::<BoxedStrategy<Value>>;
    (
        maybe((0..3).prop_map(Value::from).boxed()),
        maybe(letters().prop_map(Value::from).boxed()),
        maybe(letters().prop_map(Value::from).boxed()),
        maybe(
            prop::collection::btree_map("[a-c]", "[xy]", 1..3)
                .prop_map(|map| json!(map))
                .boxed(),
        ),
        maybe(list.prop_shuffle().prop_map(Value::from).boxed()),
    )
        .prop_map(|(number, set, atomic, open, list)| {
            let fields = [
                ("number", number),
                ("set", set),
                ("atomic", atomic),
                ("open", open),
                ("list", list),
            ];
            let fields = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(fields.collect::<Map<String, Value>>())
        })
        .boxed()
}

fn with_shape<T>(check: impl FnOnce(Shape<'_>) -> T) -> T {
    let schema: Schema = parse(SCHEMA);
    let id = schema.find("root").expect("the schema has the type");
    check(Shape::new(&schema, id))
}

fn applier(name: &str) -> Manager {
    Manager {
        name: name.to_owned(),
        operation: Operation::Apply,
        api_version: String::new(),
        subresource: String::new(),
    }
}

proptest! {
    #[test]
    fn sets_obey_algebra(a in objects(), b in objects()) {
        with_shape(|shape| {
            let (a, b) = (shape.field_set(&a), shape.field_set(&b));
            prop_assert_eq!(&Set::parse(&a.to_text()).expect("a text of a set is a set"), &a);
            prop_assert_eq!(&Set::from_json(&a.to_json()).expect("JSON of a set is a set"), &a);
            let both = a.intersection(&b);
            prop_assert_eq!(&both, &b.intersection(&a));
            prop_assert_eq!(&a.clone().union(b.clone()), &b.clone().union(a.clone()));
            prop_assert_eq!(&a.clone().difference(&b).union(both.clone()), &a);
            prop_assert!(a.clone().difference(&b).intersection(&b).is_empty());
            prop_assert!(a.clone().recursive_difference(&a).is_empty());
            prop_assert_eq!(a.paths().len(), a.len());
            prop_assert!(a.paths().iter().all(|path| a.has(path)));
            Ok(())
        })?;
    }

    #[test]
    fn merging_adds_and_never_removes(a in objects(), b in objects()) {
        with_shape(|shape| {
            let merged = shape.merge(&a, &b).expect("both are valid");
            prop_assert!(shape.validate(&merged, Duplicates::Refused).is_ok());
            prop_assert!(shape.compare(&a, &merged).expect("both are valid").removed.is_empty());
            let differs = shape.compare(&merged, &b).expect("both are valid");
            prop_assert!(differs.added.is_empty() && differs.modified.is_empty(), "{differs:?}");
            prop_assert!(equal(&shape.merge(&a, &a).expect("it is valid"), &a));
            prop_assert!(shape.compare(&a, &a).expect("it is valid").is_same());
            Ok(())
        })?;
    }

    #[test]
    fn applying_again_changes_nothing(configs in prop::collection::vec((objects(), 0..3usize), 1..6)) {
        with_shape(|shape| {
            let versions = OneVersion { api_version: "v1", shape };
            let filters = BTreeMap::new();
            let updater = Updater { versions: &versions, filters: &filters };
            let (mut live, mut managers) = (json!({}), Managers::new());
            for (mut config, who) in configs {
                // What loses all its fields or items becomes null, also where `{}` was applied: so nothing is empty here.
                config["number"] = json!(0);
                let manager = applier(&who.to_string());
                let gentle = updater.apply(&live, &config, "v1", managers.clone(), &manager, false);
                let applied = updater.apply(&live, &config, "v1", managers, &manager, true).expect("force has no conflicts");
                match gentle {
                    Ok(gentle) => prop_assert_eq!(&gentle, &applied),
                    Err(UpdateError::Conflicts(conflicts)) => prop_assert!(!conflicts.0.is_empty()),
                    Err(other) => prop_assert!(false, "{}", other),
                }
                let again = updater
                    .apply(&applied.object, &config, "v1", applied.managers.clone(), &manager, false)
                    .expect("what one owns is no conflict");
                prop_assert!(again.unchanged);
                prop_assert_eq!(&again.managers, &applied.managers);
                let differs = shape.compare(&applied.object, &config).expect("both are valid");
                prop_assert!(differs.added.is_empty() && differs.modified.is_empty(), "{:?}", differs);
                (live, managers) = (applied.object, applied.managers);
            }
            Ok(())
        })?;
    }

    #[test]
    fn updates_take_exactly_what_changed(a in objects(), b in objects()) {
        with_shape(|shape| {
            let versions = OneVersion { api_version: "v1", shape };
            let filters = BTreeMap::new();
            let updater = Updater { versions: &versions, filters: &filters };
            let (first, second) = (applier("first"), applier("second"));
            let managers = updater.update(&json!({}), &a, "v1", Managers::new(), &first).expect("both are valid");
            let managers = updater.update(&a, &b, "v1", managers, &second).expect("both are valid");
            let changes = shape.compare(&a, &b).expect("both are valid");
            let taken = changes.modified.union(changes.added);
            let fields = |manager: &Manager| managers.get(manager).map(|owned| owned.fields.clone()).unwrap_or_default();
            prop_assert_eq!(fields(&second), taken.clone());
            prop_assert!(fields(&first).intersection(&taken).is_empty());
            Ok(())
        })?;
    }
}
