//! Holding values against a schema, with the texts of `kube-openapi/pkg/validation`.

use serde_json::{Map, Value};

use super::{Additional, Finding, FindingKind, Structural, formats};

/// Where upstream has no path.
const NO_PATH: &str = "<nil>";

impl Structural {
    /// What is wrong with an object. `old` is what is stored already: parts that did not change are not judged again, so
    /// that a definition can become stricter (`ratcheting.go`).
    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<Finding> {
        let mut outcome = Outcome::default();
        schema(self, object, old, "", &mut outcome);
        let mut findings: Vec<Finding> = outcome.faults.into_iter().map(Fault::into_finding).collect();
        embedded_objects(self, object, "", &mut findings);
        let lists = |object: &Value| {
            let mut findings = Vec::new();
            unique_items(self, object, "", &mut findings);
            findings
        };
        let wrong = lists(object);
        if !wrong.is_empty() && old.is_none_or(|old| lists(old).is_empty()) {
            findings.extend(wrong);
        }
        findings
    }

    /// The same for one field of an object alone (`status`, where it is written on its own).
    pub fn validate_field(&self, name: &str, object: &Value, old: &Value) -> Vec<Finding> {
        let (Some(below), Some(value)) = (self.field(name), object.get(name)) else {
            return Vec::new();
        };
        let mut outcome = Outcome::default();
        schema(below, value, old.get(name), name, &mut outcome);
        let mut findings: Vec<Finding> = outcome.faults.into_iter().map(Fault::into_finding).collect();
        embedded_objects(below, value, name, &mut findings);
        unique_items(below, value, name, &mut findings);
        findings
    }

    /// What is wrong with a value below an object, at a path.
    pub(super) fn validate_below(&self, value: &Value, path: &str) -> Vec<Finding> {
        let mut outcome = Outcome::default();
        schema(self, value, None, path, &mut outcome);
        outcome.faults.into_iter().map(Fault::into_finding).collect()
    }
}

/// A mistake, and what decides which schema of several fits best.
#[derive(Default)]
struct Outcome {
    faults: Vec<Fault>,
    matches: usize,
}

impl Outcome {
    fn merge(&mut self, other: Outcome) {
        self.faults.extend(other.faults);
        self.matches += other.matches;
    }
}

struct Fault {
    kind: FindingKind,
    /// None for what upstream says about a value as a whole.
    path: Option<String>,
    value: Option<Value>,
    text: String,
}

impl Fault {
    fn into_finding(self) -> Finding {
        let path = self.path.map(|path| path.trim_start_matches('.').to_owned());
        let path = path
            .filter(|path| !path.is_empty())
            .unwrap_or_else(|| NO_PATH.to_owned());
        Finding::new(self.kind, path, self.value, self.text)
    }
}

impl Outcome {
    fn add(&mut self, kind: FindingKind, path: &str, value: Option<Value>, text: String) {
        self.faults.push(Fault {
            kind,
            path: Some(path.to_owned()),
            value,
            text,
        });
    }

    fn add_whole(&mut self, text: String) {
        self.faults.push(Fault {
            kind: FindingKind::Invalid,
            path: None,
            value: Some(Value::String(String::new())),
            text,
        });
    }

    /// `spec.size in body must be of type integer: "string"`
    fn wrong_type(&mut self, path: &str, wanted: &str, found: &str) {
        let text = format!("{path} in body must be of type {wanted}: {found:?}");
        self.add(FindingKind::TypeInvalid, path, Some(Value::from(found)), text);
    }
}

fn schema(schema: &Structural, value: &Value, old: Option<&Value>, path: &str, outcome: &mut Outcome) {
    // The root is always judged: unchanged objects never come here.
    if !path.is_empty() && old == Some(value) {
        return;
    }
    if value.is_null() {
        check_type(schema, value, path, outcome);
        check_values(schema, value, path, outcome);
        return;
    }
    if has_type(schema) || !schema.limits.format.is_empty() {
        check_type(schema, value, path, outcome);
    }
    check_branches(schema, value, path, outcome);
    match value {
        Value::String(text) => {
            check_text(schema, text, path, outcome);
            check_format(schema, text, path, outcome);
        }
        Value::Number(_) => check_number(schema, value, path, outcome),
        Value::Array(items) => check_list(schema, items, old, path, outcome),
        Value::Object(fields) => check_object(schema, fields, old, path, outcome),
        _ => {}
    }
    check_values(schema, value, path, outcome);
    outcome.matches += 2;
}

fn has_type(schema: &Structural) -> bool {
    !schema.r#type.is_empty() || schema.int_or_string
}

