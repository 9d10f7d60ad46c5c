//! Who may do what.
//!
//! Clients come in three ways: without a word (from this machine, if the registry was told so), with a name and a
//! password, or with a token that they got for these from `/token` (distribution, docs/content/spec/auth/token.md).

mod accounts;
mod rights;
mod token;

pub use accounts::{Accounts, AccountsError};
pub use rights::{Action, Grant, Rights};
pub use token::Scope;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use tokio::sync::Semaphore;

use crate::limits;
use crate::registry::{Clock, lock};
use token::Signer;

/// Says who may do what.
pub trait Authenticator: Send + Sync {
    /// What one may do who says nothing and comes from there.
    fn anonymous(&self, from: IpAddr) -> Rights;

    /// What one may do who shows this name and password; none if they are wrong. It may take its time.
    fn sign_in(&self, name: &str, password: &str) -> Option<Rights>;
}

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As he is called in the log; empty for nobody in particular.
    pub name: String,
    /// What he may do.
    pub rights: Rights,
    /// How he came.
    pub way: Way,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without a word.
    Anonymous,
    /// With a name and a password.
    Password,
    /// With a token, which may hold less than what he is entitled to.
    Token,
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// The name or the password is wrong.
    Password,
    /// The token is none of ours, or its time is over.
    Token,
    /// Neither a password nor a token.
    Unreadable,
}

/// The gate.
pub struct Gate {
    authenticator: Arc<dyn Authenticator>,
    signer: Signer,
    /// Passwords that were right a moment ago, by a code that only this process can compute.
    known: Mutex<HashMap<[u8; 32], (Rights, u64)>>,
    code: hmac::Key,
    checks: Semaphore,
    clock: Clock,
}

impl Gate {
    /// A gate with keys of its own: tokens end with the process, and clients get new ones.
    ///
    /// # Errors
    /// Where the operating system has no randomness.
    pub fn new(
        authenticator: Arc<dyn Authenticator>,
        clock: Clock,
    ) -> Result<Self, ring::error::Unspecified> {
        let random = ring::rand::SystemRandom::new();
        Ok(Self {
            authenticator,
            signer: Signer::new(&random)?,
            known: Mutex::default(),
            code: hmac::Key::generate(hmac::HMAC_SHA256, &random)?,
            checks: Semaphore::new(limits::PASSWORD_CHECKS),
            clock,
        })
    }

    /// Who sends this `Authorization`.
    pub(crate) async fn admit(&self, authorization: Option<&str>, from: IpAddr) -> Result<Caller, Stranger> {
        let Some(authorization) = authorization else {
            return Ok(Caller {
                name: String::new(),
                rights: self.authenticator.anonymous(from),
                way: Way::Anonymous,
            });
        };
        let (scheme, value) = authorization.split_once(' ').ok_or(Stranger::Unreadable)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            let claims = self
                .signer
                .verify(value.trim(), (self.clock)())
                .ok_or(Stranger::Token)?;
            return Ok(Caller {
                name: claims.name,
                rights: claims.rights,
                way: Way::Token,
            });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Stranger::Unreadable);
        }
        let decoded = STANDARD.decode(value.trim()).map_err(|_| Stranger::Unreadable)?;
        let text = String::from_utf8(decoded).map_err(|_| Stranger::Unreadable)?;
        let (name, password) = text.split_once(':').ok_or(Stranger::Unreadable)?;
        self.sign_in(name, password).await
    }

    /// Who has this name and password.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Result<Caller, Stranger> {
        let caller = |rights| Caller {
            name: name.to_owned(),
            rights,
            way: Way::Password,
        };
        let code = self.code_of(name, password);
        let now = (self.clock)();
        if let Some((rights, until)) = lock(&self.known).get(&code)
            && now < *until
        {
            return Ok(caller(rights.clone()));
        }
        let _place = self.checks.acquire().await.map_err(|_| Stranger::Password)?;
        let (authenticator, shown) = (self.authenticator.clone(), (name.to_owned(), password.to_owned()));
        let rights = tokio::task::spawn_blocking(move || authenticator.sign_in(&shown.0, &shown.1)).await;
        let rights = rights.ok().flatten().ok_or(Stranger::Password)?;
        let mut known = lock(&self.known);
        known.retain(|_, (_, until)| now < *until);
        if known.len() < limits::PASSWORDS_KNOWN {
            known.insert(code, (rights.clone(), now + limits::PASSWORD_LIFE.as_secs()));
        }
        Ok(caller(rights))
    }

    /// A token for what of these scopes the caller may have, and the seconds that it is good for.
    pub(crate) fn token(&self, caller: &Caller, scopes: &[Scope]) -> (String, u64) {
        let life = limits::TOKEN_LIFE.as_secs();
        let rights = caller.rights.within(scopes);
        (
            self.signer.sign(&caller.name, &rights, (self.clock)(), life),
            life,
        )
    }

    fn code_of(&self, name: &str, password: &str) -> [u8; 32] {
        let text = format!("{}:{name}{password}", name.len());
        let tag = hmac::sign(&self.code, text.as_bytes());
        let mut code = [0; 32];
        code.copy_from_slice(tag.as_ref());
        code
    }
}
