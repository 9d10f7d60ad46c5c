//! Schemas made ready for checking: keywords looked up once, references resolved, patterns compiled.

use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use super::document::{Document, Draft};
use super::failure;
use super::format::Format;
use super::json::{Json, escaped};
use super::number::Decimal;
use super::{check, compare, obvious, pattern, url};
use crate::helm::go::quote::quoted;

/// The number of a schema in [`Compiled`].
pub type Id = usize;

/// A schema and all that it refers to.
pub struct Compiled {
    /// The schemas by number.
    pub schemas: Vec<Schema>,
    /// The one that was asked for.
    pub root: Id,
}

/// What an additional item or property must be.
pub enum Additional {
    /// Anything, or nothing.
    Bool(bool),
    /// What this schema says.
    Schema(Id),
}

/// What a property asks of others.
pub enum Dependency {
    /// That these are there.
    Required(Vec<String>),
    /// That the whole fits this schema.
    Schema(Id),
}

/// One schema. Absent keywords are `None` or empty.
#[derive(Default)]
#[allow(missing_docs)]
pub struct Schema {
    pub location: String,
    /// The document and the place in it.
    place: (String, String),
    pub draft: Option<Draft>,
    pub resource: Id,
    pub dynamic_anchors: BTreeMap<String, Id>,
    pub boolean: Option<bool>,
    pub types: u8,
    pub constant: Option<Json>,
    pub enumeration: Option<Vec<Json>>,
    pub format: Option<Format>,
    pub reference: Option<Id>,
    pub recursive_reference: Option<Id>,
    pub recursive_anchor: bool,
    pub dynamic_reference: Option<(Id, Option<String>)>,
    pub dynamic_anchor: Option<String>,
    pub all_of: Vec<Id>,
    pub any_of: Vec<Id>,
    pub one_of: Vec<Id>,
    pub not: Option<Id>,
    pub condition: Option<Id>,
    pub then: Option<Id>,
    pub otherwise: Option<Id>,
    pub min_properties: Option<usize>,
    pub max_properties: Option<usize>,
    pub required: Vec<String>,
    pub properties: BTreeMap<String, Id>,
    pub pattern_properties: Vec<(Regex, Id)>,
    pub additional_properties: Option<Additional>,
    pub property_names: Option<Id>,
    pub dependencies: BTreeMap<String, Dependency>,
    pub dependent_schemas: BTreeMap<String, Id>,
    pub dependent_required: BTreeMap<String, Vec<String>>,
    pub unevaluated_properties: Option<Id>,
    pub min_items: Option<usize>,
    pub max_items: Option<usize>,
    pub unique_items: bool,
    pub contains: Option<Id>,
    pub min_contains: Option<usize>,
    pub max_contains: Option<usize>,
    /// `prefixItems`, or `items` as a list.
    pub prefix_items: Vec<Id>,
    /// `items` as one schema, or `additionalItems`.
    pub items: Option<Additional>,
    pub unevaluated_items: Option<Id>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    /// The compiled pattern, and as it is written.
    pub pattern: Option<(Regex, String)>,
    pub minimum: Option<Decimal>,
    pub maximum: Option<Decimal>,
    pub exclusive_minimum: Option<Decimal>,
    pub exclusive_maximum: Option<Decimal>,
    pub multiple_of: Option<Decimal>,
}

/// Compiles the schema at a URL. The texts of errors are those of santhosh-tekuri/jsonschema.
pub fn compile(url: &str, json: Json, warnings: &mut Vec<String>) -> Result<Compiled, String> {
    Compiler::new(Some((url, json)), false, warnings).run(url)
}

fn compile_metaschema(draft: Draft, warnings: &mut Vec<String>) -> Result<Compiled, String> {
    Compiler::new(None, true, warnings).run(draft.url())
}

/// What the metaschema of a draft says against a schema.
#[cfg(test)]
pub fn metaschema_refuses(schema: &Json, draft: Draft) -> Option<String> {
    let compiled = compile_metaschema(draft, &mut Vec::new()).expect("a metaschema is one");
    let refused = check::check(&compiled, schema).err()?;
    Some(failure::text(&refused, draft.url()))
}

