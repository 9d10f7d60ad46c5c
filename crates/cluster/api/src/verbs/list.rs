//! Lists: selectors, pages, revisions.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deploy_cluster_kinds::selector::{FieldSelector, FieldTerm, LabelSelector};
use deploy_cluster_schema::registry::CustomResource;
use deploy_cluster_storage::{Entry, Key, Listing, ReadError, Store};
use serde_json::{Value, json};

use super::{Call, Outcome};
use crate::custom;
use crate::encode::ListMeta;
use crate::limits;
use crate::options::{ListOptions, RevisionMatch, parse_revision};
use crate::scope::Scope;
use crate::status::StatusError;

/// Which objects a client wants, ready to be asked about each.
#[derive(Clone)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    scope: Scope,
}

impl Selection {
    /// Checks the fields that a selector names. A name in the path (of a watch) is a selector too.
    pub fn new(scope: &Scope, options: &ListOptions) -> Result<Selection, StatusError> {
        let mut fields = options.fields.clone();
        for term in &fields.terms {
            check_field(scope, &term.field)?;
        }
        if !scope.name.is_empty() {
            if fields.terms.is_empty() {
                let (field, value) = ("metadata.name".to_owned(), scope.name.clone());
                fields.terms.push(FieldTerm {
                    field,
                    value,
                    equal: true,
                });
            } else if fields.exact("metadata.name") != Some(&scope.name) {
                let text = "fieldSelector metadata.name doesn't match requested name";
                return Err(StatusError::bad_request(text));
            }
        }
        Ok(Selection {
            labels: options.labels.clone(),
            fields,
            scope: scope.clone(),
        })
    }

    /// Everything is wanted.
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.terms.is_empty()
    }

    /// The only name that can match.
    fn single(&self) -> Option<(&str, &str)> {
        let name = self.fields.exact("metadata.name")?;
        if !self.scope.resource.namespaced {
            return Some(("", name));
        }
        let namespace = self.namespace()?;
        Some((namespace, name))
    }

    /// The only namespace that can match; none for all.
    pub fn namespace(&self) -> Option<&str> {
        let requested = Some(self.scope.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        requested.or_else(|| self.fields.exact("metadata.namespace"))
    }

    /// Whether an object is wanted.
    pub fn matches(&self, entry: &Entry) -> bool {
        if self.is_everything() {
            return true;
        }
        let only_names = self.labels.is_everything()
            && self
                .fields
                .terms
                .iter()
                .all(|t| matches!(t.field.as_str(), "metadata.name" | "metadata.namespace"));
        if only_names {
            return self.fields.matches(|field| match field {
                "metadata.name" => entry.key.name.to_string(),
                _ => entry.key.namespace.to_string(),
            });
        }
        let object = self.scope.object(entry);
        self.labels.matches(Some(&object["metadata"]["labels"]))
            && self
                .fields
                .matches(|field| field_value(&self.scope, field, &object))
    }
}

