//! `helm show values --jsonpath`: the JSONPath of kubectl (`k8s.io/client-go/util/jsonpath`).

use deploy_template::value::{JsonStyle, Value as GoValue};
use serde_json::{Map, Value};

/// A template that cannot be read. Helm shows nothing where it can be read but does not fit the values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing jsonpath {path}: {reason}")]
pub struct JsonPathError {
    /// What was given.
    pub path: String,
    /// The library's words.
    pub reason: String,
}

/// What a template selects, as kubectl prints it; nothing where a key is missing.
pub fn print(path: &str, values: &Map<String, Value>) -> Result<String, JsonPathError> {
    let refused = |reason: String| JsonPathError {
        path: path.to_owned(),
        reason,
    };
    let parts = Parser::new(path).template().map_err(refused)?;
    let root = Value::Object(values.clone());
    let mut out = String::new();
    Ok(match run(&parts, &root, &mut out) {
        Some(()) => out,
        None => String::new(),
    })
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// Outside of braces.
    Text(String),
    /// `{...}`
    Action(Vec<Step>),
    /// `{range ...}` to `{end}`
    Range(Vec<Step>, Vec<Part>),
    /// A word that is none of the language.
    Broken,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Literal(Value),
    Field(String),
    Wildcard,
    Recursive,
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        derived: bool,
        step: Option<i64>,
    },
    Union(Vec<Vec<Step>>),
    Filter {
        left: Vec<Step>,
        operator: String,
        right: Vec<Step>,
    },
}

fn run(parts: &[Part], data: &Value, out: &mut String) -> Option<()> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Action(steps) => {
                let found = walk(steps, vec![data.clone()])?;
                let texts: Vec<String> = found.iter().map(shown).collect();
                out.push_str(&texts.join(" "));
            }
            Part::Broken => return None,
            Part::Range(steps, body) => {
                for item in walk(steps, vec![data.clone()])? {
                    run(body, &item, out)?;
                }
            }
        }
    }
    Some(())
}

/// Lists and maps as JSON, everything else as Go prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => {
            let style = JsonStyle {
                escape_html: true,
                pretty: false,
            };
            GoValue::from_json_integers(value)
                .to_json_text(style)
                .unwrap_or_default()
        }
        other => {
            let go = GoValue::from_json_integers(other);
            String::from_utf8_lossy(&deploy_template::fmt::sprint(&[go])).into_owned()
        }
    }
}

fn walk(steps: &[Step], from: Vec<Value>) -> Option<Vec<Value>> {
    steps.iter().try_fold(from, |values, step| apply(step, values))
}

fn apply(step: &Step, values: Vec<Value>) -> Option<Vec<Value>> {
    match step {
        Step::Literal(literal) => Some(vec![literal.clone(); values.len()]),
        Step::Field(name) => {
            if values.is_empty() {
                return Some(values);
            }
            let found: Vec<Value> = values
                .iter()
                .filter_map(|value| value.get(name.as_str()).cloned())
                .collect();
            (!found.is_empty()).then_some(found)
        }
        Step::Wildcard => Some(values.iter().flat_map(children).collect()),
        Step::Recursive => {
            let mut found = Vec::new();
            values.iter().for_each(|value| descend(value, &mut found));
            Some(found)
        }
        Step::Slice {
            from,
            to,
            derived,
            step,
        } => {
            let mut found = Vec::new();
            for value in values.iter().filter(|value| !value.is_null()) {
                slice(value.as_array()?, (*from, *to, *derived, *step), &mut found)?;
            }
            Some(found)
        }
        Step::Union(alternatives) => {
            let mut found = Vec::new();
            for steps in alternatives {
                found.extend(walk(steps, values.clone())?);
            }
            Some(found)
        }
        Step::Filter {
            left,
            operator,
            right,
        } => {
            let mut found = Vec::new();
            for value in &values {
                for item in value.as_array()? {
                    if passes(item, left, operator, right)? {
                        found.push(item.clone());
                    }
                }
            }
            Some(found)
        }
    }
}