struct Compiler<'w> {
    given: BTreeMap<String, Json>,
    documents: BTreeMap<String, Document>,
    schemas: Vec<Schema>,
    places: HashMap<(String, String), Id>,
    metaschemas: Vec<(Draft, Compiled)>,
    /// The patterns met so far: each is looked at by the metaschema's rules and by the schema that has it.
    patterns: HashMap<String, Regex>,
    /// Metaschemas check formats whatever their draft.
    asserts_format: bool,
    warnings: &'w mut Vec<String>,
}

/// The published metaschemas, one a line: URL, blank, JSON.
const METASCHEMAS: &str = include_str!("meta/metaschemas.txt");

impl<'w> Compiler<'w> {
    fn new(given: Option<(&str, Json)>, asserts_format: bool, warnings: &'w mut Vec<String>) -> Compiler<'w> {
        Compiler {
            given: given
                .into_iter()
                .map(|(url, json)| (url.to_owned(), json))
                .collect(),
            documents: BTreeMap::new(),
            schemas: Vec::new(),
            places: HashMap::new(),
            metaschemas: Vec::new(),
            patterns: HashMap::new(),
            asserts_format,
            warnings,
        }
    }

    fn run(mut self, url: &str) -> Result<Compiled, String> {
        self.load(url)?;
        let root = self.schema_at(url, "");
        let mut next = 0;
        while next < self.schemas.len() {
            self.compile_one(next)?;
            next += 1;
        }
        Ok(Compiled {
            schemas: self.schemas,
            root,
        })
    }

    /// The number of the schema at a place; it is compiled when its turn comes.
    fn schema_at(&mut self, url: &str, pointer: &str) -> Id {
        let place = (url.to_owned(), pointer.to_owned());
        if let Some(id) = self.places.get(&place) {
            return *id;
        }
        let id = self.schemas.len();
        self.schemas.push(Schema {
            location: format!("{url}#{}", url::encoded(pointer)),
            place: place.clone(),
            ..Schema::default()
        });
        self.places.insert(place, id);
        id
    }

    fn load(&mut self, url: &str) -> Result<(), String> {
        if self.documents.contains_key(url) {
            return Ok(());
        }
        let json = self.fetch(url)?;
        let mut visiting = vec![url.to_owned()];
        let document = Document::new(url, json, &mut |named| self.draft_of(named, &mut visiting))?;
        let is_published =
            url.starts_with("http://json-schema.org/") || url.starts_with("https://json-schema.org/");
        if !is_published {
            self.check_against_metaschema(&document, "")?;
        }
        self.documents.insert(url.to_owned(), document);
        Ok(())
    }

    fn fetch(&mut self, url: &str) -> Result<Json, String> {
        if let Some(json) = self.given.get(url) {
            return Ok(json.clone());
        }
        let published = METASCHEMAS
            .lines()
            .find_map(|line| line.split_once(' ').filter(|(known, _)| *known == url));
        if let Some((_, json)) = published {
            return Json::parse(json.as_bytes());
        }
        let cause = match url::scheme(url) {
            Some("urn") => {
                self.warnings.push(format!(
                    "level=WARN msg=\"unresolved URN reference ignored; using permissive schema\" urn={url}"
                ));
                return Ok(Json::Bool(true));
            }
            Some("file") => {
                let path = url.trim_start_matches("file://");
                format!("open {path}: no such file or directory")
            }
            Some("http" | "https") => {
                format!("HTTP request failed for {url}: a renderer opens no connections")
            }
            _ => format!("no URLLoader registered for {}", quoted(url)),
        };
        Err(format!("failing loading {}: {cause}", quoted(url)))
    }

    /// The draft behind a `$schema`; one of one's own is followed to the draft that it is written in.
    fn draft_of(&mut self, named: &str, visiting: &mut Vec<String>) -> Result<Draft, String> {
        if let Some(draft) = Draft::from_url(named) {
            return Ok(draft);
        }
        let (target, _) = url::split(named);
        if visiting.len() == 1 && visiting[0] == target {
            return Err(format!("draft {} is not supported", quoted(target)));
        }
        if visiting[1..].iter().any(|v| v == target) {
            return Err(format!("cycle in resolving $schema in {}", quoted(target)));
        }
        let json = self.fetch(target)?;
        visiting.push(target.to_owned());
        let next = json
            .as_object()
            .and_then(|o| o.get("$schema"))
            .and_then(Json::as_str);
        let draft = match next {
            Some(next) => self.draft_of(next, visiting),
            None => Ok(Draft::Draft2020),
        };
        visiting.pop();
        draft
    }

    fn check_against_metaschema(&mut self, document: &Document, pointer: &str) -> Result<(), String> {
        let draft = document.resource(pointer).draft;
        let schema = document.json.at(pointer).unwrap_or(&Json::Null);
        if obvious::is_valid(schema, draft, &mut |text| self.pattern(text).is_ok()) {
            return Ok(());
        }
        let known = self.metaschemas.iter().position(|(d, _)| *d == draft);
        let known = match known {
            Some(known) => known,
            None => {
                let compiled = compile_metaschema(draft, self.warnings)?;
                self.metaschemas.push((draft, compiled));
                self.metaschemas.len() - 1
            }
        };
        check::check(&self.metaschemas[known].1, schema).map_err(|failure| {
            let place = format!("{}#{}", document.url, url::encoded(pointer));
            let text = failure::text(&failure, &format!("{}#", draft.url()));
            format!("{} is not valid against metaschema: {text}", quoted(&place))
        })
    }

    fn pattern(&mut self, written: &str) -> Result<Regex, String> {
        if let Some(known) = self.patterns.get(written) {
            return Ok(known.clone());
        }
        let compiled = pattern::compile(written)?;
        self.patterns.insert(written.to_owned(), compiled.clone());
        Ok(compiled)
    }

    /// Looks through a place that is no schema by its keywords, but is referred to as one.
    fn ensure_known(&mut self, url: &str, pointer: &str) -> Result<(), String> {
        self.load(url)?;
        if self.documents.get(url).is_some_and(|d| d.is_known(pointer)) {
            return Ok(());
        }
        let Some(mut document) = self.documents.remove(url) else {
            return Ok(());
        };
        let outcome = if document.json.at(pointer).is_none() {
            let place = format!("{url}#{}", url::encoded(pointer));
            Err(format!("json-pointer in {} not found", quoted(&place)))
        } else {
            let mut visiting = vec![url.to_owned()];
            document
                .add(pointer, &mut |named| self.draft_of(named, &mut visiting))
                .and_then(|()| self.check_against_metaschema(&document, pointer))
        };
        self.documents.insert(url.to_owned(), document);
        outcome
    }

    fn compile_one(&mut self, id: Id) -> Result<(), String> {
        let (url, pointer) = self.schemas[id].place.clone();
        self.ensure_known(&url, &pointer)?;
        let document = self.documents.get(&url).expect("it was loaded a line above");
        let resource = document.resource(&pointer).clone();
        let json = document.json.at(&pointer).cloned().unwrap_or(Json::Null);
        let mut schema = Schema {
            location: std::mem::take(&mut self.schemas[id].location),
            place: (url.clone(), pointer.clone()),
            draft: Some(resource.draft),
            resource: self.schema_at(&url, &resource.pointer),
            ..Schema::default()
        };
        if resource.draft >= Draft::Draft2020 && resource.pointer == pointer {
            for (anchor, place) in &resource.dynamic_anchors {
                let target = self.schema_at(&url, place);
                schema.dynamic_anchors.insert(anchor.clone(), target);
            }
        }
        match json {
            Json::Bool(b) => schema.boolean = Some(b),
            Json::Object(entries) if entries.is_empty() => schema.boolean = Some(true),
            Json::Object(entries) => Keywords {
                compiler: self,
                entries: &entries,
                url: &url,
                pointer: &pointer,
                base: &resource.id,
                draft: resource.draft,
            }
            .read(&mut schema)?,
            _ => {}
        }
        self.schemas[id] = schema;
        Ok(())
    }
}

/// The keywords of one schema.
struct Keywords<'k, 'w> {
    compiler: &'k mut Compiler<'w>,
    entries: &'k BTreeMap<String, Json>,
    url: &'k str,
    pointer: &'k str,
    base: &'k str,
    draft: Draft,
}

impl Keywords<'_, '_> {
    fn read(&mut self, s: &mut Schema) -> Result<(), String> {
        s.reference = self.reference("$ref")?;
        if self.draft < Draft::Draft2019 && s.reference.is_some() {
            return Ok(());
        }
        self.read_combinations(s);
        self.read_object(s)?;
        self.read_array(s);
        self.read_scalars(s)?;
        if self.draft >= Draft::Draft2019 {
            s.recursive_reference = self.reference("$recursiveRef")?;
            s.recursive_anchor = self.flag("$recursiveAnchor");
            s.unevaluated_items = self.one("unevaluatedItems");
            s.unevaluated_properties = self.one("unevaluatedProperties");
        }
        if self.draft >= Draft::Draft2020 {
            if let Some(target) = self.reference("$dynamicRef")? {
                let (_, fragment) = url::split(self.text("$dynamicRef").unwrap_or_default());
                let anchor =
                    (!fragment.is_empty() && !fragment.starts_with('/')).then(|| fragment.to_owned());
                s.dynamic_reference = Some((target, anchor));
            }
            s.dynamic_anchor = self.text("$dynamicAnchor").map(str::to_owned);
        }
        Ok(())
    }

