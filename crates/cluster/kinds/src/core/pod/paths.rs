//! Paths of files in containers.

use crate::cursor::{Field, Findings};

/// What upstream says of a mode that is none.
pub const MODE_TEXT: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// A relative path that does not leave its folder. `path` is judged, the finding shows it at `place`.
pub fn local_descending(place: &Field<'_>, path: &str, out: &mut Findings) {
    if path.starts_with('/') {
        out.push(place.invalid_value(path, "must be a relative path"));
    }
    no_backsteps(place, path, out);
}

/// As [`local_descending`]; the first part may not start with two dots either, which the kubelet keeps for itself.
pub fn local_non_reserved(place: &Field<'_>, path: &str, out: &mut Findings) {
    local_descending(place, path, out);
    if path.starts_with("..") && !path.starts_with("../") {
        out.push(place.invalid_value(path, "must not start with '..'"));
    }
}

/// A path without `..`.
pub fn no_backsteps(place: &Field<'_>, path: &str, out: &mut Findings) {
    if path.split('/').any(|part| part == "..") {
        out.push(place.invalid_value(path, "must not contain '..'"));
    }
}

/// The mode of a file.
pub fn mode(mode: &Field<'_>, out: &mut Findings) {
    if mode.opt_int().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        out.push(mode.invalid(MODE_TEXT));
    }
}
