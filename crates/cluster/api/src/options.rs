//! Query parameters and the options that requests carry, checked with upstream's texts
//! (`apimachinery/pkg/apis/meta/{v1,internalversion}/validation`).

use deploy_cluster_kinds::field::{Finding, FindingKind, go_quote};
use deploy_cluster_kinds::selector::{FieldSelector, LabelSelector};
use serde_json::{Value, json};

use crate::limits;
use crate::status::{About, StatusError};

/// The parameters of a query, in order, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads `a=b&c=d`; what cannot be decoded is left out, as `net/url` does.
    pub fn parse(text: &str) -> Query {
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.contains(';'));
        let pairs = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key, true), percent_decode(value, true))
        });
        Query {
            pairs: pairs.collect(),
        }
    }

    /// The first value of a parameter.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The first value, empty where it is missing.
    pub fn text(&self, key: &str) -> String {
        self.first(key).unwrap_or_default().to_owned()
    }

    /// All values of a parameter.
    pub fn all(&self, key: &str) -> Vec<String> {
        let values = self.pairs.iter().filter(|(k, _)| k == key);
        values.map(|(_, v)| v.clone()).collect()
    }

    /// False where it is missing, `0` or `false` (`conversion.Convert_Slice_string_To_bool`).
    pub fn flag(&self, key: &str) -> bool {
        self.optional_flag(key).unwrap_or(false)
    }

    /// A flag that may be missing.
    pub fn optional_flag(&self, key: &str) -> Option<bool> {
        let value = self.first(key)?;
        Some(value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// A number, with Go's words for what is wrong.
    pub fn number(&self, key: &str) -> Result<Option<i64>, StatusError> {
        let Some(text) = self.first(key) else {
            return Ok(None);
        };
        parse_int(text).map(Some).map_err(StatusError::bad_request)
    }
}

/// `strconv.ParseInt(text, 10, 64)`
fn parse_int(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "strconv.ParseInt: parsing {}: invalid syntax",
            go_quote(text)
        ));
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseInt: parsing {}: value out of range", go_quote(text)))
}

/// `timeout=34s`, which every request may carry, must be a duration (`endpoints/filters/request_deadline.go`).
pub fn check_timeout(query: &Query) -> Result<(), StatusError> {
    let Some(text) = query.first("timeout").filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let shown = go_quote(text);
    let refuse = |why: String| {
        Err(StatusError::bad_request(format!(
            "invalid timeout specified in the request URL - time: {why}"
        )))
    };
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return refuse(format!("invalid duration {shown}"));
    }
    while !rest.is_empty() {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        if number == 0 || !rest[..number].contains(|c: char| c.is_ascii_digit()) {
            return refuse(format!("invalid duration {shown}"));
        }
        rest = &rest[number..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        match &rest[..end] {
            "" => return refuse(format!("missing unit in duration {shown}")),
            "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h" => {}
            unit => return refuse(format!("unknown unit {} in duration {shown}", go_quote(unit))),
        }
        rest = &rest[end..];
    }
    Ok(())
}

/// A revision in a query, 0 for none. The error is upstream's text.
pub fn parse_revision(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let why = if !text.bytes().all(|b| b.is_ascii_digit()) {
        "invalid syntax"
    } else {
        match text.parse() {
            Ok(number) => return Ok(number),
            Err(_) => "value out of range",
        }
    };
    let shown = go_quote(text);
    Err(format!(
        "resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: {why}"
    ))
}