    fn read_combinations(&mut self, s: &mut Schema) {
        s.all_of = self.list("allOf");
        s.any_of = self.list("anyOf");
        s.one_of = self.list("oneOf");
        s.not = self.one("not");
        if self.draft >= Draft::Draft7 {
            s.condition = self.one("if");
            if s.condition.is_some() {
                s.then = self.one("then");
                s.otherwise = self.one("else");
            }
        }
    }

    fn read_object(&mut self, s: &mut Schema) -> Result<(), String> {
        s.properties = self.map("properties");
        for (written, id) in self.map("patternProperties") {
            let place = "patternProperties";
            let compiled = self.compiler.pattern(&written);
            let compiled = compiled.map_err(|cause| self.bad_pattern(place, &written, &cause))?;
            s.pattern_properties.push((compiled, id));
        }
        s.additional_properties = self.additional("additionalProperties");
        if let Some(Json::Object(entries)) = self.entries.get("dependencies") {
            for (key, value) in entries {
                let dependency = match value {
                    Json::Array(names) => Dependency::Required(texts(names)),
                    _ => Dependency::Schema(self.below(&["dependencies", key])),
                };
                s.dependencies.insert(key.clone(), dependency);
            }
        }
        s.min_properties = self.count("minProperties");
        s.max_properties = self.count("maxProperties");
        if let Some(Json::Array(names)) = self.entries.get("required") {
            s.required = texts(names);
        }
        if self.draft >= Draft::Draft6 {
            s.property_names = self.one("propertyNames");
        }
        if self.draft >= Draft::Draft2019 {
            s.dependent_schemas = self.map("dependentSchemas");
            if let Some(Json::Object(entries)) = self.entries.get("dependentRequired") {
                for (key, value) in entries {
                    if let Json::Array(names) = value {
                        s.dependent_required.insert(key.clone(), texts(names));
                    }
                }
            }
        }
        Ok(())
    }

