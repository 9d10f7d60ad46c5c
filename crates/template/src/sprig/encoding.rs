//! The base64 and base32 functions. What cannot be decoded gives the error's text in the place of the data.

use crate::encoding::{decode_base32, decode_base64, encode_base32, encode_base64};
use crate::func::{FuncResult, Host};
use crate::sprig::args::{check_text_size, string, text};
use crate::value::Value;

pub(super) fn b64enc(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(encode_base64(text(args, 0)))
}

pub(super) fn b64dec(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(decode_base64(text(args, 0)).unwrap_or_else(|e| e.to_string().into_bytes()))
}

pub(super) fn b32enc(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    check_text_size(text(args, 0).len() / 5 * 8)?;
    string(encode_base32(text(args, 0)))
}

pub(super) fn b32dec(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(decode_base32(text(args, 0)).unwrap_or_else(|e| e.to_string().into_bytes()))
}