/// What Go calls the type of a value, and its format.
fn type_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_f64() => ("number", "float64"),
        Value::Number(_) => ("integer", "int64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}

fn check_type(schema: &Structural, value: &Value, path: &str, outcome: &mut Outcome) {
    let wanted: &[&str] = match schema.r#type.as_str() {
        "" if schema.int_or_string => &["integer", "string"],
        "" => &[],
        r#type => &[r#type],
    };
    let (found, format) = type_of(value);
    if value.is_null() {
        if !wanted.is_empty() && !schema.nullable {
            outcome.wrong_type(path, &wanted.join(","), found);
        } else {
            outcome.matches += 1;
        }
        return;
    }
    let has = |name: &str| wanted.contains(&name);
    let whole = found == "number" && value.as_f64().is_some_and(|f| f.fract() == 0.0) && has("integer");
    let fits = has(found) || whole || (found == "integer" && has("number"));
    let wanted_format = formats::known(&schema.limits.format);
    let formatted = matches!(found, "string" | "array");
    if let Some(name) = wanted_format {
        if !formatted && !fits && format != name {
            outcome.wrong_type(path, name, format);
            return;
        }
        if formatted && !has("number") && !has("integer") {
            outcome.matches += 1;
            return;
        }
    }
    if fits || wanted.is_empty() {
        outcome.matches += 1;
    } else {
        outcome.wrong_type(path, &wanted.join(","), found);
    }
}

fn check_values(schema: &Structural, value: &Value, path: &str, outcome: &mut Outcome) {
    let values = &schema.limits.values;
    if values.is_empty() || values.iter().any(|known| same(known, value)) {
        outcome.matches += 1;
        return;
    }
    let shown: Vec<String> = values
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    let quoted: Vec<String> = shown.iter().map(|text| format!("{text:?}")).collect();
    let detail = format!("supported values: {}", quoted.join(", "));
    outcome.add(FindingKind::NotSupported, path, Some(value.clone()), detail);
}

/// Numbers are the same however they are written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn check_text(schema: &Structural, text: &str, path: &str, outcome: &mut Outcome) {
    let limits = &schema.limits;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let value = || Some(Value::from(text));
    if let Some(max) = limits.max_length.filter(|max| length > *max) {
        let detail = format!("may not be more than {max} bytes");
        outcome.add(FindingKind::TooLong, path, None, detail);
    } else if let Some(min) = limits.min_length.filter(|min| length < *min) {
        let text = format!("{path} in body should be at least {min} chars long");
        outcome.add(FindingKind::Invalid, path, value(), text);
    } else if let Some(pattern) = limits.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
        let text = format!("{path} in body should match '{}'", pattern.text);
        outcome.add(FindingKind::Invalid, path, value(), text);
    } else {
        outcome.matches += 1;
    }
}

fn check_format(schema: &Structural, text: &str, path: &str, outcome: &mut Outcome) {
    let Some(name) = formats::known(&schema.limits.format) else {
        return;
    };
    if formats::matches(name, text) {
        outcome.matches += 1;
        return;
    }
    let message = format!("{path} in body must be of type {name}: {text:?}");
    outcome.add(FindingKind::TypeInvalid, path, Some(Value::from(text)), message);
}

fn check_number(schema: &Structural, value: &Value, path: &str, outcome: &mut Outcome) {
    let limits = &schema.limits;
    let Some(number) = value.as_f64() else { return };
    let before = outcome.faults.len();
    // A limit of an integer is itself cut to an integer.
    let bound = |limit: f64| if value.is_f64() { limit } else { limit.trunc() };
    let mut wrong = |text: String| outcome.add(FindingKind::Invalid, path, Some(value.clone()), text);
    if let Some(factor) = limits.multiple_of {
        let factor = bound(factor);
        let quotient = number / factor;
        if factor <= 0.0 {
            wrong(format!(
                "factor MultipleOf declared for {path} must be positive: {}",
                shown(factor)
            ));
        } else if quotient.fract() != 0.0 {
            wrong(format!(
                "{path} in body should be a multiple of {}",
                shown(factor)
            ));
        }
    }
    if let Some(max) = limits.maximum.map(bound) {
        if limits.exclusive_maximum && number >= max {
            wrong(format!("{path} in body should be less than {}", shown(max)));
        } else if !limits.exclusive_maximum && number > max {
            wrong(format!(
                "{path} in body should be less than or equal to {}",
                shown(max)
            ));
        }
    }
    if let Some(min) = limits.minimum.map(bound) {
        if limits.exclusive_minimum && number <= min {
            wrong(format!("{path} in body should be greater than {}", shown(min)));
        } else if !limits.exclusive_minimum && number < min {
            wrong(format!(
                "{path} in body should be greater than or equal to {}",
                shown(min)
            ));
        }
    }
    if outcome.faults.len() == before {
        outcome.matches += 1;
    }
}

