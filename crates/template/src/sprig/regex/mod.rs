//! Regular expressions: Go's RE2 syntax, translated for the `regex` crate, which has the same leftmost-first matching.

mod replace;
mod translate;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::bytes::{Match, Regex, RegexBuilder};

use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{check_text_size, fail, int, string, text};
use crate::sprig::limits::{MAX_CACHED_REGEXES, MAX_REGEX_BYTES};
use crate::value::{ElemType, List, Value};

/// A compiled expression with the names of its groups; the translation drops them.
struct Compiled {
    regex: Regex,
    names: Vec<Option<String>>,
}

thread_local! {
    // Compiling takes longer than matching, and charts use one expression for many names.
    static CACHE: RefCell<HashMap<Vec<u8>, Rc<Compiled>>> = RefCell::default();
}

fn compile(pattern: &[u8]) -> Result<Rc<Compiled>, FuncError> {
    if let Some(found) = CACHE.with_borrow(|cache| cache.get(pattern).cloned()) {
        return Ok(found);
    }
    let compiled = Rc::new(compile_new(pattern)?);
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= MAX_CACHED_REGEXES {
            cache.clear();
        }
        cache.insert(pattern.to_vec(), Rc::clone(&compiled));
    });
    Ok(compiled)
}

fn compile_new(pattern: &[u8]) -> Result<Compiled, FuncError> {
    let go_error = |e: translate::SyntaxError| FuncError::new(format!("error parsing regexp: {e}"));
    let translated = translate::translate(pattern).map_err(go_error)?;
    let regex = RegexBuilder::new(&translated.pattern)
        .size_limit(MAX_REGEX_BYTES)
        .nest_limit(translate::MAX_NESTING * 4)
        .build();
    match regex {
        Ok(regex) => Ok(Compiled {
            regex,
            names: translated.names,
        }),
        Err(_) => fail(format!(
            "error parsing regexp: expression compiles to more than {MAX_REGEX_BYTES} bytes"
        )),
    }
}

/// The matches in a text, one after the other.
fn matches<'t>(re: &'t Compiled, source: &'t [u8]) -> impl Iterator<Item = Match<'t>> {
    re.regex.find_iter(source).filter(|m| !splits_a_rune(source, m))
}

/// Go looks between characters only, the crate between bytes, too.
fn splits_a_rune(source: &[u8], found: &Match<'_>) -> bool {
    found.is_empty()
        && source
            .get(found.start())
            .is_some_and(|b| (0x80..0xC0).contains(b))
}

pub(super) fn is_match(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let found = compile(text(args, 0)).map(|re| re.regex.is_match(text(args, 1)));
    Ok(Value::Bool(found.unwrap_or(false)))
}

pub(super) fn must_match(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    Ok(Value::Bool(compile(text(args, 0))?.regex.is_match(text(args, 1))))
}

/// Go panics in the plain functions, and names the expression.
fn must_compile(pattern: &[u8]) -> Result<Rc<Compiled>, FuncError> {
    compile(pattern).map_err(|e| {
        let shown = if crate::quote::can_backquote(pattern) {
            format!("`{}`", String::from_utf8_lossy(pattern))
        } else {
            crate::quote::quote(pattern)
        };
        FuncError::new(format!("regexp: Compile({shown}): {}", e.message))
    })
}

pub(super) fn find(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    found(&*must_compile(text(args, 0))?, args)
}

pub(super) fn must_find(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    found(&*compile(text(args, 0))?, args)
}

fn found(re: &Compiled, args: &[Value]) -> FuncResult {
    let found = matches(re, text(args, 1)).next();
    string(found.map_or(b"".as_slice(), |m| m.as_bytes()))
}

pub(super) fn find_all(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    found_all(&*must_compile(text(args, 0))?, args)
}

pub(super) fn must_find_all(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    found_all(&*compile(text(args, 0))?, args)
}

/// `regexFindAll EXPRESSION TEXT COUNT`; a negative count means all.
fn found_all(re: &Compiled, args: &[Value]) -> FuncResult {
    let limit = usize::try_from(int(args, 2)).unwrap_or(usize::MAX);
    let found: Vec<Value> = matches(re, text(args, 1))
        .take(limit)
        .map(|m| Value::str(m.as_bytes()))
        .collect();
    Ok(Value::List(if found.is_empty() {
        List::nil(ElemType::String)
    } else {
        List::typed(ElemType::String, found)
    }))
}

pub(super) fn replace_all(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    replaced(&*must_compile(text(args, 0))?, args)
}

pub(super) fn must_replace_all(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    replaced(&*compile(text(args, 0))?, args)
}

/// `regexReplaceAll EXPRESSION TEXT REPLACEMENT`
fn replaced(re: &Compiled, args: &[Value]) -> FuncResult {
    let replacement = replace::Replacement::parse(text(args, 2), &re.names);
    let source = text(args, 1);
    let mut out = Vec::with_capacity(source.len());
    let mut end = 0;
    for groups in re.regex.captures_iter(source) {
        let Some(whole) = groups.get(0) else { continue };
        if splits_a_rune(source, &whole) {
            continue;
        }
        out.extend_from_slice(&source[end..whole.start()]);
        replacement.expand(&groups, &mut out);
        check_text_size(out.len())?;
        end = whole.end();
    }
    out.extend_from_slice(&source[end..]);
    string(out)
}

pub(super) fn replace_all_literal(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    replaced_literally(&*must_compile(text(args, 0))?, args)
}

pub(super) fn must_replace_all_literal(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    replaced_literally(&*compile(text(args, 0))?, args)
}

fn replaced_literally(re: &Compiled, args: &[Value]) -> FuncResult {
    let source = text(args, 1);
    let mut out = Vec::with_capacity(source.len());
    let mut end = 0;
    for found in matches(re, source) {
        out.extend_from_slice(&source[end..found.start()]);
        out.extend_from_slice(text(args, 2));
        check_text_size(out.len())?;
        end = found.end();
    }
    out.extend_from_slice(&source[end..]);
    string(out)
}

pub(super) fn split(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    split_at(&*must_compile(text(args, 0))?, args)
}

pub(super) fn must_split(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    split_at(&*compile(text(args, 0))?, args)
}

/// `regexSplit EXPRESSION TEXT COUNT`; a negative count means all parts, 0 none.
fn split_at(re: &Compiled, args: &[Value]) -> FuncResult {
    let (source, limit) = (text(args, 1), int(args, 2));
    if limit == 0 {
        return Ok(Value::List(List::nil(ElemType::String)));
    }
    if source.is_empty() && !text(args, 0).is_empty() {
        return Ok(Value::strings([""]));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in matches(re, source).take(limit) {
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        // An empty match at the very start separates nothing.
        if found.end() != 0 {
            parts.push(&source[start..end]);
        }
        start = found.end();
    }
    if end != source.len() {
        parts.push(&source[start..]);
    }
    Ok(Value::strings(parts))
}

pub(super) fn quote_meta(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut out = Vec::new();
    for &b in text(args, 0) {
        if br"\.+*?()|[]{}^$".contains(&b) {
            out.push(b'\\');
        }
        out.push(b);
    }
    string(out)
}
