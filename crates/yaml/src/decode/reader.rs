//! The walk from a tree to a JSON value.

use super::targets::Targets;
use super::{base64, go_syntax};
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::limits::{ALIAS_VISITS_HIGH, ALIAS_VISITS_LOW, MAX_DEPTH};
use crate::node::{Position, Style};
use crate::number::{shortest, shortest_32};
use crate::resolve::{Resolved, resolve, timestamp};
use crate::tree::{Readable, View};
use serde_json::{Map, Number, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

/// This many problems are named in one error; one more does not help anybody.
const MAX_PROBLEMS_TOLD: usize = 1000;

pub(super) struct Reader<'a, T> {
    root: &'a T,
    dialect: Dialect,
    strict: bool,
    /// Found when the first alias is met; most documents have none.
    targets: Option<Targets<'a, T>>,
    /// The aliases that are being expanded.
    open_aliases: Vec<*const T>,
    visits: u64,
    alias_visits: u64,
    depth: usize,
    /// What go-yaml collects instead of stopping: keys written twice, keys of a wrong kind.
    problems: Vec<(Position, String)>,
    /// What JSON does not take. That is found in a second step, keys before values, after all that YAML does not take.
    key_refused: Option<Error>,
    value_refused: Option<Error>,
}

/// The keys that a merge must not set, in go-yaml v3; all that are set so far, in Go syntax, in v2 where it is strict.
type Taken = HashSet<String>;

impl<'a, T: Readable> Reader<'a, T> {
    pub(super) fn new(root: &'a T, dialect: Dialect, strict: bool) -> Reader<'a, T> {
        Reader {
            root,
            dialect,
            strict,
            targets: None,
            open_aliases: Vec::new(),
            visits: 0,
            alias_visits: 0,
            depth: 0,
            problems: Vec::new(),
            key_refused: None,
            value_refused: None,
        }
    }

    pub(super) fn read(mut self) -> Result<Value, Error> {
        let value = self.value(self.root)?;
        if let Some((position, _)) = self.problems.first() {
            let mut message = "unmarshal errors:".to_owned();
            for (_, text) in &self.problems {
                write!(message, "\n  {text}").expect("a string takes everything");
            }
            return Err(Error::at(ErrorKind::Duplicate, *position, message));
        }
        match self.key_refused.or(self.value_refused) {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }

    fn value(&mut self, node: &'a T) -> Result<Value, Error> {
        self.count_visit(node)?;
        match node.view() {
            View::Scalar(text) => self.scalar(node, text),
            View::Alias(_) => self.expanded(node, |reader, target| reader.value(target)),
            View::Sequence(items) => {
                self.enter(node)?;
                let items = items
                    .iter()
                    .map(|item| self.value(item))
                    .collect::<Result<_, _>>()?;
                self.depth -= 1;
                Ok(Value::Array(items))
            }
            View::Mapping(entries) => {
                let mut map = Map::new();
                self.mapping(node, entries, &mut map, None)?;
                Ok(Value::Object(map))
            }
        }
    }

    fn enter(&mut self, node: &T) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("exceeded max depth of {MAX_DEPTH}");
            return Err(Error::at(ErrorKind::Limit, node.position(), message));
        }
        Ok(())
    }

    /// Counts as go-yaml does, so that it refuses the same documents.
    fn count_visit(&mut self, node: &T) -> Result<(), Error> {
        self.visits += 1;
        if self.open_aliases.is_empty() {
            return Ok(());
        }
        self.alias_visits += 1;
        if self.alias_visits > 100 && self.visits > 1000 {
            let share = self.alias_visits as f64 / self.visits as f64;
            let beyond = self.visits.clamp(ALIAS_VISITS_LOW, ALIAS_VISITS_HIGH) - ALIAS_VISITS_LOW;
            let range = (ALIAS_VISITS_HIGH - ALIAS_VISITS_LOW) as f64;
            if share > 0.99 - 0.89 * (beyond as f64 / range) {
                return Err(Error::at(
                    ErrorKind::Limit,
                    node.position(),
                    "document contains excessive aliasing",
                ));
            }
        }
        Ok(())
    }