/// A float as Go's `%v` writes it.
fn shown(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    float.to_string()
}

fn check_list(schema: &Structural, items: &[Value], old: Option<&Value>, path: &str, outcome: &mut Outcome) {
    if let Some(item_schema) = &schema.items {
        for (place, item) in items.iter().enumerate() {
            let old = old_item(schema, item, old);
            self::schema(item_schema, item, old, &format!("{path}[{place}]"), outcome);
        }
    }
    let limits = &schema.limits;
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(min) = limits.min_items.filter(|min| count < *min) {
        let text = format!("{path} in body should have at least {min} items");
        outcome.add(FindingKind::Invalid, path, Some(Value::from(count)), text);
    }
    if let Some(max) = limits.max_items.filter(|max| count > *max) {
        let text = format!("must have at most {max} items");
        outcome.add(FindingKind::TooMany, path, Some(Value::from(count)), text);
    }
    outcome.matches += 1;
}

/// The item of the old list with the same keys: only lists of type `map` have that.
fn old_item<'o>(schema: &Structural, item: &Value, old: Option<&'o Value>) -> Option<&'o Value> {
    if schema.list_type.as_deref() != Some("map") {
        return None;
    }
    let keys = &schema.list_map_keys;
    let same_keys = |other: &&Value| keys.iter().all(|key| other.get(key) == item.get(key));
    old?.as_array()?.iter().find(same_keys)
}

fn check_object(
    schema: &Structural,
    fields: &Map<String, Value>,
    old: Option<&Value>,
    path: &str,
    outcome: &mut Outcome,
) {
    let limits = &schema.limits;
    let count = i64::try_from(fields.len()).unwrap_or(i64::MAX);
    if let Some(min) = limits.min_properties.filter(|min| count < *min) {
        let text = format!("{path} in body should have at least {min} properties");
        outcome.add(FindingKind::Invalid, path, Some(Value::from(count)), text);
    }
    if let Some(max) = limits.max_properties.filter(|max| count > *max) {
        let text = format!("must have at most {max} items");
        outcome.add(FindingKind::TooMany, path, Some(Value::from(count)), text);
    }
    let old_field = |name: &str| old.and_then(|old| old.get(name));
    for (name, value) in fields {
        if let Some(property) = schema.properties.get(name) {
            let below = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            self::schema(property, value, old_field(name), &below, outcome);
            continue;
        }
        match &schema.additional {
            Some(Additional::Any(false)) => {
                let text = format!("{path}.{name} in body is a forbidden property");
                outcome.add(
                    FindingKind::Invalid,
                    &format!("{path}.{name}"),
                    Some(Value::from("")),
                    text,
                );
            }
            Some(Additional::Schema(additional)) => {
                self::schema(
                    additional,
                    value,
                    old_field(name),
                    &format!("{path}.{name}"),
                    outcome,
                );
            }
            _ => {}
        }
    }
    for name in limits.required.iter().filter(|name| !fields.contains_key(*name)) {
        outcome.add(
            FindingKind::Required,
            &format!("{path}.{name}"),
            None,
            String::new(),
        );
    }
}

fn check_branches(schema: &Structural, value: &Value, path: &str, outcome: &mut Outcome) {
    let limits = &schema.limits;
    let judge = |branch: &Structural| {
        let mut outcome = Outcome::default();
        self::schema(branch, value, None, path, &mut outcome);
        outcome
    };
    if !limits.any_of.is_empty() {
        any_of(limits.any_of.iter().map(judge), path, outcome);
    }
    if !limits.one_of.is_empty() {
        one_of(limits.one_of.iter().map(judge), path, outcome);
    }
    if !limits.all_of.is_empty() {
        all_of(limits.all_of.iter().map(judge), path, outcome);
    }
    if limits
        .not
        .as_deref()
        .is_some_and(|not| judge(not).faults.is_empty())
    {
        outcome.add_whole(format!("{path:?} must not validate the schema (not)"));
    }
    outcome.matches += 1;
}

/// The failure that went furthest, the first of equals.
fn best(failures: Vec<Outcome>) -> Option<Outcome> {
    failures
        .into_iter()
        .reduce(|best, next| if next.matches > best.matches { next } else { best })
}

