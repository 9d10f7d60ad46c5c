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

/// Runs the rows of a file of JSON lines (`template`, `vars`) and writes what comes out beside it, for a comparison
/// with the original: `SPRIG_ROWS=rows.jsonl cargo test -p deploy-template --test it compare`.
#[test]
fn compare() {
    let Some(path) = std::env::var_os("SPRIG_ROWS") else {
        return;
    };
    let source = std::fs::read_to_string(&path).expect("the rows can be read");
    let mut out = String::new();
    for line in source.lines() {
        let row: Json = serde_json::from_str(line).expect("a row is JSON");
        let template = row["template"].as_str().unwrap_or_default();
        let vars = Value::from_json_integers(&row["vars"]);
        let result = match render(template, &vars, &mut World::new()) {
            Ok(out) => serde_json::json!({ "out": out }),
            Err(error) => serde_json::json!({ "err": error }),
        };
        out.push_str(&format!("{result}\n"));
    }
    let mut beside = path.clone();
    beside.push(".out");
    std::fs::write(beside, out).expect("the results can be written");
}
