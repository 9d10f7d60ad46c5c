//! A site: a market with its time zone, languages and sale calendar.

use deploy_model::{Code, Diagnostic};
use deploy_yaml::Node;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::{head, named};
use crate::fields::{Fields, Problems};

/// A market.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// A DNS label: `us`.
    pub name: String,
    /// ISO 3166-1 alpha-2: `US`.
    pub country: String,
    /// ISO 4217, where it is said: `USD`.
    pub currency: Option<String>,
    /// BCP 47, the first one first.
    pub languages: Vec<String>,
    /// Of the IANA database; calendars and people's messages are in it.
    pub time_zone: TimeZone,
    /// The country in which data must stay, where it is said.
    pub data_residency: Option<String>,
    /// The cluster that it is on; the embedded one where nothing is said.
    pub cluster: Option<String>,
    /// Days on which releases are not what they are on others.
    pub sale_calendar: Vec<Sale>,
}

/// Days of a sale, both included, in the site's own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// In English, or the only name that is given.
    pub name: String,
    /// In Chinese.
    pub name_zh: String,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// What it means for releases.
    pub releases: Releases,
}

/// What a sale means for releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Releases {
    /// None, unless somebody overrides it with a reason.
    Freeze,
    /// Only with somebody's approval.
    Confirm,
}

/// Reads the sites of a file, one a document.
pub fn read(source: &[u8], file: &str) -> Result<Vec<Site>, Vec<Diagnostic>> {
    let mut problems = Problems::new(file);
    let documents = problems.documents(source);
    let mut sites: Vec<Site> = Vec::new();
    for document in documents.iter().filter(|document| !document.is_null()) {
        let Some(found) = site(document, &mut problems) else {
            continue;
        };
        if sites.iter().any(|earlier| earlier.name == found.name) {
            let diagnostic =
                Diagnostic::new(Code::AppFieldTwice).with("field", format!("metadata.name: {}", found.name));
            problems.add(document.position, diagnostic);
        }
        sites.push(found);
    }
    problems.finish(Some(sites))
}

fn site(document: &Node, problems: &mut Problems) -> Option<Site> {
    let mut fields = Fields::of(document, "", problems)?;
    head(&mut fields, "Site", problems);
    let name = named(&mut fields, problems);
    let spec = fields.required("spec", problems);
    fields.done(problems);

    let mut spec = Fields::of(spec?, "spec", problems)?;
    spec.required("country", problems);
    let country = country(&mut spec, "country", problems);
    let currency = spec.text("currency", problems);
    let languages = spec.texts("languages", problems);
    let time_zone = time_zone(&mut spec, problems);
    let data_residency = self::country(&mut spec, "dataResidency", problems);
    let cluster = spec.text("cluster", problems);
    let items = spec.items("saleCalendar", problems);
    let sales: Vec<Sale> = items
        .iter()
        .filter_map(|(path, node)| sale(path, node, problems))
        .collect();
    spec.done(problems);
    Some(Site {
        name: name?,
        country: country?,
        currency,
        languages,
        time_zone: time_zone?,
        data_residency,
        cluster,
        sale_calendar: sales,
    })
}

fn country(fields: &mut Fields, name: &'static str, problems: &mut Problems) -> Option<String> {
    let node = fields.get(name)?;
    let is_code = |text: &&str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let code = node.as_str().filter(is_code);
    if code.is_none() {
        problems.invalid(node.position, &fields.path(name), "US, DE, MY, ... (ISO 3166-1)");
    }
    code.map(str::to_owned)
}

fn time_zone(fields: &mut Fields, problems: &mut Problems) -> Option<TimeZone> {
    let node = fields.required("timeZone", problems)?;
    let zone = node.as_str().and_then(|name| TimeZone::get(name).ok());
    if zone.is_none() {
        problems.invalid(
            node.position,
            &fields.path("timeZone"),
            "America/New_York, Asia/Kuala_Lumpur, ... (IANA)",
        );
    }
    zone
}

fn sale(path: &str, node: &Node, problems: &mut Problems) -> Option<Sale> {
    let mut fields = Fields::of(node, path, problems)?;
    let name = fields
        .required("name", problems)
        .and_then(|node| names(&fields.path("name"), node, problems));
    let from = date(&mut fields, "from", problems);
    let to = date(&mut fields, "to", problems);
    let words = [("freeze", Releases::Freeze), ("confirm", Releases::Confirm)];
    fields.required("releases", problems);
    let releases = fields.word("releases", &words, problems);
    fields.done(problems);
    let (from, to, (name, name_zh)) = (from?, to?, name?);
    if to < from {
        problems.invalid(node.position, &format!("{path}.to"), &format!(">= {from}"));
    }
    Some(Sale {
        name,
        name_zh,
        from,
        to,
        releases: releases?,
    })
}

/// A text, or one a language.
fn names(path: &str, node: &Node, problems: &mut Problems) -> Option<(String, String)> {
    if let Some(text) = node.as_str() {
        return Some((text.to_owned(), text.to_owned()));
    }
    let mut fields = Fields::of(node, path, problems)?;
    let en = fields.required_text("en", problems);
    let zh = fields.text("zh", problems);
    fields.done(problems);
    let en = en?;
    Some((en.clone(), zh.unwrap_or(en)))
}

fn date(fields: &mut Fields, name: &'static str, problems: &mut Problems) -> Option<Date> {
    let node = fields.required(name, problems)?;
    let date = node.as_str().and_then(|text| text.parse().ok());
    if date.is_none() {
        problems.invalid(node.position, &fields.path(name), "2026-11-27");
    }
    date
}
