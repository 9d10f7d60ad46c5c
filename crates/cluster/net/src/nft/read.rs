use super::{DELCHAIN, DELRULE, DELTABLE, GETCHAIN, GETRULE, NEWCHAIN, NEWRULE, header};
use crate::netlink::{Answer, Attribute, Attributes, NetlinkError, Socket};

/// `NFPROTO_INET`
const INET: u8 = 1;

/// A chain of somebody else that packets of this machine enter by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignChain {
    /// `ip` or `inet`.
    pub family: &'static str,
    /// The name of its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The number of its hook, as of [`super::Hook`].
    pub hook: u32,
    /// True where what no rule decides is dropped or refused: by its policy, or by a last rule without a condition.
    pub closed: bool,
    /// Texts of the rules of its table that are names of interfaces.
    pub interfaces: Vec<String>,
}

/// The chains of type filter of all tables but `own` which IPv4 packets meet.
///
/// # Errors
/// Of netlink.
pub fn foreign_chains(socket: &mut Socket, own: &str) -> Result<Vec<ForeignChain>, NetlinkError> {
    let mut found = Vec::new();
    for (family, name) in [(super::IPV4, "ip"), (INET, "inet")] {
        let chains = socket.dump(GETCHAIN, &header(family, 0), |_| ())?;
        let foreign: Vec<ForeignChain> = chains
            .iter()
            .filter_map(|chain| read_chain(chain, name))
            .filter(|chain| chain.table != own)
            .collect();
        if foreign.is_empty() {
            continue;
        }
        let rules = socket.dump(GETRULE, &header(family, 0), |_| ())?;
        for mut chain in foreign {
            let mut of_table = rules.iter().filter(|rule| text(rule, 1) == chain.table);
            chain.interfaces = of_table.clone().flat_map(interfaces).collect();
            let last = of_table.rfind(|rule| text(rule, 2) == chain.name);
            chain.closed |= last.is_some_and(refuses_all);
            found.push(chain);
        }
    }
    Ok(found)
}

/// What news of nf_tables are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A table of family `ip` is gone.
    TableGone(String),
    /// Chains or rules of this table have changed.
    Changed(String),
}

/// The multicast group of nf_tables, as a bit (`NFNLGRP_NFTABLES`).
pub const NEWS: u32 = 1 << 6;

/// Reads news of the multicast group [`NEWS`]. What is of no interest is none.
pub fn news(answer: &Answer) -> Option<News> {
    let family = answer.body.first()?;
    let table = text(answer, 1).to_owned();
    match answer.kind {
        DELTABLE if *family == super::IPV4 => Some(News::TableGone(table)),
        NEWCHAIN | DELCHAIN | NEWRULE | DELRULE => Some(News::Changed(table)),
        _ => None,
    }
}

fn text(answer: &Answer, kind: u16) -> &str {
    answer
        .attributes(4)
        .get(kind)
        .and_then(Attribute::text)
        .unwrap_or_default()
}

fn read_chain(answer: &Answer, family: &'static str) -> Option<ForeignChain> {
    let attributes = answer.attributes(4);
    let hook = attributes.get(4)?.nested().get(1)?.be32()?;
    (text(answer, 7) == "filter").then(|| ForeignChain {
        family,
        table: text(answer, 1).to_owned(),
        name: text(answer, 3).to_owned(),
        hook,
        closed: attributes.get(5).and_then(Attribute::be32) == Some(0),
        interfaces: Vec::new(),
    })
}

/// The expressions of a rule: name and data.
fn expressions(rule: &Answer) -> impl Iterator<Item = (&str, Attributes<'_>)> {
    let list = rule.attributes(4).get(4).map(Attribute::nested);
    list.into_iter().flatten().filter_map(|expression| {
        let name = expression.nested().get(1)?.text()?;
        let data = expression.nested().get(2).map(Attribute::nested);
        Some((name, data.unwrap_or_else(|| Attributes::new(&[]))))
    })
}

/// What the rule compares with, where that can be the name of an interface.
fn interfaces(rule: &Answer) -> Vec<String> {
    let compared = expressions(rule).filter(|(name, _)| *name == "cmp");
    let values = compared.filter_map(|(_, data)| data.get(3)?.nested().get(1));
    let texts = values.filter_map(|value| {
        let text = value.text()?;
        let printable = text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_graphic());
        printable.then(|| text.to_owned())
    });
    texts.collect()
}

/// A rule that drops or refuses without a condition.
fn refuses_all(rule: &Answer) -> bool {
    let mut refuses = false;
    for (name, data) in expressions(rule) {
        match name {
            "counter" | "log" => {}
            "reject" => refuses = true,
            "immediate" => {
                let verdict = data.get(2).map(Attribute::nested).and_then(|data| data.get(2));
                let code = verdict.and_then(|verdict| verdict.nested().get(1)?.be32());
                refuses |= code == Some(0);
            }
            _ => return false,
        }
    }
    refuses
}
