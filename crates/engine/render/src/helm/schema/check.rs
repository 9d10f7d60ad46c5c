//! Holds a value against a compiled schema.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::compare::{TYPES, duplicates, equal, has_type, type_name};
use super::compile::{Additional, Compiled, Dependency, Id, Schema};
use super::document::Draft;
use super::failure::{Failure, Kind, all_quoted, quoted, shown};
use super::json::Json;
use super::number::{Decimal, count};
use crate::limits::SCHEMA_STEPS;

/// Holds a value against a schema.
pub fn check(compiled: &Compiled, value: &Json) -> Result<(), Failure> {
    let mut checker = Checker {
        compiled,
        path: Vec::new(),
        steps: 0,
        values: 0,
    };
    let scope = Scope {
        schema: compiled.root,
        value: 0,
        keyword: "",
        parent: None,
    };
    checker.apply(&scope, value, false, false).map(|_| ())
}

struct Checker<'c> {
    compiled: &'c Compiled,
    path: Vec<String>,
    steps: usize,
    /// How many values were entered, to tell them apart in scopes.
    values: usize,
}

/// The schemas on the way to the present one.
struct Scope<'s> {
    schema: Id,
    /// Scopes with the same number look at the same value.
    value: usize,
    /// The keyword of the reference that led here.
    keyword: &'static str,
    parent: Option<&'s Scope<'s>>,
}

/// Properties and items that no keyword has looked at yet.
#[derive(Default)]
struct Unevaluated {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Unevaluated {
    fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.items.is_empty()
    }

    fn keep_common(&mut self, other: &Unevaluated) {
        self.properties.retain(|p| other.properties.contains(p));
        self.items.retain(|i| other.items.contains(i));
    }
}

/// The state of one schema at one value.
struct Here<'h> {
    scope: &'h Scope<'h>,
    value: &'h Json,
    /// Only whether it fits is asked, not why not.
    quiet: bool,
    unevaluated: Unevaluated,
    failures: Vec<Failure>,
}