fn children(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(fields) => fields.values().cloned().collect(),
        Value::String(text) => text.bytes().map(Value::from).collect(),
        _ => Vec::new(),
    }
}

/// The value and all below it that have something below them.
fn descend(value: &Value, found: &mut Vec<Value>) {
    let below: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return,
    };
    if !below.is_empty() {
        found.push(value.clone());
        below.into_iter().for_each(|value| descend(value, found));
    }
}

fn slice(
    items: &[Value],
    (from, to, derived, step): (Option<i64>, Option<i64>, bool, Option<i64>),
    found: &mut Vec<Value>,
) -> Option<()> {
    let length = i64::try_from(items.len()).ok()?;
    let wrap = |index: i64, wraps: bool| if wraps { index + length } else { index };
    let start = from.unwrap_or(0);
    let start = wrap(start, start < 0);
    let end = match to {
        None => length,
        Some(to) => wrap(to, to < 0 || (to == 0 && derived)),
    };
    if start == end {
        return Some(());
    }
    let valid = (0..length).contains(&start) && (0..=length).contains(&end) && start < end;
    let step = usize::try_from(step.unwrap_or(1)).ok().filter(|step| *step > 0)?;
    if !valid {
        return None;
    }
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    found.extend(items[start..end].iter().step_by(step).cloned());
    Some(())
}

fn passes(item: &Value, left: &[Step], operator: &str, right: &[Step]) -> Option<bool> {
    let lefts = walk(left, vec![item.clone()]);
    if operator == "exists" {
        return Some(lefts.is_some_and(|found| !found.is_empty()));
    }
    let (lefts, rights) = (lefts?, walk(right, vec![item.clone()])?);
    let (left, right) = match (lefts.as_slice(), rights.as_slice()) {
        ([], _) | (_, []) => return Some(false),
        ([left], [right]) => (left, right),
        _ => return None,
    };
    let order = match (left, right) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) if matches!(operator, "==" | "!=") => a.cmp(b),
        // Go compares no integer with a float.
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => {
            a.as_f64()?.partial_cmp(&b.as_f64()?)?
        }
        _ => return None,
    };
    Some(match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => return None,
    })
}

