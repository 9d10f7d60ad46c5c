//! Helm's command line, read as its own library (spf13/pflag) reads it, with its error texts. Clap's rules differ where
//! scripts notice: `-f a,b`, `--flag=false`, `-nprod`, flags between arguments.

use std::collections::BTreeMap;

/// One flag that a command knows.
pub struct Flag {
    pub name: &'static str,
    pub short: Option<char>,
    pub kind: Kind,
}

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true` and `=false`.
    Switch,
    /// One text; the last one counts.
    Text,
    /// Texts, one at a time.
    Texts,
    /// Texts with commas between them, quoted as in CSV.
    List,
    /// A text behind `=`, or nothing, which stands for this.
    Optional(&'static str),
}

pub const fn switch(name: &'static str) -> Flag {
    Flag {
        name,
        short: None,
        kind: Kind::Switch,
    }
}

pub const fn text(name: &'static str) -> Flag {
    Flag {
        name,
        short: None,
        kind: Kind::Text,
    }
}

pub const fn texts(name: &'static str) -> Flag {
    Flag {
        name,
        short: None,
        kind: Kind::Texts,
    }
}

pub const fn list(name: &'static str) -> Flag {
    Flag {
        name,
        short: None,
        kind: Kind::List,
    }
}

impl Flag {
    pub const fn short(self, short: char) -> Flag {
        Flag {
            short: Some(short),
            ..self
        }
    }
}

/// Flags of helm itself, which every command knows. Most are about a cluster or about downloads; they change nothing here.
pub const GLOBAL: &[Flag] = &[
    switch("debug"),
    text("namespace").short('n'),
    text("helm-compat"),
    switch("help").short('h'),
    text("burst-limit"),
    text("content-cache"),
    text("kube-apiserver"),
    texts("kube-as-group"),
    text("kube-as-user"),
    text("kube-ca-file"),
    text("kube-context"),
    switch("kube-insecure-skip-tls-verify"),
    text("kube-tls-server-name"),
    text("kube-token"),
    text("kubeconfig"),
    text("qps"),
    text("registry-config"),
    text("repository-cache"),
    text("repository-config"),
    // Those of deploy, for who writes them behind the command.
    text("lang"),
    text("color"),
    text("colour"),
    text("config"),
    text("data-dir"),
];

/// Flags that give values.
pub const VALUES: &[Flag] = &[
    list("values").short('f'),
    texts("set"),
    texts("set-string"),
    texts("set-file"),
    texts("set-json"),
    texts("set-literal"),
];

/// Flags that say where a chart is fetched from.
pub const CHART: &[Flag] = &[
    text("version"),
    switch("verify"),
    text("keyring"),
    text("repo"),
    text("username"),
    text("password"),
    text("cert-file"),
    text("key-file"),
    switch("insecure-skip-tls-verify"),
    switch("plain-http"),
    text("ca-file"),
    switch("pass-credentials"),
    switch("devel"),
];

/// The flags that a command knows, in several tables.
pub type Tables = &'static [&'static [Flag]];

/// A command line, taken apart.
#[derive(Debug, Default)]
pub struct Line {
    given: BTreeMap<&'static str, Vec<String>>,
    /// What is no flag.
    pub arguments: Vec<String>,
}

impl Line {
    /// Takes a command line apart; the error is pflag's.
    pub fn parse(args: &[String], known: Tables) -> Result<Line, String> {
        let mut line = Line::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                line.arguments.extend(rest.by_ref().cloned());
            } else if let Some(long) = arg.strip_prefix("--") {
                line.long(arg, long, &mut rest, known)?;
            } else if arg.starts_with('-') && arg.len() > 1 {
                line.shorts(&arg[1..], &mut rest, known)?;
            } else {
                line.arguments.push(arg.clone());
            }
        }
        Ok(line)
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// The last text of a flag.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name)?.last().map(String::as_str)
    }

    /// All texts of a flag, in order.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.given.get(name).cloned().unwrap_or_default()
    }

    fn long(
        &mut self,
        whole: &str,
        long: &str,
        rest: &mut std::slice::Iter<'_, String>,
        known: Tables,
    ) -> Result<(), String> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(format!("bad flag syntax: {whole}"));
        }
        let flag = find(known, |flag| flag.name == name).ok_or_else(|| format!("unknown flag: --{name}"))?;
        let value = match (value, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Switch) => "true".to_owned(),
            (None, Kind::Optional(default)) => default.to_owned(),
            (None, _) => rest
                .next()
                .cloned()
                .ok_or_else(|| format!("flag needs an argument: {whole}"))?,
        };
        self.set(flag, &value)
    }

    fn shorts(
        &mut self,
        group: &str,
        rest: &mut std::slice::Iter<'_, String>,
        known: Tables,
    ) -> Result<(), String> {
        let mut group_rest = group;
        while let Some(c) = group_rest.chars().next() {
            let behind = &group_rest[c.len_utf8()..];
            let flag = find(known, |flag| flag.short == Some(c))
                .ok_or_else(|| format!("unknown shorthand flag: '{c}' in -{group_rest}"))?;
            if let Some(value) = behind.strip_prefix('=').filter(|_| behind.len() > 1) {
                return self.set(flag, value);
            }
            match flag.kind {
                Kind::Switch => {
                    self.set(flag, "true")?;
                    group_rest = behind;
                }
                Kind::Optional(default) => {
                    self.set(flag, default)?;
                    group_rest = behind;
                }
                _ if !behind.is_empty() => return self.set(flag, behind),
                _ => {
                    let missing = || format!("flag needs an argument: '{c}' in -{group_rest}");
                    return self.set(flag, rest.next().ok_or_else(missing)?);
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        let refused = |reason: String| {
            let names = match flag.short {
                Some(short) => format!("-{short}, --{}", flag.name),
                None => format!("--{}", flag.name),
            };
            format!("invalid argument {value:?} for {names:?} flag: {reason}")
        };
        let given = self.given.entry(flag.name).or_default();
        match flag.kind {
            Kind::Switch => {
                let on = match value {
                    "1" | "t" | "T" | "TRUE" | "true" | "True" => "true",
                    "0" | "f" | "F" | "FALSE" | "false" | "False" => "false",
                    _ => {
                        return Err(refused(format!(
                            "strconv.ParseBool: parsing {value:?}: invalid syntax"
                        )));
                    }
                };
                given.push(on.to_owned());
            }
            Kind::List => given.extend(csv(value).map_err(refused)?),
            Kind::Text | Kind::Texts | Kind::Optional(_) => given.push(value.to_owned()),
        }
        Ok(())
    }
}

fn find(known: Tables, is: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    known.iter().flat_map(|table| table.iter()).find(|flag| is(flag))
}

/// One record of comma-separated values, as Go's `encoding/csv` reads it.
fn csv(record: &str) -> Result<Vec<String>, String> {
    if record.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields = Vec::new();
    let mut rest = record;
    loop {
        let column = record.len() - rest.len();
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            if let Some(quote) = field.find('"') {
                let at = column + quote + 1;
                return Err(format!(
                    "parse error on line 1, column {at}: bare \" in non-quoted field"
                ));
            }
            fields.push(field.to_owned());
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        let mut inside = quoted;
        let after = loop {
            let Some(end) = inside.find('"') else {
                let at = record.len() + 1;
                return Err(format!(
                    "parse error on line 1, column {at}: extraneous or missing \" in quoted-field"
                ));
            };
            field.push_str(&inside[..end]);
            inside = &inside[end + 1..];
            match inside.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    inside = after;
                }
                None => break inside,
            }
        };
        fields.push(field);
        if after.is_empty() {
            return Ok(fields);
        }
        rest = after.strip_prefix(',').ok_or_else(|| {
            let at = record.len() - after.len();
            format!("parse error on line 1, column {at}: extraneous or missing \" in quoted-field")
        })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Tables = &[GLOBAL, VALUES, OTHERS];
    const OTHERS: &[Flag] = &[
        switch("generate-name").short('g'),
        Flag {
            name: "dry-run",
            short: None,
            kind: Kind::Optional("unset"),
        },
    ];

    fn parse(args: &[&str]) -> Result<Line, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Line::parse(&args, KNOWN)
    }

    #[test]
    fn reads_as_pflag_does() {
        let args = [
            "a",
            "-f",
            "x,y",
            "--set=k=v",
            "-nprod",
            "b",
            "-f=z",
            "--debug=false",
            "-g",
            "--dry-run",
            "--",
            "-c",
        ];
        let line = parse(&args).expect("a command line");
        assert_eq!(line.arguments, ["a", "b", "-c"]);
        assert_eq!(line.texts("values"), ["x", "y", "z"]);
        assert_eq!(line.texts("set"), ["k=v"]);
        assert_eq!(line.text("namespace"), Some("prod"));
        assert!(!line.is_on("debug") && line.is_on("generate-name"));
        assert_eq!(line.text("dry-run"), Some("unset"));
    }

    #[test]
    fn errors_are_those_of_pflag() {
        for (args, error) in [
            (&["--foo"][..], "unknown flag: --foo"),
            (&["-z"], "unknown shorthand flag: 'z' in -z"),
            (&["--set"], "flag needs an argument: --set"),
            (&["-gf"], "flag needs an argument: 'f' in -f"),
            (&["---x"], "bad flag syntax: ---x"),
            (
                &["--debug=x"],
                "invalid argument \"x\" for \"--debug\" flag: strconv.ParseBool: parsing \"x\": invalid syntax",
            ),
            (
                &["-f", "a\"b"],
                "invalid argument \"a\\\"b\" for \"-f, --values\" flag: parse error on line 1, column 2: bare \" in \
                 non-quoted field",
            ),
        ] {
            assert_eq!(parse(args).err().as_deref(), Some(error), "{args:?}");
        }
    }

    #[test]
    fn lists_are_csv() {
        assert_eq!(
            csv("a,\"b,c\",\"d\"\"e\","),
            Ok(vec!["a".into(), "b,c".into(), "d\"e".into(), String::new()])
        );
        assert!(csv("\"a").is_err() && csv("\"a\"b").is_err());
        assert_eq!(csv(""), Ok(Vec::new()));
    }
}
