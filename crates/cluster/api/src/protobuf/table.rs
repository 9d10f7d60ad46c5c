//! Which number is which field of which message.

use std::collections::HashMap;
use std::sync::OnceLock;

use deploy_cluster_schema::registry::GroupVersionKind;

/// One line a message, then one line a field: number, name, type. The type is `s` text, `b` bytes, `i` a signed or
/// unsigned integer, `t` a truth value, `d` a double, or a message; `*` before it is a list, `%` a map with text as keys.
const MESSAGES: &str = include_str!("messages.txt");

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub r#type: &'static str,
}

/// How often the type stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    List,
    Map,
}

type Table = HashMap<&'static str, HashMap<u32, Field>>;

/// The fields of a message by number. Read once, when the first client sends protobuf.
pub(super) fn fields(message: &str) -> Option<&'static HashMap<u32, Field>> {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(read).get(message)
}

fn read() -> Table {
    let mut table = Table::new();
    let mut message = "";
    for line in MESSAGES.lines() {
        match read_field(line) {
            Some((number, field)) => {
                table.entry(message).or_default().insert(number, field);
            }
            None => {
                message = line;
                table.entry(message).or_default();
            }
        }
    }
    table
}

/// The fields of a message as they are declared; none for what is no message. Read once, for the first error that shows
/// an object.
pub(super) fn declared(message: &str) -> &'static [Field] {
    static FIELDS: OnceLock<HashMap<&'static str, Vec<Field>>> = OnceLock::new();
    let fields = FIELDS.get_or_init(|| {
        let mut fields: HashMap<&'static str, Vec<Field>> = HashMap::new();
        let (mut current, mut kept) = ("", Vec::new());
        for line in MESSAGES.lines() {
            match read_field(line) {
                Some((_, field)) => kept.push(field),
                None => {
                    fields.insert(std::mem::replace(&mut current, line), std::mem::take(&mut kept));
                }
            }
        }
        fields.insert(current, kept);
        fields
    });
    fields.get(message).map(Vec::as_slice).unwrap_or_default()
}

/// A line of a field; none for that of a message.
fn read_field(line: &'static str) -> Option<(u32, Field)> {
    let mut words = line.split(' ');
    let (number, name, r#type) = (words.next()?, words.next()?, words.next()?);
    let (shape, r#type) = match r#type.as_bytes()[0] {
        b'*' => (Shape::List, &r#type[1..]),
        b'%' => (Shape::Map, &r#type[1..]),
        _ => (Shape::One, r#type),
    };
    let number = number.parse().expect("a test reads the built-in table");
    Some((number, Field { name, shape, r#type }))
}

/// The message of a kind.
pub(super) fn message_of(kind: &GroupVersionKind) -> Option<&'static str> {
    let package = match &*kind.group {
        "" => "core",
        "meta.k8s.io" => "meta",
        group => group.split('.').next().unwrap_or_default(),
    };
    let of_all_groups = matches!(
        &*kind.kind,
        "DeleteOptions" | "CreateOptions" | "UpdateOptions" | "PatchOptions"
    );
    let name = if of_all_groups {
        format!("meta.v1.{}", kind.kind)
    } else {
        format!("{package}.{}.{}", kind.version, kind.kind)
    };
    static NAMES: OnceLock<HashMap<&'static str, ()>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        MESSAGES
            .lines()
            .filter(|line| !line.contains(' '))
            .map(|line| (line, ()))
            .collect()
    });
    names.get_key_value(name.as_str()).map(|(name, ())| *name)
}
