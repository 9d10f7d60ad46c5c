//! Subresources that are a part of the object itself, written in a way of their own.

use super::Strategy;
use crate::scope::Scope;

/// How the subresource of the scope is written; none where it is no part of the object.
pub(crate) fn strategy(scope: &Scope) -> Option<Strategy> {
    let main = Strategy::main(scope.rules, false);
    Some(match scope.subresource_name() {
        "" => main,
        "status" => Strategy::status(scope.rules),
        name => Strategy {
            part: Some(scope.rules.subresources.iter().find(|part| part.name == name)?),
            create: false,
            ..main
        },
    })
}