/// Decodes `%XX`, and `+` as a blank in queries. Bytes that are no UTF-8 become U+FFFD.
pub fn percent_decode(text: &str, plus: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let pair = bytes
            .get(place + 1..place + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match (
            bytes[place],
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                place += 2;
            }
            (b'+', _) if plus => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// What to do about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them, and say so in a header.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// The options of create, update and patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Nothing is kept.
    pub dry_run: bool,
    /// Who the fields belong to, empty where the client does not say.
    pub field_manager: String,
    /// What to do about unknown and duplicate fields.
    pub field_validation: FieldValidation,
    /// Take fields from other managers; only for apply.
    pub force: Option<bool>,
}

impl WriteOptions {
    /// Reads CreateOptions, UpdateOptions or PatchOptions (`kind`) of a query.
    pub fn parse(query: &Query, kind: &'static str, apply: bool) -> Result<WriteOptions, StatusError> {
        let field_manager = query.text("fieldManager");
        let force = if kind == "PatchOptions" {
            query.optional_flag("force")
        } else {
            None
        };
        let mut findings = Vec::new();
        if kind == "PatchOptions" {
            if apply && field_manager.is_empty() {
                findings.push(finding(
                    FindingKind::Required,
                    "fieldManager",
                    None,
                    "is required for apply patch",
                ));
            } else if !apply && force.is_some() {
                let text = "may not be specified for non-apply patch";
                findings.push(finding(FindingKind::Forbidden, "force", None, text));
            }
        }
        check_field_manager(&field_manager, &mut findings);
        let dry_run = check_dry_run(&query.all("dryRun"), &mut findings);
        let word = query.text("fieldValidation");
        let field_validation = match word.as_str() {
            "Ignore" => FieldValidation::Ignore,
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            _ => {
                let known = "supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"";
                findings.push(finding(
                    FindingKind::NotSupported,
                    "fieldValidation",
                    Some(word.into()),
                    known,
                ));
                FieldValidation::Warn
            }
        };
        refuse(kind, findings)?;
        Ok(WriteOptions {
            dry_run,
            field_manager,
            field_validation,
            force,
        })
    }
}

impl WriteOptions {
    /// The options as an object, for admission: CreateOptions or UpdateOptions.
    pub fn to_value(&self, create: bool) -> Value {
        let kind = if create { "CreateOptions" } else { "UpdateOptions" };
        let mut object = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
        if self.dry_run {
            object["dryRun"] = json!(["All"]);
        }
        if !self.field_manager.is_empty() {
            object["fieldManager"] = self.field_manager.as_str().into();
        }
        object
    }
}

/// How dependents are treated when their owner is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Dependents first.
    Foreground,
    /// The owner now, dependents afterwards.
    Background,
    /// Dependents stay.
    Orphan,
}

/// DeleteOptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds; what the kind says where the client says nothing.
    pub grace_period_seconds: Option<i64>,
    /// Only this object.
    pub uid: Option<String>,
    /// Only in this state.
    pub resource_version: Option<String>,
    /// The old way to say [`Propagation::Orphan`] or [`Propagation::Background`].
    pub orphan_dependents: Option<bool>,
    /// What happens to dependents.
    pub propagation: Option<Propagation>,
    /// Nothing is kept.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// Reads the options of a query.
    pub fn from_query(query: &Query) -> Result<DeleteOptions, StatusError> {
        let mut object = json!({});
        if let Some(seconds) = query.number("gracePeriodSeconds")? {
            object["gracePeriodSeconds"] = seconds.into();
        }
        if let Some(orphan) = query.optional_flag("orphanDependents") {
            object["orphanDependents"] = orphan.into();
        }
        if let Some(policy) = query.first("propagationPolicy") {
            object["propagationPolicy"] = policy.into();
        }
        let dry_run = query.all("dryRun");
        if !dry_run.is_empty() {
            object["dryRun"] = dry_run.into();
        }
        DeleteOptions::from_value(&object)
    }

    /// Reads a DeleteOptions object whose types are right.
    pub fn from_value(object: &Value) -> Result<DeleteOptions, StatusError> {
        let mut findings = Vec::new();
        let policy = object["propagationPolicy"].as_str();
        let orphan_dependents = object["orphanDependents"].as_bool();
        if let (Some(_), Some(policy)) = (orphan_dependents, policy) {
            let text = "orphanDependents and deletionPropagation cannot be both set";
            let value = Some(Value::from(policy));
            findings.push(finding(FindingKind::Invalid, "propagationPolicy", value, text));
        }
        let propagation = match policy {
            None => None,
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Background") => Some(Propagation::Background),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                let known = "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"";
                let value = Some(Value::from(other));
                findings.push(finding(
                    FindingKind::NotSupported,
                    "propagationPolicy",
                    value,
                    known,
                ));
                None
            }
        };
        let dry_run = object["dryRun"].as_array().into_iter().flatten();
        let dry_run: Vec<String> = dry_run.filter_map(|v| v.as_str().map(str::to_owned)).collect();
        let dry_run = check_dry_run(&dry_run, &mut findings);
        refuse("DeleteOptions", findings)?;
        let precondition = |field: &str| object["preconditions"][field].as_str().map(str::to_owned);
        Ok(DeleteOptions {
            grace_period_seconds: object["gracePeriodSeconds"].as_i64(),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            orphan_dependents,
            propagation,
            dry_run,
        })
    }

    /// The options as an object, for admission.
    pub fn to_value(&self) -> Value {
        let mut object = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
        if let Some(seconds) = self.grace_period_seconds {
            object["gracePeriodSeconds"] = seconds.into();
        }
        if let Some(orphan) = self.orphan_dependents {
            object["orphanDependents"] = orphan.into();
        }
        if let Some(propagation) = self.propagation {
            object["propagationPolicy"] = format!("{propagation:?}").into();
        }
        for (field, value) in [("uid", &self.uid), ("resourceVersion", &self.resource_version)] {
            if let Some(value) = value {
                object["preconditions"][field] = value.as_str().into();
            }
        }
        if self.dry_run {
            object["dryRun"] = json!(["All"]);
        }
        object
    }
}

