//! Small checks that many kinds make of a field.

use crate::cursor::{Field, Findings};

/// The value is malformed in these ways.
pub fn invalid(field: &Field<'_>, texts: Vec<String>, out: &mut Findings) {
    out.extend(texts.into_iter().map(|text| field.invalid(text)));
}

/// A text that must be there and be one of `supported`.
pub fn required_one_of(field: &Field<'_>, supported: &[&str], out: &mut Findings) {
    if field.is_empty() {
        out.push(field.required(""));
    } else {
        one_of(field, supported, out);
    }
}

/// A text that, if it is there, is one of `supported`.
pub fn one_of(field: &Field<'_>, supported: &[&str], out: &mut Findings) {
    if field.exists() && !supported.contains(&field.str()) {
        out.push(field.not_supported(supported));
    }
}

/// Something that must be there and not empty.
pub fn required(field: &Field<'_>, out: &mut Findings) {
    if field.is_empty() {
        out.push(field.required(""));
    }
}

/// A name that must be there and follow a rule.
pub fn required_name(field: &Field<'_>, rule: fn(&str) -> Vec<String>, out: &mut Findings) {
    if field.is_empty() {
        out.push(field.required(""));
    } else {
        invalid(field, rule(field.str()), out);
    }
}
