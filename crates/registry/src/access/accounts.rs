//! Accounts in a file, as `htpasswd -B` writes them, with what each may do.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;

use super::Authenticator;
use super::rights::{Action, Grant, Rights};
use crate::{limits, name};

/// A password that nobody has, so that a wrong name takes as long as a wrong password.
const NOBODY: &str = "$2b$10$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy";

/// Accounts of a file, and what strangers may do.
pub struct Accounts {
    accounts: HashMap<String, Account>,
    /// Without a name and a password, from this machine.
    local: Rights,
    /// Without a name and a password, from anywhere.
    foreign: Rights,
}

struct Account {
    hash: String,
    rights: Rights,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("count", &self.accounts.len())
            .finish_non_exhaustive()
    }
}

/// What is wrong with a file of accounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// A line is none.
    #[error("line {line}: {reason}")]
    Line {
        /// Which.
        line: usize,
        /// Why.
        reason: String,
    },
}

impl Accounts {
    /// No accounts: strangers of this machine may do everything, all others nothing.
    pub fn open_on_this_machine() -> Self {
        Self::of_strangers(Rights::all(), Rights::none())
    }

    /// No accounts, and what strangers may do: those of this machine, and all others.
    pub fn of_strangers(local: Rights, foreign: Rights) -> Self {
        Self {
            accounts: HashMap::new(),
            local,
            foreign,
        }
    }

    /// The accounts of a text, and what strangers may do.
    ///
    /// A line is `name:hash`, which may do everything, or `name:hash:grants`; grants have blanks between them and are
    /// `pattern=actions`: `shop/*=pull,push *=pull`.
    ///
    /// # Errors
    /// See [`AccountsError`].
    pub fn parse(text: &str, local: Rights, foreign: Rights) -> Result<Self, AccountsError> {
        let mut accounts = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |reason: &str| AccountsError::Line {
                line: at + 1,
                reason: reason.to_owned(),
            };
            let mut parts = line.splitn(3, ':');
            let named = parts.next().filter(|name| !name.is_empty());
            let named = named.ok_or_else(|| wrong("it has no name"))?;
            let hash = parts
                .next()
                .ok_or_else(|| wrong("it has no password; htpasswd -B adds one"))?;
            check_hash(hash).map_err(wrong)?;
            let rights = match parts.next() {
                None => Rights::all(),
                Some(grants) => Rights::of(
                    grants
                        .split_whitespace()
                        .map(grant)
                        .collect::<Result<_, _>>()
                        .map_err(|e| wrong(&e))?,
                ),
            };
            let account = Account {
                hash: hash.to_owned(),
                rights,
            };
            if accounts.insert(named.to_owned(), account).is_some() {
                return Err(wrong("the name is there twice"));
            }
        }
        Ok(Self {
            accounts,
            local,
            foreign,
        })
    }

    /// The accounts of a file.
    ///
    /// # Errors
    /// See [`AccountsError`].
    pub fn read(path: &std::path::Path, local: Rights, foreign: Rights) -> Result<Self, AccountsError> {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)?
            .take(limits::ACCOUNTS_BYTES)
            .read_to_string(&mut text)?;
        Self::parse(&text, local, foreign)
    }
}

impl Authenticator for Accounts {
    fn anonymous(&self, from: IpAddr) -> Rights {
        match from.to_canonical().is_loopback() {
            true => self.local.clone(),
            false => self.foreign.clone(),
        }
    }

    fn sign_in(&self, name: &str, password: &str) -> Option<Rights> {
        let account = self.accounts.get(name);
        let hash = account.map_or(NOBODY, |account| account.hash.as_str());
        let right = bcrypt::verify(password, hash).unwrap_or(false);
        account.filter(|_| right).map(|account| account.rights.clone())
    }
}

/// Only bcrypt, whose cost bounds what a guess takes and what a check takes.
fn check_hash(hash: &str) -> Result<(), &'static str> {
    let cost = ["$2y$", "$2b$", "$2a$"]
        .iter()
        .find_map(|start| hash.strip_prefix(start))
        .and_then(|rest| rest.split('$').next())
        .and_then(|cost| cost.parse::<u32>().ok());
    match cost {
        None => Err("its password is not bcrypt's; htpasswd -B makes such ones"),
        Some(cost) if cost > limits::PASSWORD_COST => {
            Err("checking its password would take seconds; use a cost of 10")
        }
        Some(_) => Ok(()),
    }
}

fn grant(text: &str) -> Result<Grant, String> {
    let (pattern, actions) = text
        .split_once('=')
        .ok_or_else(|| format!("{text} is not pattern=actions"))?;
    let plain = pattern.strip_suffix('*').unwrap_or(pattern);
    let fits = plain.is_empty() && pattern == "*" || name::is_repository(plain.trim_end_matches('/'));
    if !fits {
        return Err(format!(
            "{pattern} is no repository, nor the beginning of one and *"
        ));
    }
    let actions: Option<Vec<Action>> = actions.split(',').map(Action::parse).collect();
    Ok(Grant {
        repositories: pattern.to_owned(),
        actions: actions.ok_or_else(|| format!("{text}: actions are pull, push and delete"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Accounts, AccountsError> {
        Accounts::parse(text, Rights::none(), Rights::none())
    }

    #[test]
    fn accounts_sign_in_with_their_password() {
        let hash = bcrypt::hash("word", 4).expect("a hash");
        let text = format!("# people\nann:{hash}\nci:{hash}:shop/*=pull,push *=pull\n");
        let accounts = parse(&text).expect("two accounts");
        assert_eq!(accounts.sign_in("ann", "word"), Some(Rights::all()));
        let ci = accounts.sign_in("ci", "word").expect("known");
        assert!(ci.allow("shop/web", Action::Push) && ci.allow("x", Action::Pull));
        assert!(!ci.allow("x", Action::Push));
        assert_eq!(accounts.sign_in("ann", "sword"), None);
        assert_eq!(accounts.sign_in("bob", "word"), None);
    }

    #[test]
    fn the_password_of_nobody_is_a_hash() {
        assert!(bcrypt::verify("x", NOBODY).is_ok());
    }

    #[test]
    fn wrong_lines_are_named() {
        let hash = "$2y$10$abcdefghijklmnopqrstuu";
        for line in [
            "ann".to_owned(),
            ":x".to_owned(),
            "ann:{SHA}abc".to_owned(),
            "ann:plain".to_owned(),
            "ann:$2y$31$abc".to_owned(),
            format!("ann:{hash}:shop"),
            format!("ann:{hash}:shop=fly"),
            format!("ann:{hash}:../x=pull"),
            format!("ann:{hash}\nann:{hash}"),
        ] {
            assert!(matches!(parse(&line), Err(AccountsError::Line { .. })), "{line}");
        }
    }

    #[test]
    fn strangers_of_this_machine() {
        let accounts = Accounts::open_on_this_machine();
        let from = |text: &str| accounts.anonymous(text.parse().expect("an address"));
        assert_eq!(from("127.0.0.1"), Rights::all());
        assert_eq!(from("::ffff:127.0.0.1"), Rights::all());
        assert_eq!(from("10.0.0.1"), Rights::none());
    }
}
