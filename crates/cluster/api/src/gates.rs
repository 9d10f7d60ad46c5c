//! What stands between a decoded object and the store, each part owned by its module: authorization, admission,
//! allocators.

use serde_json::Value;

use crate::admission::AdmissionRequest;
use crate::api::Inner;
use crate::scope::Scope;
use crate::status::StatusError;
use crate::verbs::Call;

/// Admission, first the part that changes objects, then the part that judges them.
#[derive(Default)]
pub(crate) struct Admission;

impl Admission {
    pub async fn admit(&self, _request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
        Ok(())
    }

    pub async fn validate(&self, _request: &mut AdmissionRequest<'_>) -> Result<(), StatusError> {
        Ok(())
    }
}

/// Addresses and ports that a write has taken; they are given back unless the write is kept.
pub(crate) struct Reservation;

impl Reservation {
    /// The write is on disk.
    pub fn keep(self) {}
}

impl Inner {
    /// Takes the addresses and ports that an object needs.
    pub fn reserve(
        &self,
        _call: &Call<'_>,
        _new: &mut Value,
        _old: Option<&Value>,
    ) -> Result<Reservation, StatusError> {
        Ok(Reservation)
    }

    /// Gives back what an object that is gone has held.
    pub fn released(&self, _scope: &Scope, _last: &Value) {}
}