    fn read_array(&mut self, s: &mut Schema) {
        if self.draft >= Draft::Draft2020 {
            s.prefix_items = self.list("prefixItems");
            s.items = self.one("items").map(Additional::Schema);
        } else if matches!(self.entries.get("items"), Some(Json::Array(_))) {
            s.prefix_items = self.list("items");
            s.items = self.additional("additionalItems");
        } else {
            s.items = self.one("items").map(Additional::Schema);
        }
        s.min_items = self.count("minItems");
        s.max_items = self.count("maxItems");
        s.unique_items = self.flag("uniqueItems");
        if self.draft >= Draft::Draft6 {
            s.contains = self.one("contains");
        }
        if self.draft >= Draft::Draft2019 && s.contains.is_some() {
            s.min_contains = self.count("minContains");
            s.max_contains = self.count("maxContains");
        }
    }

    fn read_scalars(&mut self, s: &mut Schema) -> Result<(), String> {
        s.types = match self.entries.get("type") {
            Some(Json::String(name)) => compare::type_bit(name),
            Some(Json::Array(names)) => {
                let names = names.iter().filter_map(Json::as_str);
                names.fold(0, |bits, name| bits | compare::type_bit(name))
            }
            _ => 0,
        };
        if let Some(Json::Array(items)) = self.entries.get("enum") {
            s.enumeration = Some(items.clone());
        }
        if self.draft >= Draft::Draft6 {
            s.constant = self.entries.get("const").cloned();
        }
        s.multiple_of = self.number("multipleOf");
        (s.maximum, s.exclusive_maximum) = self.bound("maximum", "exclusiveMaximum");
        (s.minimum, s.exclusive_minimum) = self.bound("minimum", "exclusiveMinimum");
        s.min_length = self.count("minLength");
        s.max_length = self.count("maxLength");
        if let Some(written) = self.text("pattern").map(str::to_owned) {
            let compiled = self.compiler.pattern(&written);
            let compiled = compiled.map_err(|cause| self.bad_pattern("pattern", &written, &cause))?;
            s.pattern = Some((compiled, written));
        }
        if self.compiler.asserts_format || self.draft < Draft::Draft2019 {
            s.format = self.text("format").and_then(Format::named);
        }
        Ok(())
    }

