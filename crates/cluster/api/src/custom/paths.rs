//! JSON paths as definitions use them: `.spec.containers[0].name`, `.metadata.annotations.a\.b`,
//! `.status.conditions[?(@.type=="Ready")].status` (`client-go/util/jsonpath`).

use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A field.
    Field(String),
    /// All fields or items.
    All,
    /// An item; from the end where it is negative.
    Item(i64),
    /// Items from, to (exclusive), step.
    Items(Option<i64>, Option<i64>, i64),
    /// Items whose path compares to a value: `==`, `!=`, `<` ...; without one, items that have the path.
    Where(Vec<Step>, Option<(String, Value)>),
    /// All that is below, by name.
    Anywhere(String),
}

/// A path, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// Reads a path; none where it is none.
    pub fn parse(text: &str) -> Option<JsonPath> {
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        while !rest.is_empty() {
            rest = step(rest, &mut steps)?;
        }
        Some(JsonPath(steps))
    }

    /// What is there, in order.
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        find(&self.0, value)
    }
}

fn step<'t>(text: &'t str, steps: &mut Vec<Step>) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix("..") {
        let (name, rest) = name(rest);
        steps.push(Step::Anywhere(name));
        return Some(rest);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return bracket(rest, steps);
    }
    let rest = text.strip_prefix('.').unwrap_or(text);
    if rest.is_empty() {
        return Some(rest);
    }
    if let Some(rest) = rest.strip_prefix('*') {
        steps.push(Step::All);
        return Some(rest);
    }
    if rest.starts_with('[') {
        return Some(rest);
    }
    let (name, rest) = name(rest);
    if name.is_empty() {
        return None;
    }
    steps.push(Step::Field(name));
    Some(rest)
}

/// A name up to the next dot or bracket; a backslash takes the next letter as it is.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '.' | '[' => return (name, &text[place..]),
            '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
            letter => name.push(letter),
        }
    }
    (name, "")
}

/// What stands in brackets.
fn bracket<'t>(text: &'t str, steps: &mut Vec<Step>) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix("?(") {
        let end = rest.find(")]")?;
        steps.push(filter(&rest[..end])?);
        return Some(&rest[end + 2..]);
    }
    let end = text.find(']')?;
    let (inner, rest) = (text[..end].trim(), &text[end + 1..]);
    let quoted = inner
        .strip_prefix('\'')
        .and_then(|inner| inner.strip_suffix('\''))
        .or_else(|| inner.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')));
    let number = |text: &str| -> Option<Option<i64>> {
        if text.is_empty() {
            Some(None)
        } else {
            Some(Some(text.parse().ok()?))
        }
    };
    steps.push(match quoted {
        Some(name) => Step::Field(name.to_owned()),
        None if inner == "*" => Step::All,
        None if inner.contains(':') => {
            let mut parts = inner.split(':');
            let from = number(parts.next().unwrap_or_default())?;
            let to = number(parts.next().unwrap_or_default())?;
            Step::Items(from, to, number(parts.next().unwrap_or_default())?.unwrap_or(1))
        }
        None => Step::Item(inner.parse().ok()?),
    });
    Some(rest)
}

fn filter(text: &str) -> Option<Step> {
    let operators = ["==", "!=", "<=", ">=", "<", ">"];
    let found = operators
        .iter()
        .filter_map(|operator| Some((text.find(operator)?, *operator)))
        .min_by_key(|(place, operator)| (*place, std::cmp::Reverse(operator.len())));
    let path = |text: &str| JsonPath::parse(text.trim().strip_prefix('@')?);
    let Some((place, operator)) = found else {
        return Some(Step::Where(path(text)?.0, None));
    };
    let right = text[place + operator.len()..].trim();
    let value = match right.trim_matches(['"', '\'']) {
        inner if inner.len() + 2 == right.len() => Value::from(inner),
        plain => serde_json::from_str(plain).ok()?,
    };
    Some(Step::Where(
        path(&text[..place])?.0,
        Some((operator.to_owned(), value)),
    ))
}

fn find<'v>(steps: &[Step], value: &'v Value) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in steps {
        found = found.into_iter().flat_map(|value| take(step, value)).collect();
    }
    found
}

fn take<'v>(step: &Step, value: &'v Value) -> Vec<&'v Value> {
    let place = |items: &[Value], place: i64| {
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        usize::try_from(if place < 0 { place + length } else { place }).unwrap_or(0)
    };
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => fields.get(name).into_iter().collect(),
        (Step::All, Value::Object(fields)) => fields.values().collect(),
        (Step::All, Value::Array(items)) => items.iter().collect(),
        (Step::Item(number), Value::Array(items)) => {
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            if *number < -length {
                Vec::new()
            } else {
                items.get(place(items, *number)).into_iter().collect()
            }
        }
        (Step::Items(from, to, by), Value::Array(items)) => {
            let from = from.map_or(0, |from| place(items, from));
            let to = to.map_or(items.len(), |to| place(items, to)).min(items.len());
            let by = usize::try_from(*by).ok().filter(|by| *by > 0).unwrap_or(1);
            items
                .get(from..to)
                .unwrap_or_default()
                .iter()
                .step_by(by)
                .collect()
        }
        (Step::Where(path, wanted), Value::Array(items)) => items
            .iter()
            .filter(|item| holds(path, wanted.as_ref(), item))
            .collect(),
        (Step::Anywhere(name), value) => {
            let mut found = Vec::new();
            anywhere(name, value, &mut found);
            found
        }
        _ => Vec::new(),
    }
}

fn anywhere<'v>(name: &str, value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name));
            fields.values().for_each(|below| anywhere(name, below, found));
        }
        Value::Array(items) => items.iter().for_each(|below| anywhere(name, below, found)),
        _ => {}
    }
}

fn holds(path: &[Step], wanted: Option<&(String, Value)>, item: &Value) -> bool {
    let found = find(path, item);
    let (Some(left), Some((operator, right))) = (found.first(), wanted) else {
        return wanted.is_none() && !found.is_empty();
    };
    let order = match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (a, b) => (*a == b).then_some(std::cmp::Ordering::Equal),
    };
    match operator.as_str() {
        "==" => order.is_some_and(std::cmp::Ordering::is_eq),
        "!=" => !order.is_some_and(std::cmp::Ordering::is_eq),
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        _ => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::JsonPath;

    #[test]
    fn paths_find_what_they_say() {
        let object = json!({
            "spec": {"n": 5, "words": ["x", "y", "z"], "a.b": 1},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Odd", "status": "No", "n": 3}]},
        });
        for (path, found) in [
            (".spec.n", json!([5])),
            (".spec.words[0]", json!(["x"])),
            (".spec.words[-1]", json!(["z"])),
            (".spec.words[-9]", json!([])),
            (".spec.words[9]", json!([])),
            (".spec.words[1:]", json!(["y", "z"])),
            (".spec.words[*]", json!(["x", "y", "z"])),
            (r".spec.a\.b", json!([1])),
            (".spec['a.b']", json!([1])),
            (".spec.none.deeper", json!([])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type=='Odd')].status", json!(["No"])),
            (".status.conditions[?(@.n>2)].type", json!(["Odd"])),
            (".status.conditions[?(@.n)].type", json!(["Odd"])),
            ("..status", json!([object["status"], "True", "No"])),
        ] {
            let parsed = JsonPath::parse(path).expect(path);
            assert_eq!(json!(parsed.find(&object)), found, "{path}");
        }
        assert_eq!(JsonPath::parse(".spec["), None);
    }
}