/// Ranges inside ranges, filters inside filters; far above any real template.
const MAX_DEPTH: usize = 50;

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        Parser { rest: text, depth: 0 }
    }

    fn template(&mut self) -> Parsed<Vec<Part>> {
        let (parts, _) = self.parts()?;
        Ok(parts)
    }

    /// Parts up to the end, or inside a range up to `{end}`; whether that was met.
    fn parts(&mut self) -> Parsed<(Vec<Part>, bool)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deep".to_owned());
        }
        let mut parts = Vec::new();
        loop {
            let Some(open) = self.rest.find('{') else {
                if !self.rest.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut self.rest).to_owned()));
                }
                return Ok((parts, false));
            };
            if open > 0 {
                parts.push(Part::Text(self.rest[..open].to_owned()));
            }
            self.rest = &self.rest[open + 1..];
            let (word, steps) = self.action()?;
            match word.as_deref() {
                None => parts.push(Part::Action(steps)),
                Some("range") => {
                    let (body, _) = self.parts()?;
                    parts.push(Part::Range(steps, body));
                }
                Some("end") if self.depth > 1 => {
                    self.depth -= 1;
                    return Ok((parts, true));
                }
                Some(_) => parts.push(Part::Broken),
            }
        }
    }

    /// The steps up to `}`, and the word before them, if there is one.
    fn action(&mut self) -> Parsed<(Option<String>, Vec<Step>)> {
        let mut word = None;
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('}') {
                self.rest = rest;
                return Ok((word, steps));
            }
            if let Some(rest) = self.rest.strip_prefix("[?(") {
                self.rest = rest;
                steps.push(self.filter()?);
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("..") {
                if steps.last() == Some(&Step::Recursive) {
                    return Err("invalid multiple recursive descent".to_owned());
                }
                self.rest = rest;
                steps.push(Step::Recursive);
                if rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()) {
                    steps.push(self.field());
                }
                continue;
            }
            let Some(c) = self.rest.chars().next() else {
                return Err("unclosed action".to_owned());
            };
            let behind = &self.rest[c.len_utf8()..];
            match c {
                '\r' | '\n' => return Err("unclosed action".to_owned()),
                ' ' | '@' | '$' => self.rest = behind,
                '[' => {
                    let end = behind
                        .find([']', '\n'])
                        .filter(|end| behind[*end..].starts_with(']'));
                    let end = end.ok_or("unterminated array")?;
                    steps.extend(array(&behind[..end])?);
                    self.rest = &behind[end + 1..];
                }
                '"' | '\'' => {
                    self.rest = behind;
                    steps.push(Step::Literal(Value::String(self.quoted(c)?)));
                }
                '.' => {
                    self.rest = behind;
                    steps.push(self.field());
                }
                '+' | '-' | '0'..='9' => steps.push(self.number()?),
                c if c == '_' || c.is_alphanumeric() => {
                    let end = self.rest.find(is_terminator).unwrap_or(self.rest.len());
                    let (name, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    match name {
                        "true" => steps.push(Step::Literal(Value::Bool(true))),
                        "false" => steps.push(Step::Literal(Value::Bool(false))),
                        name => word = Some(name.to_owned()),
                    }
                }
                c => {
                    return Err(format!(
                        "unrecognized character in action: U+{:04X} '{c}'",
                        u32::from(c)
                    ));
                }
            }
        }
    }

    fn field(&mut self) -> Step {
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                if let Some((_, escaped)) = chars.next()
                    && escaped != '\\'
                {
                    name.push(escaped);
                }
            } else if is_terminator(c) {
                end = at;
                break;
            } else {
                name.push(c);
            }
        }
        self.rest = &self.rest[end..];
        if name == "*" {
            Step::Wildcard
        } else {
            Step::Field(name)
        }
    }

    fn number(&mut self) -> Parsed<Step> {
        let signed = self.rest.strip_prefix(['+', '-']).unwrap_or(self.rest);
        let digits = signed
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(signed.len());
        let (text, rest) = self.rest.split_at(self.rest.len() - signed.len() + digits);
        self.rest = rest;
        if let Ok(integer) = text.parse::<i64>() {
            return Ok(Step::Literal(Value::from(integer)));
        }
        match text.parse::<f64>() {
            Ok(float) => Ok(Step::Literal(Value::from(float))),
            Err(_) => Err(format!("cannot parse number {text}")),
        }
    }

    /// A text up to its closing quote, with backslash escapes.
    fn quoted(&mut self, quote: char) -> Parsed<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\n' => break,
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err("unterminated quoted string".to_owned())
    }

    /// `LEFT OPERATOR RIGHT)]`, or only a path that must be there.
    fn filter(&mut self) -> Parsed<Step> {
        let mut quote = None;
        let mut before = '\0';
        let mut end = None;
        for (at, c) in self.rest.char_indices() {
            match (c, quote) {
                ('\n', _) => break,
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open && before != '\\' => quote = None,
                (')', None) => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
            before = c;
        }
        let end = end.ok_or("unterminated filter")?;
        let text = &self.rest[..end];
        self.rest = self.rest[end + 1..]
            .strip_prefix(']')
            .ok_or("unclosed array expect ]")?;
        let is_operator = |c: char| "!<>=".contains(c);
        let Some(start) = text.find(is_operator).filter(|start| *start > 0) else {
            return Ok(Step::Filter {
                left: self.inner(text)?,
                operator: "exists".to_owned(),
                right: Vec::new(),
            });
        };
        let behind = &text[start..];
        let length = behind.find(|c| !is_operator(c)).unwrap_or(behind.len());
        Ok(Step::Filter {
            left: self.inner(&text[..start])?,
            operator: behind[..length].to_owned(),
            right: self.inner(&behind[length..])?,
        })
    }

    fn inner(&self, text: &str) -> Parsed<Vec<Step>> {
        if self.depth >= MAX_DEPTH {
            return Err("nested too deep".to_owned());
        }
        let closed = format!("{text}}}");
        let mut parser = Parser {
            rest: &closed,
            depth: self.depth + 1,
        };
        Ok(parser.action()?.1)
    }
}

