/// How the `deploy` command ends; scripts rely on these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Tried and failed.
    Failed = 1,
    /// The command line or a configuration is wrong.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Who asks is not known.
    NotAuthenticated = 4,
    /// Who asks may not.
    Denied = 5,
    /// Somebody else changed it.
    Conflict = 6,
    /// Not finished within the time given.
    StillRunning = 7,
    /// The other side does not answer.
    Unreachable = 8,
}
