//! Selectors: of labels, as text (`a in (b,c),!d`) or as LabelSelector objects, and of fields (`spec.nodeName=n1`).
//!
//! Texts of errors as upstream's (`apimachinery/pkg/labels/selector.go`, `fields/selector.go`).

mod fields;
mod parser;

use std::fmt;

pub use fields::{FieldSelector, FieldTerm};
use serde_json::{Map, Value};

use crate::cursor::Field;
use crate::field::{go_json, go_quote};
use crate::names;

/// Which labels are wanted: all requirements must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector {
    /// `None` selects nothing at all, as an absent selector object does.
    requirements: Option<Vec<Requirement>>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with, as it was written.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `a in (b)`
    In,
    /// `a notin (b)`
    NotIn,
    /// `a=b`
    Equals,
    /// `a==b`
    DoubleEquals,
    /// `a!=b`
    NotEquals,
    /// `a>1`
    GreaterThan,
    /// `a<1`
    LessThan,
    /// `a`
    Exists,
    /// `!a`
    DoesNotExist,
}

/// A selector that does not parse; the text is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub String);

type Parsed<T> = Result<T, SelectorError>;

impl LabelSelector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self {
            requirements: Some(Vec::new()),
        }
    }

    /// Selects nothing.
    pub fn nothing() -> Self {
        Self { requirements: None }
    }

    /// Reads a selector in text form; an empty text selects everything.
    pub fn parse(text: &str) -> Parsed<Self> {
        let mut requirements = parser::requirements(text)?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self {
            requirements: Some(requirements),
        })
    }

    /// Reads a LabelSelector object; an absent one selects nothing, an empty one everything.
    pub fn from_object(object: Option<&Value>) -> Parsed<Self> {
        let Some(object) = object.filter(|object| !object.is_null()) else {
            return Ok(Self::nothing());
        };
        let root = Field::root(object);
        let mut requirements = Vec::new();
        for (key, value) in root.get("matchLabels").entries() {
            requirements.push(Requirement::new(
                key,
                Operator::Equals,
                vec![value.str().to_owned()],
            )?);
        }
        for expression in root.items("matchExpressions") {
            let operator = match expression.get("operator").str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let quoted = go_quote(other);
                    return Err(SelectorError(format!(
                        "{quoted} is not a valid label selector operator"
                    )));
                }
            };
            let values = expression.get("values").strings().map(str::to_owned).collect();
            requirements.push(Requirement::new(expression.get("key").str(), operator, values)?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self {
            requirements: Some(requirements),
        })
    }

    /// A selector that asks for every label of a map, as ReplicationControllers and Services have it.
    pub fn from_map(labels: Option<&Value>) -> Self {
        let labels = labels.and_then(Value::as_object).into_iter().flatten();
        let requirements = labels.map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.as_str().unwrap_or_default().to_owned()],
        });
        Self {
            requirements: Some(requirements.collect()),
        }
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    /// The requirements; `None` where nothing is selected.
    pub fn requirements(&self) -> Option<&[Requirement]> {
        self.requirements.as_deref()
    }

    /// Whether an object with these labels (`metadata.labels`, absent for none) is selected.
    pub fn matches(&self, labels: Option<&Value>) -> bool {
        let labels = labels.and_then(Value::as_object);
        self.requirements
            .as_ref()
            .is_some_and(|all| all.iter().all(|requirement| requirement.matches(labels)))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().flatten().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

/// A LabelSelector object as tables show it.
pub fn shown(selector: Option<&Value>) -> String {
    match LabelSelector::from_object(selector) {
        Err(_) => "<error>".to_owned(),
        Ok(selector) => Some(selector.to_string())
            .filter(|text| !text.is_empty())
            .unwrap_or("<none>".to_owned()),
    }
}

impl Requirement {
    /// A requirement whose key and values fit the operator.
    pub fn new(key: &str, operator: Operator, values: Vec<String>) -> Parsed<Self> {
        let mut errors = Vec::new();
        let texts = names::qualified_name(key);
        if !texts.is_empty() {
            errors.push(format!(
                "key: Invalid value: {}: {}",
                go_quote(key),
                texts.join("; ")
            ));
        }
        let shown = || go_json(&Value::from(values.clone()));
        match operator {
            Operator::In | Operator::NotIn if values.is_empty() => errors.push(format!(
                "values: Invalid value: {}: for 'in', 'notin' operators, values set can't be empty",
                shown()
            )),
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => errors.push(format!(
                "values: Invalid value: {}: values set must be empty for exists and does not exist",
                shown()
            )),
            Operator::GreaterThan | Operator::LessThan => {
                let bad = values
                    .iter()
                    .enumerate()
                    .filter(|(_, value)| go_integer(value).is_none());
                errors.extend(bad.map(|(index, value)| {
                    let value = go_quote(value);
                    format!(
                        "values[{index}]: Invalid value: {value}: for 'Gt', 'Lt' operators, the value must be an integer"
                    )
                }));
            }
            _ => {}
        }
        for (index, value) in values.iter().enumerate() {
            let texts = names::label_value(value);
            if !texts.is_empty() {
                let value = go_quote(value);
                errors.push(format!(
                    "values[{index}][{key}]: Invalid value: {value}: {}",
                    texts.join("; ")
                ));
            }
        }
        match errors.len() {
            0 => Ok(Self {
                key: key.to_owned(),
                operator,
                values,
            }),
            1 => Err(SelectorError(errors.remove(0))),
            _ => Err(SelectorError(format!("[{}]", errors.join(", ")))),
        }
    }

    /// Whether these labels fulfil it.
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        let value = labels
            .and_then(|labels| labels.get(&self.key))
            .and_then(Value::as_str);
        let among = |value: &str| self.values.iter().any(|wanted| wanted == value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(among),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(among),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan | Operator::LessThan => {
                let wanted = self.values.first().and_then(|wanted| go_integer(wanted));
                match (value.and_then(go_integer), wanted) {
                    (Some(value), Some(wanted)) if self.operator == Operator::GreaterThan => value > wanted,
                    (Some(value), Some(wanted)) => value < wanted,
                    _ => false,
                }
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = self.values.clone();
        values.sort_unstable();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}

/// As Go's `strconv.ParseInt`: digits with a sign, no blanks.
fn go_integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_are_read_and_written() {
        for (text, written) in [
            ("", ""),
            ("a", "a"),
            ("!a", "!a"),
            ("b=c, a==d", "a==d,b=c"),
            ("a!=b,c", "a!=b,c"),
            ("x in (b,a,a)", "x in (a,b)"),
            ("x notin (a,,b)", "x notin (,a,b)"),
            ("x in ()", "x in ()"),
            ("x in (,)", "x in ()"),
            ("in in (in)", "in in (in)"),
            ("a=", "a="),
            ("a>1,a<3", "a>1,a<3"),
        ] {
            assert_eq!(
                LabelSelector::parse(text).map(|s| s.to_string()),
                Ok(written.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_parse_is_named_in_upstreams_words() {
        for (text, error) in [
            ("a,", "found '', expected: identifier after ','"),
            (",a", "found ',', expected: !, identifier, or 'end of string'"),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            (
                "a in (b",
                "unable to parse requirement: found '', expected: ',' or ')'",
            ),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            (
                "a=(",
                "unable to parse requirement: found '(', expected: identifier",
            ),
            (
                "a>b",
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value \
                 must be an integer",
            ),
        ] {
            assert_eq!(
                LabelSelector::parse(text),
                Err(SelectorError(error.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn labels_are_matched() {
        let labels = json!({"a": "1", "b": ""});
        for (text, matches) in [
            ("a", true),
            ("!c", true),
            ("a=1,b=", true),
            ("a!=1", false),
            ("c!=1", true),
            ("a in (1,2)", true),
            ("a notin (1)", false),
            ("a>0", true),
            ("a<1", false),
            ("b>0", false),
        ] {
            let selector = LabelSelector::parse(text).expect("a selector");
            assert_eq!(selector.matches(Some(&labels)), matches, "{text}");
        }
        assert!(
            !LabelSelector::from_object(None)
                .expect("nothing")
                .matches(Some(&labels))
        );
        assert!(
            LabelSelector::from_object(Some(&json!({})))
                .expect("everything")
                .matches(None)
        );
        let object =
            json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]});
        assert!(
            LabelSelector::from_object(Some(&object))
                .expect("a selector")
                .matches(Some(&labels))
        );
        assert_eq!(shown(Some(&object)), "a=1,b");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[a-c!=<>(), innot]{0,16}|.*") {
            if let Ok(selector) = LabelSelector::parse(&text) {
                let written = selector.to_string();
                prop_assert_eq!(LabelSelector::parse(&written).map(|s| s.to_string()), Ok(written));
            }
        }
    }
}
