//! Paths and queries as they are escaped (WHATWG URL, "application/x-www-form-urlencoded").

/// The text behind `%41` escapes; none if it is no text then.
pub fn unescape(text: &str, plus_is_blank: bool) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'%' => {
                let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
                let value = digit(0)? * 16 + digit(1)?;
                bytes.push(u8::try_from(value).ok()?);
                rest = &behind[2..];
            }
            b'+' if plus_is_blank => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// The names and values of a query or a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// What cannot be read is left out.
    pub fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        };
        Self(
            text.split('&')
                .filter(|part| !part.is_empty())
                .filter_map(pair)
                .collect(),
        )
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = move |(found, _): &&(String, String)| found == name;
        self.0.iter().filter(same).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        assert_eq!(unescape("a%3Ab+c", false).as_deref(), Some("a:b+c"));
        assert_eq!(unescape("a+b%2B", true).as_deref(), Some("a b+"));
        for wrong in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(unescape(wrong, false), None, "{wrong}");
        }
        let query = Query::parse("a=1&b=x%20y&a=2&&c&%zz=1");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(
            (query.get("b"), query.get("c"), query.get("d")),
            (Some("x y"), Some(""), None)
        );
    }
}
