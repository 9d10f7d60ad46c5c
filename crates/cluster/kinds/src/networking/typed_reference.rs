//! A reference to an object of any kind in the same namespace (`pkg/apis/networking/validation
//! validateIngressTypedLocalObjectReference`).

use crate::cursor::{Field, Findings};
use crate::{check, names};

/// Checks a reference.
pub fn validate(reference: &Field<'_>, out: &mut Findings) {
    let group = reference.get("apiGroup");
    if group.exists() {
        check::invalid(&group, names::dns_subdomain(group.str()), out);
    }
    for name in ["kind", "name"] {
        check::required_name(
            &reference.get(name),
            |name| names::path_segment_name(name, false),
            out,
        );
    }
}
