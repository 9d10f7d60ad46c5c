//! The text form of Prometheus' metrics (`prometheus/docs instrumenting/exposition_formats`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

/// What a family's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, but for restarts.
    Counter,
    /// Any value.
    Gauge,
}

/// Families by name, as Go's registry writes them, each with its rows in the order in which they were added.
#[derive(Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Family>,
}

struct Family {
    help: &'static str,
    kind: Kind,
    rows: String,
}

/// One family; rows are added to it.
pub struct Rows<'a> {
    name: &'static str,
    rows: &'a mut String,
}

impl Exposition {
    /// The family of this name, new or known.
    pub fn family(&mut self, name: &'static str, help: &'static str, kind: Kind) -> Rows<'_> {
        let family = self.families.entry(name).or_insert_with(|| Family {
            help,
            kind,
            rows: String::new(),
        });
        Rows {
            name,
            rows: &mut family.rows,
        }
    }

    /// The whole text; a family without rows is not in it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.families.iter().filter(|(_, family)| !family.rows.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help).expect(NO_FAULT);
            text.push_str(&family.rows);
        }
        text
    }
}

const NO_FAULT: &str = "writing to a string cannot fail";

impl Rows<'_> {
    /// Adds a value, with the time at which it was read where that is known.
    pub fn add(&mut self, labels: &[(&str, &str)], value: f64, at: Option<Timestamp>) {
        self.rows.push_str(self.name);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.rows.push(if place == 0 { '{' } else { ',' });
            self.rows.push_str(name);
            self.rows.push_str("=\"");
            escape(self.rows, value);
            self.rows.push('"');
        }
        if !labels.is_empty() {
            self.rows.push('}');
        }
        write!(self.rows, " {value}").expect(NO_FAULT);
        if let Some(at) = at {
            write!(self.rows, " {}", at.as_millisecond()).expect(NO_FAULT);
        }
        self.rows.push('\n');
    }
}

fn escape(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_stand_in_order_and_labels_are_escaped() {
        let mut exposition = Exposition::default();
        let at = Timestamp::from_millisecond(1_500).unwrap();
        exposition.family("b_total", "Of b.", Kind::Counter).add(
            &[("x", "1"), ("y", "a\"b\\c\nd")],
            1.25,
            Some(at),
        );
        exposition
            .family("a_bytes", "Of a.", Kind::Gauge)
            .add(&[], 1_048_576.0, None);
        exposition
            .family("b_total", "Of b.", Kind::Counter)
            .add(&[("x", "2")], 3.0, None);
        let _without_rows = exposition.family("c", "Of c.", Kind::Gauge);
        assert_eq!(
            exposition.text(),
            "# HELP a_bytes Of a.\n# TYPE a_bytes gauge\na_bytes 1048576\n\
             # HELP b_total Of b.\n# TYPE b_total counter\nb_total{x=\"1\",y=\"a\\\"b\\\\c\\nd\"} 1.25 1500\nb_total{x=\"2\"} 3\n"
        );
    }
}