impl<'c> Checker<'c> {
    fn schema(&self, id: Id) -> &'c Schema {
        &self.compiled.schemas[id]
    }

    fn failure(&self, here_quiet: bool, text: impl FnOnce() -> String) -> Failure {
        if here_quiet {
            return Failure::default();
        }
        Failure {
            path: self.path.clone(),
            kind: Kind::Text(text()),
            causes: Vec::new(),
        }
    }

    fn apply(
        &mut self,
        scope: &Scope<'_>,
        value: &Json,
        quiet: bool,
        caller_needs: bool,
    ) -> Result<Unevaluated, Failure> {
        self.steps += 1;
        if self.steps > SCHEMA_STEPS {
            return Err(self.failure(quiet, || "the schema is too expensive to check".to_owned()));
        }
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || {
            self.apply_here(scope, value, quiet, caller_needs)
        })
    }

    fn apply_here(
        &mut self,
        scope: &Scope<'_>,
        value: &Json,
        quiet: bool,
        caller_needs: bool,
    ) -> Result<Unevaluated, Failure> {
        let schema = self.schema(scope.schema);
        let mut here = Here {
            scope,
            value,
            quiet,
            unevaluated: unevaluated(value, schema, caller_needs),
            failures: Vec::new(),
        };
        match schema.boolean {
            Some(true) => return Ok(here.unevaluated),
            Some(false) => return Err(self.failure(quiet, || "false schema".to_owned())),
            None => {}
        }
        if let Some(earlier) = scope.cycle() {
            return Err(self.failure(quiet, || {
                format!(
                    "both {} and {} resolve to {} causing reference cycle",
                    self.keyword_location(scope),
                    self.keyword_location(earlier),
                    crate::helm::go::quote::quoted(&schema.location)
                )
            }));
        }
        self.check_scalar_keywords(schema, value, quiet)?;
        if let Some(target) = schema.reference {
            let outcome = self.reference(&mut here, target, "$ref");
            if schema.draft < Some(Draft::Draft2019) {
                return outcome.map(|()| here.unevaluated);
            }
            here.failures.extend(outcome.err());
        }
        match value {
            Json::Object(_) => self.object(schema, &mut here),
            Json::Array(items) => self.array(schema, &mut here, items),
            Json::String(text) => self.string(schema, &mut here, text),
            Json::Number(text) => self.number(schema, &mut here, text),
            Json::Null | Json::Bool(_) => {}
        }
        if here.failures.is_empty() || !quiet {
            self.dynamic_references(schema, &mut here);
            self.combinations(schema, &mut here);
            self.conditions(schema, &mut here);
            self.rest(schema, &mut here);
        }
        match here.failures.len() {
            0 => Ok(here.unevaluated),
            1 => Err(here.failures.remove(0)),
            _ => Err(Failure {
                path: self.path.clone(),
                kind: Kind::Group,
                causes: here.failures,
            }),
        }
    }

    /// `type`, `const`, `enum`, `format`: where one fails, nothing else is looked at.
    fn check_scalar_keywords(&self, schema: &Schema, value: &Json, quiet: bool) -> Result<(), Failure> {
        if schema.types != 0 && !has_type(schema.types, value) {
            return Err(self.failure(quiet, || {
                let wanted = TYPES
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| schema.types & (1 << i) != 0);
                let wanted: Vec<&str> = wanted.map(|(_, name)| *name).collect();
                format!("got {}, want {}", type_name(value), wanted.join(" or "))
            }));
        }
        if let Some(constant) = schema.constant.as_ref().filter(|c| !equal(value, c)) {
            return Err(self.failure(quiet, || match constant {
                Json::Array(_) | Json::Object(_) => "'const' failed".to_owned(),
                constant => format!("value must be {}", shown(constant)),
            }));
        }
        if let Some(allowed) = schema
            .enumeration
            .as_ref()
            .filter(|e| !e.iter().any(|v| equal(value, v)))
        {
            return Err(self.failure(quiet, || enumeration_text(allowed)));
        }
        if let Some(format) = schema.format
            && let Err(cause) = format.check(value)
        {
            return Err(self.failure(quiet, || {
                format!("{} is not valid {}: {cause}", shown(value), format.name())
            }));
        }
        Ok(())
    }

    fn object(&mut self, schema: &Schema, here: &mut Here<'_>) {
        let Json::Object(entries) = here.value else { return };
        let size = entries.len();
        if let Some(want) = schema.min_properties.filter(|want| size < *want) {
            self.fail(here, || range_text("minProperties", size, want));
        }
        if let Some(want) = schema.max_properties.filter(|want| size > *want) {
            self.fail(here, || range_text("maxProperties", size, want));
        }
        let missing = |names: &[String]| -> Vec<String> {
            names
                .iter()
                .filter(|n| !entries.contains_key(*n))
                .cloned()
                .collect()
        };
        let absent = missing(&schema.required);
        if !absent.is_empty() {
            self.fail(here, || {
                let noun = if absent.len() == 1 {
                    "property"
                } else {
                    "properties"
                };
                format!("missing {noun} {}", all_quoted(absent.iter().map(String::as_str)))
            });
        }
        if here.quiet && !here.failures.is_empty() {
            return;
        }
        for (name, dependency) in schema
            .dependencies
            .iter()
            .filter(|(n, _)| entries.contains_key(*n))
        {
            match dependency {
                Dependency::Required(names) => self.dependent(here, name, &missing(names)),
                Dependency::Schema(id) => self.same_value(here, *id),
            }
        }
        self.properties(schema, here);
        if let Some(names) = schema.property_names {
            for name in entries.keys() {
                self.property_name(here, names, name);
            }
        }
        for (name, id) in schema
            .dependent_schemas
            .iter()
            .filter(|(n, _)| entries.contains_key(*n))
        {
            let _ = name;
            self.same_value(here, *id);
        }
        for (name, names) in schema
            .dependent_required
            .iter()
            .filter(|(n, _)| entries.contains_key(*n))
        {
            self.dependent(here, name, &missing(names));
        }
    }

    fn dependent(&mut self, here: &mut Here<'_>, name: &str, missing: &[String]) {
        if !missing.is_empty() {
            self.fail(here, || {
                let missing = all_quoted(missing.iter().map(String::as_str));
                format!("properties {missing} required, if {} exists", quoted(name))
            });
        }
    }

    fn properties(&mut self, schema: &Schema, here: &mut Here<'_>) {
        let Json::Object(entries) = here.value else { return };
        let mut refused = Vec::new();
        for (name, value) in entries {
            if here.quiet && !here.failures.is_empty() {
                return;
            }
            let mut evaluated = false;
            if let Some(id) = schema.properties.get(name) {
                evaluated = true;
                self.inner_value(here, *id, value, name);
            }
            for (pattern, id) in &schema.pattern_properties {
                if pattern.is_match(name) {
                    evaluated = true;
                    self.inner_value(here, *id, value, name);
                }
            }
            if !evaluated && let Some(additional) = &schema.additional_properties {
                evaluated = true;
                match additional {
                    Additional::Bool(true) => {}
                    Additional::Bool(false) => refused.push(name.as_str()),
                    Additional::Schema(id) => self.inner_value(here, *id, value, name),
                }
            }
            if evaluated {
                here.unevaluated.properties.remove(name);
            }
        }
        if !refused.is_empty() {
            self.fail(here, || {
                format!("additional properties {} not allowed", all_quoted(refused))
            });
        }
    }

    /// A name is checked as a value of its own, whose paths begin anew.
    fn property_name(&mut self, here: &mut Here<'_>, id: Id, name: &str) {
        let path = std::mem::take(&mut self.path);
        self.values += 1;
        let scope = Scope {
            schema: id,
            value: self.values,
            keyword: "",
            parent: None,
        };
        let outcome = self.apply(&scope, &Json::String(name.to_owned()), here.quiet, false);
        self.path = path;
        if let Err(cause) = outcome {
            let mut failure = self.failure(here.quiet, || format!("invalid propertyName {}", quoted(name)));
            failure.causes = match cause.kind {
                Kind::Group => cause.causes,
                _ => vec![cause],
            };
            here.failures.push(failure);
        }
    }

    fn array(&mut self, schema: &Schema, here: &mut Here<'_>, items: &[Json]) {
        let size = items.len();
        if let Some(want) = schema.min_items.filter(|want| size < *want) {
            self.fail(here, || range_text("minItems", size, want));
        }
        if let Some(want) = schema.max_items.filter(|want| size > *want) {
            self.fail(here, || range_text("maxItems", size, want));
        }
        if schema.unique_items
            && let Some((first, second)) = duplicates(items)
        {
            self.fail(here, || {
                format!("items at {} and {} are equal", count(first), count(second))
            });
        }
        let listed = schema.prefix_items.len().min(size);
        for (index, id) in schema.prefix_items.iter().enumerate().take(listed) {
            self.inner_value(here, *id, &items[index], &index.to_string());
        }
        match &schema.items {
            Some(Additional::Bool(false)) if listed != size => {
                self.fail(here, || {
                    format!("last {} additionalItem(s) not allowed", count(size - listed))
                });
            }
            Some(Additional::Schema(id)) => {
                for (index, item) in items.iter().enumerate().skip(listed) {
                    self.inner_value(here, *id, item, &index.to_string());
                }
            }
            _ => {}
        }
        if let Some(contains) = schema.contains {
            self.contains(schema, here, items, contains);
        }
    }

    fn contains(&mut self, schema: &Schema, here: &mut Here<'_>, items: &[Json], contains: Id) {
        let mut matched = Vec::new();
        let before = std::mem::take(&mut here.failures);
        for (index, item) in items.iter().enumerate() {
            let failures = here.failures.len();
            self.inner_value(here, contains, item, &index.to_string());
            if here.failures.len() == failures {
                matched.push(index);
                if schema.draft >= Some(Draft::Draft2020) {
                    here.unevaluated.items.remove(&index);
                }
            }
        }
        let causes = std::mem::replace(&mut here.failures, before);
        let places = |matched: &[usize]| -> String {
            let places: Vec<String> = matched.iter().map(usize::to_string).collect();
            places.join(" ")
        };
        let found = matched.len();
        let too_few = match schema.min_contains {
            Some(want) if found < want && found == 0 => Some(format!(
                "min {} items required to match contains schema, but none matched",
                count(want)
            )),
            Some(want) if found < want => Some(format!(
                "min {} items required to match contains schema, but matched {} items at {}",
                count(want),
                count(found),
                places(&matched)
            )),
            None if found == 0 => Some("no items match contains schema".to_owned()),
            _ => None,
        };
        if let Some(text) = too_few {
            self.fail_because(here, causes, || text);
        }
        if let Some(want) = schema.max_contains.filter(|want| found > *want) {
            self.fail(here, || {
                format!(
                    "max {} items required to match contains schema, but matched {} items at {}",
                    count(want),
                    count(found),
                    places(&matched)
                )
            });
        }
    }

    fn string(&mut self, schema: &Schema, here: &mut Here<'_>, text: &str) {
        if schema.min_length.is_some() || schema.max_length.is_some() {
            let length = text.chars().count();
            if let Some(want) = schema.min_length.filter(|want| length < *want) {
                self.fail(here, || range_text("minLength", length, want));
            }
            if let Some(want) = schema.max_length.filter(|want| length > *want) {
                self.fail(here, || range_text("maxLength", length, want));
            }
        }
        if let Some((_, written)) = schema
            .pattern
            .as_ref()
            .filter(|(pattern, _)| !pattern.is_match(text))
        {
            self.fail(here, || {
                format!("{} does not match pattern {}", quoted(text), quoted(written))
            });
        }
    }

    fn number(&mut self, schema: &Schema, here: &mut Here<'_>, text: &str) {
        type Fails = fn(Ordering) -> bool;
        let Some(got) = Decimal::parse(text) else { return };
        for (name, want, fails) in [
            ("minimum", &schema.minimum, Ordering::is_lt as Fails),
            ("maximum", &schema.maximum, Ordering::is_gt),
            ("exclusiveMinimum", &schema.exclusive_minimum, Ordering::is_le),
            ("exclusiveMaximum", &schema.exclusive_maximum, Ordering::is_ge),
        ] {
            if let Some(want) = want.as_ref().filter(|want| fails(got.compare(want))) {
                self.fail(here, || {
                    format!("{name}: got {}, want {}", got.localized(), want.localized())
                });
            }
        }
        if let Some(want) = schema
            .multiple_of
            .as_ref()
            .filter(|want| !got.is_multiple_of(want))
        {
            self.fail(here, || {
                format!("multipleOf: got {}, want {}", got.localized(), want.localized())
            });
        }
    }

    fn dynamic_references(&mut self, schema: &Schema, here: &mut Here<'_>) {
        if let Some(mut target) = schema.recursive_reference {
            if self.schema(target).recursive_anchor {
                for scope in here.scope.chain() {
                    if self.schema(self.schema(scope.schema).resource).recursive_anchor {
                        target = scope.schema;
                    }
                }
            }
            let outcome = self.reference(here, target, "$recursiveRef");
            here.failures.extend(outcome.err());
        }
        if let Some((mut target, anchor)) = schema.dynamic_reference.clone() {
            if let Some(anchor) = anchor.filter(|a| self.schema(target).dynamic_anchor.as_ref() == Some(a)) {
                for scope in here.scope.chain() {
                    let resource = self.schema(self.schema(scope.schema).resource);
                    if let Some(anchored) = resource.dynamic_anchors.get(&anchor) {
                        target = *anchored;
                    }
                }
            }
            let outcome = self.reference(here, target, "$dynamicRef");
            here.failures.extend(outcome.err());
        }
    }

    fn combinations(&mut self, schema: &Schema, here: &mut Here<'_>) {
        if let Some(not) = schema.not
            && self.sub(here, not, "", true).is_ok()
        {
            self.fail(here, || "'not' failed".to_owned());
        }
        let mut causes = Vec::new();
        for id in &schema.all_of {
            causes.extend(self.sub(here, *id, "", false).err());
            if here.quiet && !causes.is_empty() {
                break;
            }
        }
        if !causes.is_empty() {
            self.fail_because(here, causes, || "'allOf' failed".to_owned());
        }
        if !schema.any_of.is_empty() {
            self.any_of(schema, here);
        }
        if !schema.one_of.is_empty() {
            self.one_of(schema, here);
        }
    }

    fn any_of(&mut self, schema: &Schema, here: &mut Here<'_>) {
        let mut causes = Vec::new();
        let mut matched = false;
        for id in &schema.any_of {
            match self.sub(here, *id, "", false) {
                Err(cause) => causes.push(cause),
                Ok(()) => {
                    matched = true;
                    // What is unevaluated must be found out by all of them.
                    if here.unevaluated.is_empty() {
                        break;
                    }
                }
            }
        }
        if !matched {
            self.fail_because(here, causes, || "'anyOf' failed".to_owned());
        }
    }

    fn one_of(&mut self, schema: &Schema, here: &mut Here<'_>) {
        let mut causes = Vec::new();
        let mut matched = None;
        for (index, id) in schema.one_of.iter().enumerate() {
            match (self.sub(here, *id, "", matched.is_some()), matched) {
                (Err(cause), None) => causes.push(cause),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => matched = Some(index),
                (Ok(()), Some(first)) => {
                    self.fail(here, || {
                        format!(
                            "'oneOf' failed, subschemas {}, {} matched",
                            count(first),
                            count(index)
                        )
                    });
                    break;
                }
            }
        }
        if matched.is_none() {
            self.fail_because(here, causes, || "'oneOf' failed, none matched".to_owned());
        }
    }

    fn conditions(&mut self, schema: &Schema, here: &mut Here<'_>) {
        let Some(condition) = schema.condition else { return };
        let branch = if self.sub(here, condition, "", true).is_ok() {
            schema.then
        } else {
            schema.otherwise
        };
        if let Some(branch) = branch {
            self.same_value(here, branch);
        }
    }

    /// `unevaluatedProperties`, `unevaluatedItems`
    fn rest(&mut self, schema: &Schema, here: &mut Here<'_>) {
        if let (Some(id), Json::Object(entries)) = (schema.unevaluated_properties, here.value) {
            for name in std::mem::take(&mut here.unevaluated.properties) {
                if let Some(value) = entries.get(&name) {
                    self.inner_value(here, id, value, &name);
                }
            }
        }
        if let (Some(id), Json::Array(items)) = (schema.unevaluated_items, here.value) {
            for index in std::mem::take(&mut here.unevaluated.items) {
                self.inner_value(here, id, &items[index], &index.to_string());
            }
        }
    }

    fn reference(&mut self, here: &mut Here<'_>, target: Id, keyword: &'static str) -> Result<(), Failure> {
        self.sub(here, target, keyword, false).map_err(|cause| Failure {
            path: self.path.clone(),
            kind: Kind::Reference,
            causes: match cause.kind {
                Kind::Group => cause.causes,
                _ => vec![cause],
            },
        })
    }

    /// Another schema at the same value.
    fn sub(
        &mut self,
        here: &mut Here<'_>,
        id: Id,
        keyword: &'static str,
        quiet: bool,
    ) -> Result<(), Failure> {
        let scope = Scope {
            schema: id,
            value: here.scope.value,
            keyword,
            parent: Some(here.scope),
        };
        let needs = !here.unevaluated.is_empty();
        let evaluated = self.apply(&scope, here.value, here.quiet || quiet, needs)?;
        here.unevaluated.keep_common(&evaluated);
        Ok(())
    }

    fn same_value(&mut self, here: &mut Here<'_>, id: Id) {
        let outcome = self.sub(here, id, "", false);
        here.failures.extend(outcome.err());
    }

    fn inner_value(&mut self, here: &mut Here<'_>, id: Id, value: &Json, token: &str) {
        self.values += 1;
        let scope = Scope {
            schema: id,
            value: self.values,
            keyword: "",
            parent: Some(here.scope),
        };
        self.path.push(token.to_owned());
        let outcome = self.apply(&scope, value, here.quiet, false);
        self.path.pop();
        here.failures.extend(outcome.err());
    }

    fn fail(&mut self, here: &mut Here<'_>, text: impl FnOnce() -> String) {
        self.fail_because(here, Vec::new(), text);
    }

    fn fail_because(&mut self, here: &mut Here<'_>, causes: Vec<Failure>, text: impl FnOnce() -> String) {
        let mut failure = self.failure(here.quiet, text);
        failure.causes = causes;
        here.failures.push(failure);
    }

    /// The keywords that led to a schema, as a JSON pointer.
    fn keyword_location(&self, scope: &Scope<'_>) -> String {
        let mut parts = Vec::new();
        let mut scope = scope;
        while let Some(parent) = scope.parent {
            if scope.keyword.is_empty() {
                let here = &self.schema(scope.schema).location;
                let above = &self.schema(parent.schema).location;
                parts.push(here.strip_prefix(above.as_str()).unwrap_or_default().to_owned());
            } else {
                parts.push(format!("/{}", scope.keyword));
            }
            scope = parent;
        }
        parts.into_iter().rev().collect()
    }
}

