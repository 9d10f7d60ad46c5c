//! Users and groups by the image's own /etc/passwd and /etc/group, as containerd resolves them (oci/spec_opts.go).

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Image;
use crate::limits;
use crate::pack::OPAQUE_ATTRIBUTE;

/// Whom a process runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// His first group.
    pub gid: u32,
    /// The groups that name him.
    pub groups: Vec<u32>,
    /// His home, if /etc/passwd has one.
    pub home: Option<String>,
}

/// Why a text names no user of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// Nobody has the name.
    #[error("unable to find user {name}: no matching entries in passwd file")]
    NoUser {
        /// As it was asked for.
        name: String,
    },
    /// No group has the name.
    #[error("unable to find group {name}: no matching entries in group file")]
    NoGroup {
        /// As it was asked for.
        name: String,
    },
    /// A file of the image that cannot be read.
    #[error("cannot read {file} of the image: {reason}")]
    Unreadable {
        /// Which one.
        file: &'static str,
        /// Why.
        reason: String,
    },
}

impl Image {
    /// The user that a text of the form `user`, `uid`, `user:group`, `uid:gid` ... means in this image; root if empty.
    pub fn user(&self, text: &str) -> Result<User, UserError> {
        user_in(&self.layers, text)
    }
}

/// The same for layers of which only the folders are known, topmost first.
pub fn user_in(layers: &[PathBuf], text: &str) -> Result<User, UserError> {
    let passwd = read(layers, "etc/passwd")?;
    let group = read(layers, "etc/group")?;
    resolve(text, &passwd, &group)
}

fn resolve(text: &str, passwd: &str, group: &str) -> Result<User, UserError> {
    let (name, group_name) = match text.split_once(':') {
        Some((name, group)) => (name, (!group.is_empty()).then_some(group)),
        None => (text, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let number: Option<u32> = name.parse().ok();
    let entry = passwd.lines().map(fields).find(|fields| match number {
        Some(uid) => fields.get(2).and_then(|field| field.parse().ok()) == Some(uid),
        None => fields.first() == Some(&name),
    });
    let field = |at: usize| entry.as_ref().and_then(|fields| fields.get(at)).copied();
    let uid = match (number, field(2).and_then(|uid| uid.parse().ok())) {
        (Some(uid), _) | (None, Some(uid)) => uid,
        (None, None) => {
            return Err(UserError::NoUser {
                name: name.to_owned(),
            });
        }
    };
    let gid = match group_name {
        Some(group_name) => group_id(group_name, group)?,
        None => field(3).and_then(|gid| gid.parse().ok()).unwrap_or(0),
    };
    // A user without an entry has no name by which a group could name him.
    let groups = field(0).map_or_else(Vec::new, |login| memberships(login, group));
    Ok(User {
        uid,
        gid,
        groups,
        home: field(5).filter(|home| !home.is_empty()).map(str::to_owned),
    })
}

fn group_id(name: &str, group: &str) -> Result<u32, UserError> {
    let named = group
        .lines()
        .map(fields)
        .find(|fields| fields.first() == Some(&name))
        .and_then(|fields| fields.get(2)?.parse().ok());
    named
        .or_else(|| name.parse().ok())
        .ok_or_else(|| UserError::NoGroup {
            name: name.to_owned(),
        })
}

fn memberships(login: &str, group: &str) -> Vec<u32> {
    group
        .lines()
        .map(fields)
        .filter(|fields| {
            fields
                .get(3)
                .is_some_and(|members| members.split(',').any(|member| member == login))
        })
        .filter_map(|fields| fields.get(2)?.parse().ok())
        .collect()
}

fn fields(line: &str) -> Vec<&str> {
    line.trim().split(':').collect()
}

/// A file of the image: that of the topmost layer that says anything about it. Empty if there is none.
fn read(layers: &[PathBuf], name: &'static str) -> Result<String, UserError> {
    for layer in layers {
        let unreadable = |errno: Errno| UserError::Unreadable {
            file: name,
            reason: errno.to_string(),
        };
        let root = rustix::fs::open(
            layer,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(unreadable)?;
        match look(&root, name) {
            Ok(Found::Bytes(text)) => return Ok(text),
            Ok(Found::Deleted) => return Ok(String::new()),
            Ok(Found::Below) => {}
            Err(errno) => return Err(unreadable(errno)),
        }
    }
    Ok(String::new())
}

enum Found {
    Bytes(String),
    /// This layer hides what is below.
    Deleted,
    /// This layer says nothing.
    Below,
}

fn look(root: &OwnedFd, name: &str) -> Result<Found, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    // A pipe must not block us, whatever the image has in the place of its file.
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = match rustix::fs::openat2(root, name, flags, Mode::empty(), resolve) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR) => return hides(root, name),
        Err(errno) => return Err(errno),
    };
    let status = rustix::fs::fstat(&found)?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = rustix::fs::openat2(root, name, flags, Mode::empty(), resolve)?;
            let mut bytes = Vec::new();
            File::from(file)
                .take(limits::USERS_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            Ok(Found::Bytes(String::from_utf8_lossy(&bytes).into_owned()))
        }
        _ => Ok(Found::Deleted),
    }
}

/// Whether the folder of a missing file was deleted or emptied by this layer.
fn hides(root: &OwnedFd, name: &str) -> Result<Found, Errno> {
    let Some((folder, _)) = name.rsplit_once('/') else {
        return Ok(Found::Below);
    };
    match rustix::fs::statat(root, folder, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(Found::Below),
        Err(errno) => Err(errno),
        Ok(status) if FileType::from_raw_mode(status.st_mode) != FileType::Directory => Ok(Found::Deleted),
        Ok(_) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            let folder = rustix::fs::openat2(root, folder, flags, Mode::empty(), resolve)?;
            let mut value = [0; 1];
            let opaque = rustix::fs::fgetxattr(&folder, OPAQUE_ATTRIBUTE, &mut value[..]);
            Ok(if opaque == Ok(1) && value == *b"y" {
                Found::Deleted
            } else {
                Found::Below
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\nbroken\n";
    const GROUP: &str = "root:x:0:\nweb:x:34:\nlogs:x:40:web,root\nmore:x:41:other,web\n";

    #[test]
    fn users_and_groups() {
        let user = |uid, gid, groups: &[u32], home: Option<&str>| {
            Ok(User {
                uid,
                gid,
                groups: groups.to_vec(),
                home: home.map(str::to_owned),
            })
        };
        let root = user(0, 0, &[40], Some("/root"));
        let web = user(33, 34, &[40, 41], Some("/var/www"));
        for (text, expected) in [
            ("", root.clone()),
            ("root", root),
            ("web", web.clone()),
            ("33", web),
            ("web:logs", user(33, 40, &[40, 41], Some("/var/www"))),
            ("1000", user(1000, 0, &[], None)),
            ("1000:7", user(1000, 7, &[], None)),
            (
                "nobody",
                Err(UserError::NoUser {
                    name: "nobody".to_owned(),
                }),
            ),
            (
                "web:none",
                Err(UserError::NoGroup {
                    name: "none".to_owned(),
                }),
            ),
        ] {
            assert_eq!(resolve(text, PASSWD, GROUP), expected, "{text}");
        }
        assert_eq!(resolve("65532:65532", "", ""), user(65532, 65532, &[], None));
    }
}