fn is_terminator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
    )
}

/// What stands between brackets: `*`, `'key'`, `1`, `1:5:2`, or several of them.
fn array(text: &str) -> Parsed<Vec<Step>> {
    let text = if text == "*" { ":" } else { text };
    if text.contains(',') {
        let alternatives = text
            .split(',')
            .map(|part| array(part.trim_matches(' ')))
            .collect::<Parsed<_>>()?;
        return Ok(vec![Step::Union(alternatives)]);
    }
    if let Some(key) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let closed = format!("{key}}}");
        let mut parser = Parser::new(&closed);
        let mut steps = vec![parser.field()];
        steps.extend(parser.action()?.1);
        return Ok(steps);
    }
    let number = |text: &str| -> Parsed<Option<i64>> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|_| format!("array index {text} is not a number"))
    };
    if text.is_empty() || !text.chars().all(|c| c == '-' || c == ':' || c.is_ascii_digit()) {
        return Err(format!("invalid array index {text}"));
    }
    let parts: Vec<&str> = text.split(':').collect();
    let step = match parts.as_slice() {
        [one] => {
            let from = number(one)?;
            Step::Slice {
                from,
                to: from.map(|from| from + 1),
                derived: true,
                step: None,
            }
        }
        [from, to] => Step::Slice {
            from: number(from)?,
            to: number(to)?,
            derived: false,
            step: None,
        },
        [from, to, step] => Step::Slice {
            from: number(from)?,
            to: number(to)?,
            derived: false,
            step: number(step)?,
        },
        _ => return Err(format!("invalid array index {text}")),
    };
    Ok(vec![step])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(path: &str) -> String {
        let values = json!({
            "image": {"tag": "1.2", "pull.policy": "Always"},
            "replicas": 1_000_000.0,
            "hosts": [{"name": "a", "port": 80.0}, {"name": "b", "port": 81.5}, {"name": "c"}],
            "none": null,
        });
        print(path, values.as_object().expect("a map")).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn selects_as_kubectl_does() {
        for (path, expected) in [
            ("{.image.tag}", "1.2"),
            ("{.image.pull\\.policy}", "Always"),
            ("{.image['tag']}", "1.2"),
            ("{.replicas}", "1e+06"),
            ("{.none}", "null"),
            ("{.image}", "{\"pull.policy\":\"Always\",\"tag\":\"1.2\"}"),
            ("{.hosts[*].name}", "a b c"),
            ("{.hosts[0].name} and {.hosts[-1].name}", "a and c"),
            ("{.hosts[0:2].name}", "a b"),
            ("{.hosts[0,2].name}", "a c"),
            ("{.hosts[::2].name}", "a c"),
            ("{..name}", "a b c"),
            ("{range .hosts[*]}<{.name}>{end}!", "<a><b><c>!"),
            ("{.hosts[?(@.name==\"b\")].port}", "81.5"),
            ("{.hosts[?(@.port)].name}", "a b"),
            ("{.missing}", ""),
            ("{.hosts[9]}", ""),
            ("a{foo}", ""),
            ("{end}", ""),
            ("plain", "plain"),
            ("{.x", "error parsing jsonpath {.x: unclosed action"),
            (
                "{.hosts[x]}",
                "error parsing jsonpath {.hosts[x]}: invalid array index x",
            ),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
