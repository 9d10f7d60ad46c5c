//! `RUN --mount=type=...`: fields of one line of CSV (instructions/commands_runmount.go).

use deploy_model::nearest;

/// A mount as it is written; `target`, `source`, `from` and `id` may hold variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountSpec {
    /// What is mounted.
    pub kind: MountKind,
    /// Where.
    pub target: Option<String>,
    /// What of it.
    pub source: Option<String>,
    /// A stage or an image; none is the context.
    pub from: Option<String>,
    /// Nothing can be written; none leaves the kind's own default.
    pub read_only: Option<bool>,
    /// Of a cache or a secret.
    pub id: Option<String>,
    /// Of a cache.
    pub sharing: Sharing,
    /// The build fails without this secret.
    pub required: bool,
    /// Of a secret: also a variable of this name.
    pub env: Option<String>,
    /// Permissions.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Bytes of a tmpfs.
    pub size: Option<u64>,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MountKind {
    /// Files of the context, a stage or an image.
    #[default]
    Bind,
    /// A folder that outlives the build.
    Cache,
    /// A file that is never in a layer.
    Secret,
    /// A file system in memory.
    Tmpfs,
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// All.
    #[default]
    Shared,
    /// One after the other.
    Locked,
    /// Each build its own.
    Private,
}

const FIELDS: &[&str] = &[
    "type",
    "target",
    "dst",
    "destination",
    "source",
    "src",
    "from",
    "ro",
    "readonly",
    "rw",
    "readwrite",
    "id",
    "sharing",
    "required",
    "env",
    "mode",
    "uid",
    "gid",
    "size",
];

/// Reads one value of `--mount`: the problem and what helps.
pub fn read(text: &str) -> Result<MountSpec, (String, String)> {
    let plain = |message: String| (message, String::new());
    let mut mount = MountSpec::default();
    for field in fields(text) {
        let (name, value) = match field.split_once('=') {
            Some((name, value)) => (name.to_ascii_lowercase(), Some(value)),
            None => (field.to_ascii_lowercase(), None),
        };
        let switch = || match value {
            None | Some("" | "true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => Err(plain(format!("invalid value for {name}: {other}"))),
        };
        let needed =
            || value.ok_or_else(|| plain(format!("invalid field '{field}' must be a key=value pair")));
        let number = |radix| {
            u32::from_str_radix(needed()?, radix)
                .map_err(|_| plain(format!("invalid value {} for {name}", value.unwrap_or_default())))
        };
        match &*name {
            "type" => mount.kind = kind(needed()?)?,
            "target" | "dst" | "destination" => mount.target = Some(needed()?.to_owned()),
            "source" | "src" => mount.source = Some(needed()?.to_owned()),
            "from" => mount.from = Some(needed()?.to_owned()),
            "ro" | "readonly" => mount.read_only = Some(switch()?),
            "rw" | "readwrite" => mount.read_only = Some(!switch()?),
            "id" => mount.id = Some(needed()?.to_owned()),
            "required" => mount.required = switch()?,
            "env" => mount.env = Some(needed()?.to_owned()),
            "mode" => mount.mode = Some(number(8)?),
            "uid" => mount.uid = Some(number(10)?),
            "gid" => mount.gid = Some(number(10)?),
            "size" => {
                mount.size = Some(size(needed()?).ok_or_else(|| plain(format!("invalid size in {field}")))?)
            }
            "sharing" => {
                mount.sharing = match needed()? {
                    "shared" => Sharing::Shared,
                    "locked" => Sharing::Locked,
                    "private" => Sharing::Private,
                    other => return Err(plain(format!("unsupported sharing value {other:?}"))),
                }
            }
            other => {
                let hint = nearest(other, FIELDS.iter().copied())
                    .map(|near| format!("did you mean {near}?"))
                    .unwrap_or_default();
                return Err((format!("unexpected key '{other}' in '{field}'"), hint));
            }
        }
    }
    check(&mount).map(|()| mount)
}

fn kind(text: &str) -> Result<MountKind, (String, String)> {
    match text {
        "bind" => Ok(MountKind::Bind),
        "cache" => Ok(MountKind::Cache),
        "secret" => Ok(MountKind::Secret),
        "tmpfs" => Ok(MountKind::Tmpfs),
        "ssh" => Err((
            "mounts of the type ssh are not supported".to_owned(),
            "give the key as a secret: --mount=type=secret,id=key and deploy build --secret id=key,src=FILE"
                .to_owned(),
        )),
        other => Err((
            format!("unsupported mount type {other:?}"),
            "there are bind, cache, secret and tmpfs".to_owned(),
        )),
    }
}

fn check(mount: &MountSpec) -> Result<(), (String, String)> {
    let needs_target = match mount.kind {
        MountKind::Bind | MountKind::Cache | MountKind::Tmpfs => true,
        MountKind::Secret => false,
    };
    if needs_target && mount.target.as_deref().unwrap_or_default().is_empty() {
        return Err((
            "target is required".to_owned(),
            "add target=/PATH to --mount".to_owned(),
        ));
    }
    if mount.kind == MountKind::Secret
        && mount.id.is_none()
        && mount.source.is_none()
        && mount.target.is_none()
    {
        return Err((
            "invalid secret mount: it has neither id nor target".to_owned(),
            String::new(),
        ));
    }
    Ok(())
}

/// `64m`, `1g`, or bytes.
fn size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, unit) = match lower.chars().last()? {
        'k' => (&lower[..lower.len() - 1], 1 << 10),
        'm' => (&lower[..lower.len() - 1], 1 << 20),
        'g' => (&lower[..lower.len() - 1], 1 << 30),
        't' => (&lower[..lower.len() - 1], 1 << 40),
        _ => (lower, 1),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(unit)
}

/// Fields of one line of CSV: a quoted field may hold commas, and two quotes are one.
fn fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let cache = read("type=cache,target=/var/cache/apt,sharing=locked,mode=0750,uid=3").expect("a cache");
        assert_eq!(cache.kind, MountKind::Cache);
        assert_eq!(
            (cache.sharing, cache.mode, cache.uid),
            (Sharing::Locked, Some(0o750), Some(3))
        );
        let bind = read("source=a,dst=/b,rw,\"from=x,y\"").expect("a bind");
        assert_eq!((bind.read_only, bind.from.as_deref()), (Some(false), Some("x,y")));
        assert_eq!(
            read("type=tmpfs,target=/t,size=2m").expect("a tmpfs").size,
            Some(2 << 20)
        );
        for (text, message) in [
            ("type=bind", "target is required"),
            ("type=ssh", "mounts of the type ssh are not supported"),
            ("type=cache,targt=/x", "unexpected key 'targt' in 'targt=/x'"),
            ("type=cache,target=/x,mode=9", "invalid value 9 for mode"),
            (
                "type=secret",
                "invalid secret mount: it has neither id nor target",
            ),
        ] {
            assert_eq!(read(text).expect_err(text).0, message);
        }
    }
}