impl<'s> Scope<'s> {
    /// This scope and those around it, from the inside.
    fn chain(&self) -> impl Iterator<Item = &Scope<'s>> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }

    /// The scope in which the same schema looks at the same value already.
    fn cycle(&self) -> Option<&Scope<'s>> {
        self.chain()
            .skip(1)
            .take_while(|scope| scope.value == self.value)
            .find(|scope| scope.schema == self.schema)
    }
}

fn unevaluated(value: &Json, schema: &Schema, caller_needs: bool) -> Unevaluated {
    let mut all = Unevaluated::default();
    match value {
        Json::Object(entries)
            if schema.additional_properties.is_none()
                && (caller_needs || schema.unevaluated_properties.is_some()) =>
        {
            all.properties = entries.keys().cloned().collect();
        }
        Json::Array(items)
            if schema.items.is_none() && (caller_needs || schema.unevaluated_items.is_some()) =>
        {
            all.items = (schema.prefix_items.len()..items.len()).collect();
        }
        _ => {}
    }
    all
}

fn range_text(keyword: &str, got: usize, want: usize) -> String {
    format!("{keyword}: got {}, want {}", count(got), count(want))
}

fn enumeration_text(allowed: &[Json]) -> String {
    if allowed
        .iter()
        .any(|v| matches!(v, Json::Array(_) | Json::Object(_)))
    {
        return "'enum' failed".to_owned();
    }
    let all: Vec<String> = allowed.iter().map(shown).collect();
    match &all[..] {
        [one] => format!("value must be {one}"),
        all => format!("value must be one of {}", all.join(", ")),
    }
}