fn any_of(branches: impl Iterator<Item = Outcome>, path: &str, outcome: &mut Outcome) {
    let mut failures = Vec::new();
    for branch in branches {
        if branch.faults.is_empty() {
            outcome.merge(branch);
            return;
        }
        failures.push(branch);
    }
    outcome.add_whole(format!("{path:?} must validate at least one schema (anyOf)"));
    outcome.merge(best(failures).unwrap_or_default());
}

fn one_of(branches: impl Iterator<Item = Outcome>, path: &str, outcome: &mut Outcome) {
    let (mut fitting, failures): (Vec<Outcome>, Vec<Outcome>) =
        branches.partition(|branch| branch.faults.is_empty());
    let text = format!("{path:?} must validate one and only one schema (oneOf).");
    match fitting.len() {
        1 => outcome.merge(fitting.remove(0)),
        0 => {
            outcome.add_whole(format!("{text} Found none valid"));
            outcome.merge(best(failures).unwrap_or_default());
        }
        count => outcome.add_whole(format!("{text} Found {count} valid alternatives")),
    }
}

fn all_of(branches: impl Iterator<Item = Outcome>, path: &str, outcome: &mut Outcome) {
    let (mut all, mut fitting) = (0, 0);
    for branch in branches {
        all += 1;
        fitting += usize::from(branch.faults.is_empty());
        outcome.merge(branch);
    }
    if fitting != all {
        let none = if fitting == 0 { ". None validated" } else { "" };
        outcome.add_whole(format!("{path:?} must validate all the schemas (allOf){none}"));
    }
}

/// Objects inside objects say what they are (`schema/objectmeta/validation.go`).
fn embedded_objects(schema: &Structural, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    match value {
        Value::Object(fields) => {
            if schema.embedded && !path.is_empty() {
                for name in ["apiVersion", "kind"] {
                    let path = format!("{path}.{name}");
                    match fields.get(name).and_then(Value::as_str) {
                        None => findings.push(Finding::required(path, "")),
                        Some("") => findings.push(Finding::invalid(path, "", "must not be empty")),
                        Some(_) => {}
                    }
                }
            }
            for (name, value) in fields {
                let Some(below) = schema.field(name) else { continue };
                let known = schema.properties.contains_key(name);
                embedded_objects(below, value, &join(path, name, known), findings);
            }
        }
        Value::Array(items) => {
            let Some(below) = &schema.items else { return };
            for (place, item) in items.iter().enumerate() {
                embedded_objects(below, item, &format!("{path}[{place}]"), findings);
            }
        }
        _ => {}
    }
}

/// Known fields follow a dot, others stand in brackets.
fn join(path: &str, name: &str, known: bool) -> String {
    match (path, known) {
        (_, false) => format!("{path}[{name}]"),
        ("", true) => name.to_owned(),
        (_, true) => format!("{path}.{name}"),
    }
}

/// Lists of type `set` and `map` have no item twice (`schema/listtype/validation.go`).
fn unique_items(schema: &Structural, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let Some(below) = schema.field(name) else { continue };
                let known = schema.properties.contains_key(name);
                unique_items(below, value, &join(path, name, known), findings);
            }
        }
        Value::Array(items) => {
            match schema.list_type.as_deref() {
                Some("set") => second_of_equals(items.clone(), path, findings),
                Some("map") => unique_keys(schema, items, path, findings),
                _ => {}
            }
            let Some(below) = &schema.items else { return };
            for (place, item) in items.iter().enumerate() {
                unique_items(below, item, &format!("{path}[{place}]"), findings);
            }
        }
        _ => {}
    }
}

fn unique_keys(schema: &Structural, items: &[Value], path: &str, findings: &mut Vec<Finding>) {
    if let Some(place) = items.iter().position(|item| !item.is_object() && !item.is_null()) {
        let detail = "must be an object for an array of list-type map";
        findings.push(Finding::invalid(
            format!("{path}[{place}]"),
            items[place].clone(),
            detail,
        ));
        return;
    }
    let keys = items
        .iter()
        .map(|item| {
            let named = schema
                .list_map_keys
                .iter()
                .filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
            Value::Object(named.collect())
        })
        .collect();
    second_of_equals(keys, path, findings);
}

/// Each value that is there twice or more is told once, where it stands for the second time.
fn second_of_equals(values: Vec<Value>, path: &str, findings: &mut Vec<Finding>) {
    let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for (place, value) in values.into_iter().enumerate() {
        let times = seen.entry(value.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            findings.push(Finding::new(
                FindingKind::Duplicate,
                format!("{path}[{place}]"),
                Some(value),
                "",
            ));
        }
    }
}