    /// In draft 4, `exclusiveMinimum: true` changes what `minimum` means.
    fn bound(&self, inclusive: &str, exclusive: &str) -> (Option<Decimal>, Option<Decimal>) {
        if self.flag(exclusive) {
            (None, self.number(inclusive))
        } else {
            (self.number(inclusive), self.number(exclusive))
        }
    }

    fn bad_pattern(&self, key: &str, written: &str, cause: &str) -> String {
        let place = format!(
            "{}#{}/{}",
            self.url,
            url::encoded(self.pointer),
            url::encoded(key)
        );
        format!("invalid regex {} at {}: {cause}", quoted(written), quoted(&place))
    }

    fn reference(&mut self, key: &str) -> Result<Option<Id>, String> {
        let Some(written) = self.text(key) else {
            return Ok(None);
        };
        let (target, fragment) = url::split(written);
        let fragment = url::decoded(fragment)
            .ok_or_else(|| format!("error in parsing {}: invalid URL escape", quoted(written)))?;
        let target = url::join(self.base, target);
        let here = self.compiler.documents.get(self.url);
        if let Some(pointer) = here.and_then(|d| d.resolve(&target, &fragment)) {
            return Ok(Some(self.compiler.schema_at(self.url, &pointer?)));
        }
        self.compiler.load(&target)?;
        let document = self.compiler.documents.get(&target);
        let pointer = document
            .and_then(|d| d.resolve(&target, &fragment))
            .unwrap_or_else(|| Ok(fragment.clone()))?;
        Ok(Some(self.compiler.schema_at(&target, &pointer)))
    }

    fn below(&mut self, path: &[&str]) -> Id {
        let mut pointer = self.pointer.to_owned();
        for token in path {
            pointer.push('/');
            pointer.push_str(&escaped(token));
        }
        self.compiler.schema_at(self.url, &pointer)
    }

    fn one(&mut self, key: &str) -> Option<Id> {
        self.entries.contains_key(key).then(|| self.below(&[key]))
    }

    fn list(&mut self, key: &str) -> Vec<Id> {
        match self.entries.get(key) {
            Some(Json::Array(items)) => (0..items.len())
                .map(|i| self.below(&[key, &i.to_string()]))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn map(&mut self, key: &str) -> BTreeMap<String, Id> {
        match self.entries.get(key) {
            Some(Json::Object(entries)) => entries
                .keys()
                .map(|name| (name.clone(), self.below(&[key, name])))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    fn additional(&mut self, key: &str) -> Option<Additional> {
        match self.entries.get(key)? {
            Json::Bool(b) => Some(Additional::Bool(*b)),
            _ => self.one(key).map(Additional::Schema),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key)?.as_str()
    }

    fn flag(&self, key: &str) -> bool {
        self.entries.get(key) == Some(&Json::Bool(true))
    }

    fn number(&self, key: &str) -> Option<Decimal> {
        match self.entries.get(key)? {
            Json::Number(text) => Decimal::parse(text),
            _ => None,
        }
    }

    fn count(&self, key: &str) -> Option<usize> {
        self.number(key)?.to_usize()
    }
}

fn texts(items: &[Json]) -> Vec<String> {
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}