fn check_field(scope: &Scope, field: &str) -> Result<(), StatusError> {
    if matches!(field, "metadata.name" | "metadata.namespace") {
        return Ok(());
    }
    let known = scope.served_rules.selectable;
    let is_custom = |custom: &Arc<CustomResource>| custom::is_selectable(custom, field);
    if scope.resource.custom.as_ref().is_some_and(is_custom) {
        return Ok(());
    }
    if known.iter().any(|selectable| selectable.name == field) {
        return Ok(());
    }
    let shown = deploy_cluster_kinds::field::go_quote(field);
    Err(StatusError::bad_request(if &*scope.served.kind == "Job" {
        format!("field label {shown} not supported for Job")
    } else if known.is_empty() && !scope.is_custom() {
        format!("{shown} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    } else {
        format!("field label not supported: {field}")
    }))
}

fn field_value(scope: &Scope, field: &str, object: &Value) -> String {
    match field {
        "metadata.name" => crate::object::name(object).to_owned(),
        "metadata.namespace" => crate::object::namespace(object).to_owned(),
        _ if scope.is_custom() => custom::selected(field, object),
        _ => {
            let selectable = scope
                .served_rules
                .selectable
                .iter()
                .find(|selectable| selectable.name == field);
            match selectable {
                Some(selectable) if scope.is_stored_form() => (selectable.value)(object),
                Some(selectable) => (selectable.value)(&scope.to_served(object.clone())),
                None => String::new(),
            }
        }
    }
}

/// Lists the objects of the scope.
pub(crate) async fn list(call: &Call<'_>, options: &ListOptions) -> Result<Outcome, StatusError> {
    let selection = Selection::new(&call.scope, options)?;
    let page = Page::new(call, options).await?;
    // A list of "any" state is whole: it comes from memory (`storage/cacher/delegator`).
    let limit = usize::try_from(options.limit).ok().filter(|limit| *limit > 0);
    let limit = limit.filter(|_| options.resource_version != "0");
    let (entries, listing, more) = read(call, &selection, &page, limit)?;
    let revision = page.at.unwrap_or(listing.revision);
    let mut meta = ListMeta {
        resource_version: revision.to_string(),
        ..ListMeta::default()
    };
    if let Some(last) = entries.last().filter(|_| more) {
        let place = if call.scope.namespace.is_empty() && !last.key.namespace.is_empty() {
            format!("{}/{}\0", last.key.namespace, last.key.name)
        } else {
            format!("{}\0", last.key.name)
        };
        meta.continue_token = continue_token(revision.try_into().unwrap_or(i64::MAX), &place);
        meta.remaining = selection.is_everything().then_some(listing.remaining as u64);
    }
    Ok(Outcome::List { entries, meta })
}

/// Where a page starts.
struct Page {
    /// The revision of its state; none for now.
    at: Option<u64>,
    after: Option<Key>,
    /// The place of the token, for the error that hands it back.
    place: Option<String>,
}

impl Page {
    async fn new(call: &Call<'_>, options: &ListOptions) -> Result<Page, StatusError> {
        let stated = parse_revision(&options.resource_version)
            .map_err(|why| StatusError::bad_request(format!("invalid resource version: {why}")))?;
        if !options.continue_token.is_empty() {
            let (revision, place) = read_token(&options.continue_token)?;
            if stated != 0 {
                let text = "specifying resource version is not allowed when using continue";
                return Err(StatusError::bad_request(text));
            }
            let at = u64::try_from(revision).ok();
            return Ok(Page {
                at,
                after: Some(after(&call.scope, &place)),
                place: Some(place),
            });
        }
        // A page of a stated revision is one of exactly that revision, for the next page will be, too.
        let exact = match options.revision_match {
            Some(RevisionMatch::Exact) => true,
            Some(RevisionMatch::NotOlderThan) => false,
            None => options.limit > 0 && stated != 0,
        };
        wait_for(&call.api.store, stated).await?;
        Ok(Page {
            at: exact.then_some(stated),
            after: None,
            place: None,
        })
    }
}

/// Waits until a revision is there; a client may know it from another server, or make it up.
pub(crate) async fn wait_for(store: &Store, revision: u64) -> Result<(), StatusError> {
    if revision <= store.revision() {
        return Ok(());
    }
    match tokio::time::timeout(limits::FUTURE_REVISION, store.reached(revision)).await {
        Ok(true) => Ok(()),
        _ => Err(StatusError::too_large_revision(revision, store.revision())),
    }
}

/// The matching entries of a page, the last listing that was read, and whether there is more.
fn read(
    call: &Call<'_>,
    selection: &Selection,
    page: &Page,
    limit: Option<usize>,
) -> Result<(Vec<Arc<Entry>>, Listing, bool), StatusError> {
    let (store, scope) = (&call.api.store, &call.scope);
    if let (Some((namespace, name)), None, None) = (selection.single(), page.at, &page.after) {
        let listing = Listing {
            entries: Vec::new(),
            revision: store.revision(),
            remaining: 0,
        };
        let found = store.get(&scope.key(namespace, name));
        let entries = found
            .into_iter()
            .filter(|entry| selection.matches(entry))
            .collect();
        return Ok((entries, listing, false));
    }
    let mut at = page.at;
    let mut after = page.after.clone();
    let mut found = Vec::new();
    loop {
        let wanted = match (limit, selection.is_everything()) {
            (Some(limit), true) => Some(limit),
            (Some(limit), false) => Some((limit * 2).clamp(500, limits::PAGE)),
            (None, _) => None,
        };
        let mut listing = store
            .list(&scope.storage, selection.namespace(), at, after.as_ref(), wanted)
            .map_err(|error| gone(error, page))?;
        let entries = std::mem::take(&mut listing.entries);
        at = Some(listing.revision);
        after = entries.last().map(|entry| entry.key.clone());
        let count = entries.len();
        for (place, entry) in entries.into_iter().enumerate() {
            if selection.matches(&entry) {
                found.push(entry);
                if Some(found.len()) == limit {
                    let more = listing.remaining > 0 || place + 1 < count;
                    return Ok((found, listing, more));
                }
            }
        }
        if listing.remaining == 0 || count == 0 {
            return Ok((found, listing, false));
        }
    }
}

/// A state that was compacted; whoever was paging may go on with the newest state, knowingly.
fn gone(error: ReadError, page: &Page) -> StatusError {
    match (error, &page.place) {
        (ReadError::Compacted { .. }, None) => {
            StatusError::expired("The resourceVersion for the provided list is too old.")
        }
        (ReadError::Compacted { .. }, Some(place)) => {
            let mut error = StatusError::expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new \
                 list without the continue parameter, or use the continue token in this response to retrieve the \
                 remainder of the results. Continuing with the provided token results in an inconsistent list - \
                 objects that were created, modified, or deleted between the time the first chunk was returned and \
                 now may show up in the list.",
            );
            error.continue_token = continue_token(-1, place);
            error
        }
        (error @ ReadError::Io { .. }, _) => StatusError::internal(&error.to_string()),
    }
}

