//! `urlParse` and `urlJoin`: URLs as dictionaries.

mod escape;
mod parse;

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{fail, map, text};
use crate::sprig::reflect::kind;
use crate::value::{Map, Value};

pub(super) use parse::{Url, UserInfo};

pub(super) fn url_parse(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let url = match Url::parse(text(args, 0)) {
        Ok(url) => url,
        Err(e) => return fail(format!("unable to parse url: {e}")),
    };
    let hostname = url.hostname().to_vec();
    let userinfo = url.user.as_ref().map(UserInfo::escaped).unwrap_or_default();
    Ok(Value::map([
        ("scheme", Value::str(url.scheme)),
        ("host", Value::str(url.host)),
        ("hostname", Value::str(hostname)),
        ("path", Value::str(url.path)),
        ("query", Value::str(url.query)),
        ("opaque", Value::str(url.opaque)),
        ("fragment", Value::str(url.fragment)),
        ("userinfo", Value::str(userinfo)),
    ]))
}

pub(super) fn url_join(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let dict = map(args, 0);
    let part = |key| text_or_empty(dict, key);
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let userinfo = part("userinfo")?;
    if !userinfo.is_empty() {
        let text = [b"proto://", userinfo.as_slice(), b"@host"].concat();
        url.user = match Url::parse(&text) {
            Ok(parsed) => parsed.user,
            Err(e) => return fail(format!("unable to parse userinfo in dict: {e}")),
        };
    }
    Ok(Value::str(url.joined()))
}

fn text_or_empty(dict: Option<&Map>, key: &str) -> Result<Vec<u8>, FuncError> {
    match dict.and_then(|m| m.get(key)) {
        None => Ok(Vec::new()),
        Some(Value::Str(s)) => Ok(s.as_bytes().to_vec()),
        Some(Value::Nil) => fail(crate::sprig::args::NIL_DEREFERENCE),
        Some(other) => fail(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            kind(&other)
        )),
    }
}
