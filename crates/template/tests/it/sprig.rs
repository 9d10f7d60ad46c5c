//! The sprig functions as templates call them: the external suite, and calls with anything at all.

use deploy_conformance::{Suite, root, rows, skipped};
use deploy_template::func::Host;
use deploy_template::sprig::functions;
use deploy_template::value::Value;
use deploy_template::{Funcs, Options, TemplateSet, execute};
use serde_json::Value as Json;

/// A world with one environment variable or more, a clock that stands and bits that are drawn from a seed.
struct World {
    zone: String,
    env: Vec<(String, String)>,
    random: u64,
}

impl World {
    fn new() -> World {
        World {
            zone: "UTC".to_owned(),
            env: Vec::new(),
            random: 1,
        }
    }
}

impl Host for World {
    fn now_unix_nanos(&self) -> i128 {
        1_700_000_000_123_456_789
    }

    fn time_zone(&self) -> &str {
        &self.zone
    }

    fn fill_random(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            // xorshift64: enough for tests.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            *byte = self.random.to_le_bytes()[3];
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        let found = self.env.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }
}

fn render(template: &str, vars: &Value, world: &mut World) -> Result<Vec<u8>, String> {
    let mut funcs = Funcs::new();
    funcs.extend(functions());
    let mut set = TemplateSet::new("t");
    set.parse("t", template, &funcs).map_err(|e| e.to_string())?;
    execute(&set, "t", vars, &funcs, world, Options::default()).map_err(|e| e.to_string())
}

#[test]
fn sprig() {
    let Some(root) = root() else {
        return skipped("gotemplate/sprig");
    };
    let mut suite = Suite::new("gotemplate/sprig");
    for row in rows(&root, "gotemplate/sprig.jsonl") {
        suite.case(row["name"].as_str().unwrap_or_default(), || case(&row));
    }
    suite.finish();
}