/// How a stated resourceVersion is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionMatch {
    /// At that revision.
    Exact,
    /// At that revision or later.
    NotOlderThan,
}

/// ListOptions.
#[derive(Clone, Debug)]
pub struct ListOptions {
    /// Labels that objects must have.
    pub labels: LabelSelector,
    /// Fields that objects must have.
    pub fields: FieldSelector,
    /// A watch, no list.
    pub watch: bool,
    /// The client understands BOOKMARK.
    pub bookmarks: bool,
    /// As the client sent it, empty for none.
    pub resource_version: String,
    /// How it is meant.
    pub revision_match: Option<RevisionMatch>,
    /// The end of a watch.
    pub timeout_seconds: Option<i64>,
    /// Items of a page, 0 for all.
    pub limit: i64,
    /// The token of the page before.
    pub continue_token: String,
    /// A watch starts with what exists.
    pub send_initial_events: Option<bool>,
}

impl ListOptions {
    /// Reads the options of a query. `watch` is set for paths that say it themselves.
    pub fn parse(query: &Query, watch: bool) -> Result<ListOptions, StatusError> {
        let mut options = ListOptions {
            watch: watch || query.flag("watch"),
            bookmarks: query.flag("allowWatchBookmarks"),
            resource_version: query.text("resourceVersion"),
            timeout_seconds: query.number("timeoutSeconds")?,
            limit: query.number("limit")?.unwrap_or(0),
            continue_token: query.text("continue"),
            send_initial_events: query.optional_flag("sendInitialEvents"),
            labels: LabelSelector::parse(&query.text("labelSelector"))
                .map_err(|e| StatusError::bad_request(e.0))?,
            fields: FieldSelector::parse(&query.text("fieldSelector"))
                .map_err(|e| StatusError::bad_request(e.0))?,
            revision_match: None,
        };
        let mut word = query.text("resourceVersionMatch");
        // SetListOptionsDefaults: a watch from nowhere starts with what exists. Paths that say "watch" themselves are
        // spared.
        let is_legacy = word.is_empty() && matches!(options.resource_version.as_str(), "" | "0");
        if query.flag("watch") && options.send_initial_events.is_none() && is_legacy {
            options.send_initial_events = Some(true);
            word = "NotOlderThan".to_owned();
        }
        options.check(&word)?;
        options.revision_match = match word.as_str() {
            "Exact" => Some(RevisionMatch::Exact),
            "NotOlderThan" => Some(RevisionMatch::NotOlderThan),
            _ => None,
        };
        Ok(options)
    }

