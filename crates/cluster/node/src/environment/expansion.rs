//! `$(NAME)` in values, commands, arguments and subPathExpr (`third_party/forked/golang/expansion`).

use std::collections::BTreeSet;

use super::ConfigError;

/// What a reference stands for.
type Mapping<'a> = &'a mut dyn FnMut(&str) -> String;

/// Replaces the references that `variables` knows. Others stay as they are, `$$` is one dollar.
pub fn expand(text: &str, variables: &dyn Fn(&str) -> Option<String>) -> String {
    replace(text, &mut |name| {
        variables(name).unwrap_or_else(|| format!("$({name})"))
    })
}

/// The command and the arguments of a container, each part expanded with its environment.
pub fn expand_all<'a>(parts: impl Iterator<Item = &'a str>, environment: &[(String, String)]) -> Vec<String> {
    parts
        .map(|part| expand(part, &|name| value(environment, name).map(str::to_owned)))
        .collect()
}

/// A subPathExpr: each reference must have a value.
///
/// # Errors
/// The references that have none, in upstream's words.
pub fn expand_path(path: &str, environment: &[(String, String)]) -> Result<String, ConfigError> {
    let mut missing = BTreeSet::new();
    let expanded = replace(path, &mut |name| {
        let value = value(environment, name).unwrap_or_default();
        if value.is_empty() {
            missing.insert(name.to_owned());
        }
        value.to_owned()
    });
    if missing.is_empty() {
        return Ok(expanded);
    }
    let names: Vec<String> = missing.into_iter().collect();
    Err(ConfigError(format!("missing value for {}", names.join(", "))))
}

/// The last of that name wins, as in a process's environment that was made from a map.
fn value<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = environment.iter().rev().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.as_str())
}

fn replace(text: &str, mapping: Mapping<'_>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.as_bytes().first() {
            Some(b'$') => {
                expanded.push('$');
                &after[1..]
            }
            Some(b'(') => match after.find(')') {
                Some(end) => {
                    expanded.push_str(&mapping(&after[1..end]));
                    &after[end + 1..]
                }
                None => {
                    expanded.push_str("$(");
                    &after[1..]
                }
            },
            _ => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Vec<(String, String)> {
        let pairs = [
            ("VAR_A", "A"),
            ("VAR_B", "B"),
            ("VAR_C", "C"),
            ("VAR_REF", "$(VAR_A)"),
            ("VAR_EMPTY", ""),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    #[test]
    fn references_become_values() {
        let cases = [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("$(VAR_A)_$(VAR_B)_$(VAR_C)", "A_B_C"),
            ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"),
            ("f000-$$VAR_A", "f000-$VAR_A"),
            (r"foo\$(VAR_C)bar", r"foo\Cbar"),
            ("$(VAR_A$(VAR_B))", "$(VAR_A$(VAR_B))"),
            ("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"),
            ("%%$(VAR_REF)--$(VAR_REF)%%", "%%$(VAR_A)--$(VAR_A)%%"),
            ("foo$(VAR_EMPTY)bar", "foobar"),
            ("foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"),
            ("f00__(VAR_A)__", "f00__(VAR_A)__"),
            ("$?_boo_$!", "$?_boo_$!"),
            ("$(VAR_DNE)", "$(VAR_DNE)"),
            ("$$$$$$(VAR_A)", "$$$(VAR_A)"),
            ("$$$$$$$(VAR_A)", "$$$A"),
            ("$$$$$$$(GOOD_ODDS)", "$$$$(GOOD_ODDS)"),
            ("${VAR_A}", "${VAR_A}"),
            ("$(VAR_B)_______$(A", "B_______$(A"),
            ("$(VAR_A)foobarzab$", "Afoobarzab$"),
            ("$($($($($--foo$(", "$($($($($--foo$("),
            ("$(foo$$var)", "$(foo$$var)"),
            ("$é$(VAR_A)€", "$éA€"),
            ("", ""),
        ];
        let environment = environment();
        for (text, expected) in cases {
            let expanded = expand_all([text].into_iter(), &environment);
            assert_eq!(expanded, [expected], "{text}");
        }
    }

    #[test]
    fn a_path_needs_all_its_values() {
        let environment = environment();
        assert_eq!(
            expand_path("logs/$(VAR_A)/$(VAR_B)", &environment).as_deref(),
            Ok("logs/A/B")
        );
        let error =
            expand_path("$(NONE)/$(VAR_EMPTY)/$(ABSENT)", &environment).expect_err("three are missing");
        assert_eq!(error.to_string(), "missing value for ABSENT, NONE, VAR_EMPTY");
    }
}