fn case(row: &Json) -> Result<(), String> {
    let mut world = World::new();
    if let Some(zone) = row["timezone"].as_str() {
        world.zone = zone.to_owned();
    }
    for (key, value) in row["env"].as_object().into_iter().flatten() {
        world
            .env
            .push((key.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    let template = row["template"].as_str().unwrap_or_default();
    let got = render(template, &Value::from_json_integers(&row["vars"]), &mut world);
    let got = got.map(|out| String::from_utf8_lossy(&out).into_owned());
    match (got, row["expect_error"].as_bool()) {
        (Err(_), Some(true)) => Ok(()),
        (Ok(got), None | Some(false)) if Some(got.as_str()) == row["want"].as_str() => Ok(()),
        (got, _) => Err(format!(
            "{template}\ngot  {got:?}\nwant {} {}",
            row["want"], row["error"]
        )),
    }
}

/// `sprig.jsonl` holds generated calls and what sprig v3.3.0 under Go 1.26.8 made of them, errors included; its first
/// row is the data that all of them see.
#[test]
fn what_the_original_gave() {
    let parse = |line| serde_json::from_str::<Json>(line).expect("a row is JSON");
    let mut rows = include_str!("sprig.jsonl").lines().map(parse);
    let setting = rows.next().expect("the first row is the data");
    let mut wrong = Vec::new();
    for row in rows {
        let template = row["template"].as_str().expect("a row has a template");
        // Calls change maps in place, so that each row needs data of its own.
        let vars = Value::from_json_integers(&setting["vars"]);
        let got = render(template, &vars, &mut World::new());
        let got = got.map(|out| String::from_utf8_lossy(&out).into_owned());
        let as_recorded = match &got {
            Ok(out) => row["want"].as_str() == Some(out),
            Err(error) => row["error"].as_str() == Some(error),
        };
        if !as_recorded {
            wrong.push(format!("{row}\n got {got:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

mod anything {
    use deploy_template::func::{FuncDef, Param};
    use deploy_template::value::{ElemType, IntType, List, Map, UintType};
    use proptest::prelude::*;

    use super::*;

    /// What a call may give: strings and lists of a few MB, however large the numbers in its arguments are.
    const MAX_RESULT_BYTES: usize = 80 << 20;

    /// Functions that search for primes or hash slowly on purpose; the examples above and below cover them.
    const SLOW: [&str; 10] = [
        "genPrivateKey",
        "genCA",
        "genCAWithKey",
        "genSelfSignedCert",
        "genSelfSignedCertWithKey",
        "genSignedCert",
        "genSignedCertWithKey",
        "derivePassword",
        "bcrypt",
        "htpasswd",
    ];

    #[derive(Clone, Debug)]
    enum Plain {
        Nil,
        Bool(bool),
        Int(i64),
        Uint(u64),
        Float(f64),
        Bytes(Vec<u8>),
        Text(String),
        List(Vec<Plain>),
        Map(Vec<(String, Plain)>),
    }

    fn int() -> impl Strategy<Value = i64> {
        prop_oneof![
            -10..100i64,
            any::<i64>(),
            Just(i64::MAX),
            Just(i64::MIN),
            Just(1_000_000_000_000)
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        const KNOWN: [&str; 18] = [
            "2006-01-02T15:04:05Z07:00",
            "2024-02-29T12:00:00Z",
            "(?i)(a+)+[[:alpha:]]",
            "$1",
            ">=1.2 <2 || ^0.1",
            "1.2.3-rc.1",
            "1h30m",
            "https://u:p@h:1/p?q#f",
            "Zm9v",
            "{\"a\":[1]}",
            "HTTPServer2xx",
            "rsa",
            "-----BEGIN X-----\nAA==\n-----END X-----\n",
            "Asia/Shanghai",
            "0x1F",
            "\\Q",
            "[",
            "*",
        ];
        prop_oneof![
            any::<String>(),
            "[a-c ,.*+?(){}\\[\\]0-9$-]{0,12}",
            proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned)
        ]
    }

    fn plain() -> impl Strategy<Value = Plain> {
        let leaf = prop_oneof![
            Just(Plain::Nil),
            any::<bool>().prop_map(Plain::Bool),
            int().prop_map(Plain::Int),
            any::<u64>().prop_map(Plain::Uint),
            any::<f64>().prop_map(Plain::Float),
            any::<Vec<u8>>().prop_map(Plain::Bytes),
            text().prop_map(Plain::Text),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Plain::List),
                proptest::collection::vec(("[abc]", inner), 0..4).prop_map(Plain::Map),
            ]
        })
    }

    fn value(plain: &Plain) -> Value {
        match plain {
            Plain::Nil => Value::Nil,
            Plain::Bool(b) => Value::Bool(*b),
            Plain::Int(n) => Value::Int(*n, IntType::Int64),
            Plain::Uint(n) => Value::Uint(*n, UintType::Uint64),
            Plain::Float(f) => Value::Float(*f),
            Plain::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
            Plain::Text(s) => Value::str(s.as_str()),
            Plain::List(items) => Value::list(items.iter().map(value).collect()),
            Plain::Map(entries) => Value::map(entries.iter().map(|(k, v)| (k.as_str(), value(v)))),
        }
    }

    /// A value of the declared type, made of one of any type.
    fn argument(param: Param, plain: &Plain, number: i64, text: &str) -> Value {
        match param {
            Param::Any | Param::Reflect => value(plain),
            Param::String => Value::str(text),
            Param::Bool => Value::Bool(number % 2 == 0),
            Param::Int => Value::int(number),
            Param::Int64 => Value::int64(number),
            Param::Uint32 => Value::Uint(number.unsigned_abs() & 0xffff_ffff, UintType::Uint32),
            #[allow(clippy::cast_precision_loss, reason = "any float will do")]
            Param::Float64 => Value::Float(number as f64 / 3.0),
            Param::Bytes => Value::Bytes(text.as_bytes().into()),
            Param::Strings => Value::strings([text]),
            Param::List => match plain {
                Plain::List(items) => Value::list(items.iter().map(value).collect()),
                _ => Value::List(List::nil(ElemType::Any)),
            },
            Param::Map => match plain {
                Plain::Map(entries) => Value::map(entries.iter().map(|(k, v)| (k.as_str(), value(v)))),
                _ => Value::Nil,
            },
            Param::StringMap => Value::Map(Map::typed(
                ElemType::String,
                None,
                [(text.into(), Value::str(text))].into(),
            )),
            Param::Object(_) => call("toDate", &[Value::str("2006"), Value::str("2024")]).expect("a date"),
        }
    }

    fn call(name: &str, args: &[Value]) -> Result<Value, String> {
        let function = functions()
            .iter()
            .find(|f| f.name == name)
            .expect("the function exists");
        (function.body)(&mut World::new(), args).map_err(|e| e.message)
    }

    fn size(value: &Value) -> usize {
        match value {
            Value::Str(s) => s.as_bytes().len(),
            Value::List(list) => list.items().len(),
            _ => 0,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// No function panics or makes more than its limit, whatever it is given.
        #[test]
        fn every_function_survives(
            plains in proptest::collection::vec(plain(), 6),
            numbers in proptest::collection::vec(int(), 6),
            texts in proptest::collection::vec(text(), 6),
            further in 0..4usize,
        ) {
            for function in functions().iter().filter(|f| !SLOW.contains(&f.name)) {
                let FuncDef { params, variadic, body, .. } = *function;
                let further = variadic.into_iter().flat_map(|p| std::iter::repeat_n(p, further));
                let params = params.iter().copied().chain(further);
                let at = |i: usize| i % 6;
                let args: Vec<Value> = params
                    .enumerate()
                    .map(|(i, p)| argument(p, &plains[at(i)], numbers[at(i)], &texts[at(i)]))
                    .collect();
                if let Ok(result) = body(&mut World::new(), &args) {
                    prop_assert!(size(&result) <= MAX_RESULT_BYTES, "{} gave {} bytes", function.name, size(&result));
                }
            }
        }
    }

    #[test]
    fn limits_have_clear_errors() {
        let huge = || Value::int(1_000_000_000_000);
        let x = || Value::str("x");
        let cases: [(&str, Vec<Value>); 6] = [
            ("repeat", vec![huge(), x()]),
            ("indent", vec![huge(), x()]),
            ("until", vec![huge()]),
            ("untilStep", vec![Value::int(0), huge(), Value::int(1)]),
            ("randAlpha", vec![huge()]),
            ("seq", vec![huge()]),
        ];
        for (name, args) in cases {
            let error = call(name, &args).err().unwrap_or_default();
            assert!(error.contains("would"), "{name}: {error}");
        }
    }

    #[test]
    fn keys_and_certificates_fit_together() {
        let key = call("genPrivateKey", &[Value::str("ecdsa")]).expect("a key");
        let authority =
            call("genCAWithKey", &[Value::str("ca"), Value::int(1), key.clone()]).expect("an authority");
        let names = Value::list(vec![Value::str("host.example")]);
        let addresses = Value::list(vec![Value::str("10.0.0.1")]);
        let other = call("genPrivateKey", &[Value::str("ed25519")]).expect("a key");
        let args = [
            Value::str("host"),
            addresses,
            names,
            Value::int(1),
            authority,
            other,
        ];
        let signed = call("genSignedCertWithKey", &args).expect("a certificate");
        let Value::Object(signed) = signed else {
            panic!("a certificate is an object")
        };
        let Some(Value::Str(cert)) = signed.field("Cert") else {
            panic!("it has a certificate")
        };
        let Some(Value::Str(key)) = signed.field("Key") else {
            panic!("it has a key")
        };
        let encoded = |s: &str| call("b64enc", &[Value::str(s)]).expect("base64");
        let rebuilt = call(
            "buildCustomCert",
            &[encoded(&cert.to_str()), encoded(&key.to_str())],
        );
        assert!(rebuilt.is_ok(), "{:?}", rebuilt.err());
    }
}