    fn target(&mut self, alias: &'a T) -> Result<&'a T, Error> {
        let root = self.root;
        let targets = self.targets.get_or_insert_with(|| Targets::of(root));
        targets.get(alias).ok_or_else(|| {
            let name = match alias.view() {
                View::Alias(name) => name,
                _ => "",
            };
            Error::at(
                ErrorKind::Alias,
                alias.position(),
                format!("unknown anchor '{name}' referenced"),
            )
        })
    }

    fn expanded<R>(
        &mut self,
        alias: &'a T,
        read: impl FnOnce(&mut Self, &'a T) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let target = self.target(alias)?;
        let address = std::ptr::from_ref(alias);
        if self.open_aliases.contains(&address) {
            let name = match alias.view() {
                View::Alias(name) => name,
                _ => "",
            };
            let message = format!("anchor '{name}' value contains itself");
            return Err(Error::at(ErrorKind::Alias, alias.position(), message));
        }
        self.enter(alias)?;
        self.open_aliases.push(address);
        let result = read(self, target);
        self.open_aliases.pop();
        self.depth -= 1;
        result
    }

    // Scalars.

    fn scalar(&mut self, node: &T, text: &str) -> Result<Value, Error> {
        match node.tag() {
            None if node.style() == Style::Plain => self.resolved(node, text, resolve(text, self.dialect)),
            None => Ok(Value::String(text.to_owned())),
            Some("!") if self.dialect != Dialect::GoYaml11 && node.style() == Style::Plain => {
                self.resolved(node, text, resolve(text, self.dialect))
            }
            Some("!!binary") => match base64::decode(text) {
                Some(text) => Ok(Value::String(text)),
                None => {
                    let message = "!!binary value contains invalid base64 data";
                    Err(Error::at(ErrorKind::Value, node.position(), message))
                }
            },
            Some(tag @ ("!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp")) => {
                self.tagged(node, text, tag)
            }
            Some(_) => Ok(Value::String(text.to_owned())),
        }
    }

    /// A scalar whose tag says what it must be.
    fn tagged(&mut self, node: &T, text: &str, tag: &str) -> Result<Value, Error> {
        let mut resolved = resolve(text, self.dialect);
        if resolved == Resolved::Timestamp && tag != "!!timestamp" {
            resolved = Resolved::Str;
        }
        if let (Resolved::Int(int), "!!float") = (resolved, tag) {
            resolved = Resolved::Float(int as f64);
        }
        if resolved.tag() != tag {
            let message = format!("cannot decode {} `{text}` as a {tag}", resolved.tag());
            return Err(Error::at(ErrorKind::Value, node.position(), message));
        }
        self.resolved(node, text, resolved)
    }

    fn resolved(&mut self, node: &T, text: &str, resolved: Resolved) -> Result<Value, Error> {
        Ok(match resolved {
            Resolved::Null => Value::Null,
            Resolved::Bool(b) => Value::Bool(b),
            Resolved::Int(int) => Value::Number(int.into()),
            Resolved::UInt(int) => Value::Number(int.into()),
            Resolved::Float(float) => match Number::from_f64(float) {
                Some(number) => Value::Number(number),
                None => self.not_a_json_number(node, float),
            },
            Resolved::Timestamp if self.dialect == Dialect::GoYaml3 => {
                Value::String(timestamp(text).unwrap_or_else(|| text.to_owned()))
            }
            Resolved::Timestamp | Resolved::Str => Value::String(text.to_owned()),
        })
    }

    fn not_a_json_number(&mut self, node: &T, float: f64) -> Value {
        let name = match float {
            f if f.is_nan() => "NaN",
            f if f > 0.0 => "+Inf",
            _ => "-Inf",
        };
        let message = format!("json: unsupported value: {name}");
        let error = Error::at(ErrorKind::Json, node.position(), message);
        self.value_refused.get_or_insert(error);
        // As a key it is possible.
        Value::String(shortest(float))
    }

    // Mappings.

    /// Adds the entries of a mapping to a map. `taken` is what a merge must not set.
    fn mapping(
        &mut self,
        node: &'a T,
        entries: &'a [(T, T)],
        map: &mut Map<String, Value>,
        taken: Option<&mut Taken>,
    ) -> Result<(), Error> {
        self.enter(node)?;
        if self.dialect == Dialect::GoYaml11 {
            let mut own = Taken::new();
            self.entries_in_order(entries, map, taken.unwrap_or(&mut own))?;
        } else if !self.strict || self.keys_are_unique(entries) {
            self.entries_then_merge(entries, map, taken)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// go-yaml v2: each entry sets its key, whatever set it before, and a merge is like the entries it stands for.
    fn entries_in_order(
        &mut self,
        entries: &'a [(T, T)],
        map: &mut Map<String, Value>,
        set: &mut Taken,
    ) -> Result<(), Error> {
        for (key, value) in entries {
            if self.is_merge(key) {
                self.merge(value, map, Some(set))?;
                continue;
            }
            let key_value = self.key(key)?;
            let read = self.value(value)?;
            let shown = self.strict.then(|| go_syntax::of(&key_value));
            let name = match key_value {
                Value::String(name) => name,
                other => match key_text(&other, &read) {
                    Ok(name) => name,
                    Err(message) => {
                        let error = Error::at(ErrorKind::Json, key.position(), message);
                        self.key_refused.get_or_insert(error);
                        continue;
                    }
                },
            };
            if let Some(shown) = shown.filter(|shown| !set.insert(shown.clone())) {
                let text = format!("line {}: key {shown} already set in map", value.position().line);
                self.tell(value.position(), text);
                continue;
            }
            map.insert(name, read);
        }
        Ok(())
    }

    fn key(&mut self, key: &'a T) -> Result<Value, Error> {
        let refused = self.value_refused.take();
        let value = self.value(key)?;
        self.value_refused = refused;
        if value.is_array() || value.is_object() {
            let shown = self.shown(key)?;
            let message = format!("invalid map key: {shown}");
            return Err(Error::at(ErrorKind::Value, key.position(), message));
        }
        Ok(value)
    }

    /// A node's value in Go syntax, keys and all.
    fn shown(&mut self, node: &'a T) -> Result<String, Error> {
        match node.view() {
            View::Scalar(text) => Ok(go_syntax::of(&self.scalar(node, text)?)),
            View::Alias(_) => self.expanded(node, |reader, target| reader.shown(target)),
            View::Sequence(items) => {
                let items = items
                    .iter()
                    .map(|item| self.shown(item))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(format!("[]interface {{}}{{{}}}", items.join(", ")))
            }
            View::Mapping(entries) => {
                let mut shown = BTreeMap::new();
                for (key, value) in entries {
                    shown.insert(self.shown(key)?, self.shown(value)?);
                }
                let all_strings = shown.keys().all(|key| key.starts_with('"'));
                let key_type = match self.dialect {
                    Dialect::GoYaml3 | Dialect::Core12 if all_strings => "string",
                    _ => "interface {}",
                };
                let shown: Vec<String> = shown
                    .iter()
                    .map(|(key, value)| format!("{key}:{value}"))
                    .collect();
                Ok(format!("map[{key_type}]interface {{}}{{{}}}", shown.join(", ")))
            }
        }
    }

    /// go-yaml v3: an entry wins over what is merged, wherever they stand.
    fn entries_then_merge(
        &mut self,
        entries: &'a [(T, T)],
        map: &mut Map<String, Value>,
        mut taken: Option<&mut Taken>,
    ) -> Result<(), Error> {
        let mut merge = None;
        for (key, value) in entries {
            if self.is_merge(key) {
                merge = Some(value);
                continue;
            }
            if self.dialect == Dialect::GoYaml3
                && self.depth == 1
                && matches!(key.view(), View::Mapping(_) | View::Sequence(_))
            {
                let (line, tag) = (key.position().line, key.effective_tag());
                self.tell(
                    key.position(),
                    format!("line {line}: cannot unmarshal {tag} into string"),
                );
                continue;
            }
            if self.dialect == Dialect::GoYaml3 && self.depth == 1 && key.effective_tag() == "!!null" {
                // Null is no string, and kustomize reads the outermost mapping as one with strings for keys.
                continue;
            }
            let name = self.text_key(key)?;
            if taken.as_mut().is_some_and(|taken| !taken.insert(name.clone())) {
                continue;
            }
            let read = self.value(value)?;
            map.insert(name, read);
        }
        let Some(merge) = merge else {
            return Ok(());
        };
        let mut own = HashSet::new();
        let taken = match taken {
            Some(taken) => taken,
            None => {
                for (key, _) in entries {
                    own.insert(self.text_key(key)?);
                }
                &mut own
            }
        };
        self.merge(merge, map, Some(taken))
    }

    /// The key of an entry as JSON has it. Into a map whose keys are not all strings JSON does not go, in Go; the
    /// outermost mapping is read as a map of strings in kustomize, so there every key is its text.
    fn text_key(&mut self, key: &'a T) -> Result<String, Error> {
        let value = self.key(key)?;
        let scalar = match key.view() {
            View::Alias(_) => self.target(key)?,
            _ => key,
        };
        let text = scalar.text().unwrap_or_default();
        match value {
            Value::String(text) if self.dialect == Dialect::Core12 => Ok(text),
            Value::String(text)
                if matches!(scalar.effective_tag(), "!!str" | "!!binary" | "!!merge")
                    && (self.depth == 1 || scalar.effective_tag() != "!!binary") =>
            {
                Ok(text)
            }
            _ if self.dialect == Dialect::GoYaml3 && self.depth > 1 => {
                let message = "json: unsupported type: map[interface {}]interface {}";
                Err(Error::at(ErrorKind::Json, key.position(), message))
            }
            _ => Ok(text.to_owned()),
        }
    }

    fn is_merge(&self, key: &T) -> bool {
        let untagged = match self.dialect {
            // A quoted `<<` merges too in v3 where its tag is written, and in neither where it is not.
            _ if key.tag().is_none() => key.style() == Style::Plain,
            _ => matches!(key.tag(), Some("!" | "!!merge")),
        };
        untagged && key.text() == Some("<<")
    }

    fn merge(
        &mut self,
        value: &'a T,
        map: &mut Map<String, Value>,
        mut taken: Option<&mut Taken>,
    ) -> Result<(), Error> {
        match value.view() {
            View::Sequence(items) => {
                self.enter(value)?;
                // Those before win: in v3 by being first, in v2, where the last one set wins, by being last.
                let mut order: Vec<&'a T> = items.iter().collect();
                if self.dialect == Dialect::GoYaml11 {
                    order.reverse();
                }
                for item in order {
                    self.merge_one(item, map, taken.as_deref_mut())?;
                }
                self.depth -= 1;
                Ok(())
            }
            _ => self.merge_one(value, map, taken),
        }
    }

    fn merge_one(
        &mut self,
        value: &'a T,
        map: &mut Map<String, Value>,
        taken: Option<&mut Taken>,
    ) -> Result<(), Error> {
        self.count_visit(value)?;
        let wants_mapping = || {
            let message = "map merge requires map or sequence of maps as the value";
            Error::at(ErrorKind::Value, value.position(), message)
        };
        match value.view() {
            View::Mapping(entries) => self.mapping(value, entries, map, taken),
            View::Alias(_) => self.expanded(value, |reader, target| match target.view() {
                View::Mapping(entries) => {
                    reader.count_visit(target)?;
                    reader.mapping(target, entries, map, taken)
                }
                _ => Err(wants_mapping()),
            }),
            _ => Err(wants_mapping()),
        }
    }

    /// Tells of each pair of equal keys, as go-yaml v3 compares them: by their text.
    fn keys_are_unique(&mut self, entries: &'a [(T, T)]) -> bool {
        if entries.len() <= FEW_KEYS && few_keys_are_unique(entries) {
            return true;
        }
        let mut groups: HashMap<(u8, &str), Vec<usize>> = HashMap::with_capacity(entries.len());
        for (i, (key, _)) in entries.iter().enumerate() {
            let identity = identity(key);
            groups.entry(identity).or_default().push(i);
        }
        if groups.len() == entries.len() {
            return true;
        }
        let mut repeated: Vec<_> = groups
            .into_iter()
            .filter(|(_, places)| places.len() > 1)
            .collect();
        repeated.sort_by(|a, b| a.1.cmp(&b.1));
        let mut pairs: Vec<(usize, usize, &str)> = Vec::new();
        for ((_, text), places) in repeated {
            for (n, first) in places.iter().enumerate() {
                for again in &places[n + 1..] {
                    if pairs.len() < MAX_PROBLEMS_TOLD {
                        pairs.push((*first, *again, text));
                    }
                }
            }
        }
        pairs.sort_unstable();
        for (first, again, text) in pairs {
            let mut shown = String::new();
            go_syntax::quote(&mut shown, text);
            let (first, again) = (&entries[first].0.position(), &entries[again].0.position());
            let text = format!(
                "line {}: mapping key {shown} already defined at line {}",
                again.line, first.line
            );
            self.tell(*again, text);
        }
        false
    }

    fn tell(&mut self, position: Position, text: String) {
        if self.problems.len() < MAX_PROBLEMS_TOLD {
            self.problems.push((position, text));
        }
    }
}

/// Up to this many keys are compared with each other, which is faster than hashing them.
const FEW_KEYS: usize = 12;

fn few_keys_are_unique<T: Readable>(entries: &[(T, T)]) -> bool {
    let mut keys = [(0, ""); FEW_KEYS];
    entries.iter().enumerate().all(|(i, (key, _))| {
        keys[i] = identity(key);
        !keys[..i].contains(&keys[i])
    })
}

/// What go-yaml v3 compares keys by: their kind and text.
fn identity<T: Readable>(key: &T) -> (u8, &str) {
    match key.view() {
        View::Scalar(text) => (0, text),
        View::Alias(name) => (1, name),
        View::Sequence(_) => (2, ""),
        View::Mapping(_) => (3, ""),
    }
}

/// A key that is no string as sigs.k8s.io/yaml makes one of it, or what it says where it cannot.
fn key_text(key: &Value, value: &Value) -> Result<String, String> {
    let unsupported = |kind: &str, shown: &str| {
        let value = match value {
            Value::Null => "<nil>".to_owned(),
            value => go_syntax::of(value),
        };
        Err(format!(
            "unsupported map key of type: {kind}, key: {shown}, value: {value}"
        ))
    };
    match key {
        Value::Bool(b) => Ok(b.to_string()),
        Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(int), ..) => Ok(int.to_string()),
            (_, Some(int), _) => unsupported("uint64", &format!("{int:#x}")),
            (.., float) => Ok(shortest_32(float.unwrap_or_default())),
        },
        _ => unsupported("%!s(<nil>)", "<nil>"),
    }
}
