//! `.Files`: the files of a chart that are neither templates nor charts.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use deploy_template::encoding::encode_base64;
use deploy_template::func::{FuncError, Host, Param, Signature};
use deploy_template::value::{ElemType, Map, Object, Value};
use serde_json::Value as Json;

use super::functions::without_final_newline;
use crate::helm::chart::File;
use crate::helm::go::glob::Glob;
use crate::helm::manifests::sort::base;

/// A map from path to content, with helm's methods.
pub struct Files {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl Files {
    /// All files of a chart.
    pub fn new(files: &[File]) -> Files {
        Files {
            files: files
                .iter()
                .map(|file| (file.name.clone(), Arc::clone(&file.data)))
                .collect(),
        }
    }

    fn content(&self, path: &str) -> &[u8] {
        self.files.get(path).map_or(&[], |data| &data[..])
    }

    /// A pattern that cannot be understood matches every file.
    fn glob(&self, pattern: &str) -> Files {
        let glob = Glob::files(pattern).unwrap_or_else(Glob::everything);
        Files {
            files: self
                .files
                .iter()
                .filter(|(path, _)| glob.matches(path))
                .map(|(path, data)| (path.clone(), data.clone()))
                .collect(),
        }
    }

    /// YAML of file names (without folders) to texts.
    fn to_yaml(&self, text: impl Fn(&[u8]) -> String) -> String {
        let entries = self
            .files
            .iter()
            .map(|(path, data)| (base(path).to_owned(), Json::String(text(data))))
            .collect();
        without_final_newline(deploy_yaml::emit_sigs(&Json::Object(entries)))
    }

    fn lines(&self, path: &str) -> Value {
        let data = self.content(path);
        if data.is_empty() {
            return Value::strings(Vec::<&[u8]>::new());
        }
        Value::strings(data.strip_suffix(b"\n").unwrap_or(data).split(|b| *b == b'\n'))
    }
}

impl Object for Files {
    fn type_name(&self) -> &str {
        "engine.files"
    }

    fn display(&self) -> String {
        let entries: Vec<String> = self
            .files
            .iter()
            .map(|(path, data)| {
                let bytes: Vec<String> = data.iter().map(u8::to_string).collect();
                format!("{path}:[{}]", bytes.join(" "))
            })
            .collect();
        format!("map[{}]", entries.join(" "))
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.files.get(name).map(|data| Value::Bytes(Rc::from(&data[..])))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let params: &'static [Param] = match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => &[Param::String],
            "AsConfig" | "AsSecrets" => &[],
            _ => return None,
        };
        Some(Signature {
            params,
            variadic: None,
        })
    }

    fn call(&self, name: &str, args: &[Value], _: &mut dyn Host) -> Option<Result<Value, FuncError>> {
        let argument = match args.first() {
            Some(Value::Str(text)) => text.to_str().into_owned(),
            _ => String::new(),
        };
        let result = match (name, args.len()) {
            ("Get", 1) => Value::str(self.content(&argument)),
            ("GetBytes", 1) => Value::Bytes(Rc::from(self.content(&argument))),
            ("Glob", 1) => Value::Object(Rc::new(self.glob(&argument))),
            ("Lines", 1) => self.lines(&argument),
            ("AsConfig", 0) => Value::str(self.to_yaml(|data| String::from_utf8_lossy(data).into_owned())),
            ("AsSecrets", 0) => Value::str(self.to_yaml(encode_base64)),
            _ => return None,
        };
        Some(Ok(result))
    }

    fn entries(&self) -> Option<Map> {
        let entries = self
            .files
            .iter()
            .map(|(path, data)| (path.as_str().into(), Value::Bytes(Rc::from(&data[..]))))
            .collect();
        Some(Map::typed(ElemType::Bytes, Some("engine.files"), entries))
    }

    fn truth(&self) -> bool {
        !self.files.is_empty()
    }

    fn to_json(&self) -> Json {
        Json::Object(
            self.files
                .iter()
                .map(|(path, data)| (path.clone(), Json::String(encode_base64(data))))
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
