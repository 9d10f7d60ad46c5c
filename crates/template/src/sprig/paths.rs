//! Paths with slashes; on the systems we run on, `osBase` and its kin are the same functions.

use crate::func::{FuncResult, Host};
use crate::sprig::args::{string, text};
use crate::value::Value;

pub(super) fn base(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let path = text(args, 0);
    if path.is_empty() {
        return string(".");
    }
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |last| last + 1);
    let path = &path[..end];
    let name = path
        .iter()
        .rposition(|&b| b == b'/')
        .map_or(path, |slash| &path[slash + 1..]);
    string(if name.is_empty() { b"/" } else { name })
}

pub(super) fn dir(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let path = text(args, 0);
    let end = path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    string(cleaned(&path[..end]))
}

pub(super) fn clean(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(cleaned(text(args, 0)))
}

pub(super) fn ext(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let path = text(args, 0);
    let found = path.iter().rposition(|&b| matches!(b, b'.' | b'/'));
    let dot = found.filter(|&at| path[at] == b'.');
    string(dot.map_or(b"".as_slice(), |at| &path[at..]))
}

pub(super) fn is_abs(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(text(args, 0).starts_with(b"/")))
}

/// The shortest path that means the same.
fn cleaned(path: &[u8]) -> Vec<u8> {
    let absolute = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => drop(kept.pop()),
            b".." if absolute => {}
            part => kept.push(part),
        }
    }
    let joined = kept.join(b"/".as_slice());
    match (absolute, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let cases = [
            ("", "."),
            ("a/../../b", "../b"),
            ("/../a//b/.", "/a/b"),
            ("a/..", "."),
            ("../..", "../.."),
        ];
        for (path, want) in cases {
            assert_eq!(cleaned(path.as_bytes()), want.as_bytes(), "{path}");
        }
    }
}