/// The token of the page after `place`, as upstream makes it (`storage/continue.go`).
fn continue_token(revision: i64, place: &str) -> String {
    let place = serde_json::to_string(place).expect("texts can be written");
    URL_SAFE_NO_PAD.encode(format!(
        r#"{{"v":"meta.k8s.io/v1","rv":{revision},"start":{place}}}"#
    ))
}

fn read_token(token: &str) -> Result<(i64, String), StatusError> {
    let invalid = |why: &str| {
        StatusError::bad_request(format!(
            "invalid continue token: continue key is not valid: {why}"
        ))
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| match error {
        base64::DecodeError::InvalidByte(place, _) => {
            invalid(&format!("illegal base64 data at input byte {place}"))
        }
        _ => invalid(&format!(
            "illegal base64 data at input byte {}",
            token.len().saturating_sub(1)
        )),
    })?;
    let token: Value = match serde_json::from_slice(&bytes) {
        Ok(token) => token,
        Err(_) => return Err(invalid(&go_json_error(&bytes))),
    };
    if token["v"] != "meta.k8s.io/v1" {
        let version = token["v"].as_str().unwrap_or_default();
        return Err(StatusError::bad_request(format!(
            "invalid continue token: continue key is not valid: server does not recognize this encoded version {version}"
        )));
    }
    let revision = token["rv"].as_i64().unwrap_or_default();
    if revision == 0 {
        return Err(invalid(
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ));
    }
    let place = token["start"].as_str().unwrap_or_default();
    if place.is_empty() {
        return Err(invalid("encoded start key empty (version meta.k8s.io/v1)"));
    }
    let is_clean = place.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !is_clean {
        return Err(invalid(place));
    }
    Ok((revision, place.to_owned()))
}

/// What Go's decoder says of text that is no JSON; a token that is garbage fails at its first byte.
fn go_json_error(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.chars().next())
    {
        None if bytes.is_empty() => "unexpected end of JSON input".to_owned(),
        Some('{') => "unexpected end of JSON input".to_owned(),
        Some(first) => format!("invalid character '{first}' looking for beginning of value"),
        None => format!(
            "invalid character '{}' looking for beginning of value",
            char::from(bytes[0])
        ),
    }
}

fn after(scope: &Scope, place: &str) -> Key {
    let place = place.trim_end_matches('\0');
    match place.split_once('/') {
        Some((namespace, name)) if scope.namespace.is_empty() => scope.key(namespace, name),
        _ => scope.key(&scope.namespace, place),
    }
}

/// The object of a BOOKMARK.
pub(crate) fn bookmark(scope: &Scope, revision: u64, initial_end: bool) -> Value {
    let mut object = json!({
        "kind": &*scope.served.kind,
        "apiVersion": scope.served.api_version(),
        "metadata": {"resourceVersion": revision.to_string()},
    });
    if initial_end {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    object
}

/// The end of a watch: what the client asked for, or a time of the server's choice.
pub(crate) fn watch_time(options: &ListOptions) -> Duration {
    match options
        .timeout_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
    {
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            let extra = crate::identifiers::random_below(limits::WATCH_SECONDS);
            Duration::from_secs(limits::WATCH_SECONDS + extra)
        }
    }
}