    fn check(&self, word: &str) -> Result<(), StatusError> {
        const MATCH: &str = "resourceVersionMatch";
        let mut findings = Vec::new();
        let mut forbidden = |field: &str, text: &str| {
            findings.push(finding(FindingKind::Forbidden, field, None, text));
        };
        let mut known = None;
        if self.watch {
            if self.send_initial_events.is_some() && word != "NotOlderThan" {
                forbidden(
                    MATCH,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                );
            }
            if !word.is_empty() {
                if self.send_initial_events.is_none() {
                    forbidden(
                        MATCH,
                        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                    );
                }
                if word != "NotOlderThan" {
                    known = Some("supported values: \"NotOlderThan\"");
                }
                if !self.continue_token.is_empty() && known.is_none() {
                    forbidden(
                        MATCH,
                        "resourceVersionMatch is forbidden when continue is provided",
                    );
                }
            }
        } else {
            if !word.is_empty() {
                if self.resource_version.is_empty() {
                    forbidden(
                        MATCH,
                        "resourceVersionMatch is forbidden unless resourceVersion is provided",
                    );
                }
                if !self.continue_token.is_empty() {
                    forbidden(
                        MATCH,
                        "resourceVersionMatch is forbidden when continue is provided",
                    );
                }
                if word == "Exact" && self.resource_version == "0" {
                    forbidden(
                        MATCH,
                        "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                    );
                }
                if word != "Exact" && word != "NotOlderThan" {
                    known = Some("supported values: \"Exact\", \"NotOlderThan\", \"\"");
                }
            }
            if self.send_initial_events.is_some() {
                forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
            }
        }
        if let Some(known) = known {
            findings.push(finding(
                FindingKind::NotSupported,
                MATCH,
                Some(word.into()),
                known,
            ));
        }
        refuse("ListOptions", findings)
    }
}

fn finding(kind: FindingKind, path: &str, value: Option<Value>, detail: &str) -> Finding {
    Finding {
        kind,
        path: path.to_owned(),
        value,
        shown: None,
        detail: detail.to_owned(),
    }
}

fn refuse(kind: &str, findings: Vec<Finding>) -> Result<(), StatusError> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(StatusError::invalid(
        About::new("meta.k8s.io", kind),
        "",
        &findings,
    ))
}

fn check_dry_run(values: &[String], findings: &mut Vec<Finding>) -> bool {
    if values.iter().any(|value| value != "All") {
        let value = Some(json!(values));
        findings.push(finding(
            FindingKind::NotSupported,
            "dryRun",
            value,
            "supported values: \"All\"",
        ));
    }
    !values.is_empty()
}

fn check_field_manager(name: &str, findings: &mut Vec<Finding>) {
    if name.len() > limits::FIELD_MANAGER_BYTES {
        let text = format!("may not be more than {} bytes", limits::FIELD_MANAGER_BYTES);
        findings.push(finding(FindingKind::TooLong, "fieldManager", None, &text));
    }
    for (place, letter) in name.char_indices().filter(|(_, letter)| !is_printable(*letter)) {
        let text = format!(
            "invalid character U+{:04X} (at position {place})",
            u32::from(letter)
        );
        findings.push(finding(
            FindingKind::Invalid,
            "fieldManager",
            Some(name.into()),
            &text,
        ));
    }
}

/// The nearest to Go's `unicode.IsPrint` without its tables: no controls, no blanks but the blank.
pub fn is_printable(letter: char) -> bool {
    letter == ' ' || !(letter.is_control() || letter.is_whitespace())
}

/// The manager of a write that names none: what stands before the slash in User-Agent
/// (`handlers/create.go prefixFromUserAgent`).
pub fn manager_of(user_agent: &str) -> String {
    let prefix = user_agent.split('/').next().unwrap_or_default();
    let mut name = String::new();
    for letter in prefix.chars().filter(|letter| is_printable(*letter)) {
        if name.len() + letter.len_utf8() > limits::FIELD_MANAGER_BYTES {
            break;
        }
        name.push(letter);
    }
    name
}
