//! `v4.channel.k8s.io` and `v5.channel.k8s.io`: streams of a process as channels of a WebSocket, and the words that are
//! said on the last of them (`apimachinery/pkg/util/remotecommand/constants.go`).

use bytes::Bytes;
use serde_json::{Value, json};

use crate::limits;

/// What the process reads.
const STDIN: u8 = 0;
/// What it writes.
pub const STDOUT: u8 = 1;
/// What it complains.
pub const STDERR: u8 = 2;
/// How it ended: one Status object.
pub const ERROR: u8 = 3;
/// The size of its terminal.
const RESIZE: u8 = 4;
/// Version 5: the channel that the client has closed.
const CLOSED: u8 = 255;

/// What is spoken, from what the client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Standard input cannot be closed.
    V4,
    /// Channels can be closed.
    V5,
}

impl Version {
    /// The best of those that are offered in `Sec-WebSocket-Protocol`.
    pub fn choose(offered: &str) -> Option<Version> {
        let has = |version: Version| offered.split(',').any(|name| name.trim() == version.name());
        [Version::V5, Version::V4]
            .into_iter()
            .find(|version| has(*version))
    }

    /// As it is offered and answered.
    pub fn name(self) -> &'static str {
        match self {
            Version::V4 => "v4.channel.k8s.io",
            Version::V5 => "v5.channel.k8s.io",
        }
    }
}

/// What a client says to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// For its standard input.
    Input(Bytes),
    /// There will be no more of it.
    InputEnd,
    /// Columns and rows.
    Resize(u16, u16),
    /// Nothing that matters.
    Nothing,
}

/// Puts messages together that came in pieces.
#[derive(Debug)]
pub struct Inbound {
    version: Version,
    channel: Option<u8>,
    /// Of a channel whose messages are short.
    short: Vec<u8>,
}

impl Inbound {
    /// Nothing has come yet.
    pub fn new(version: Version) -> Inbound {
        Inbound {
            version,
            channel: None,
            short: Vec::new(),
        }
    }

    /// Takes a part of a message.
    pub fn take(&mut self, first: bool, last: bool, mut bytes: Bytes) -> Told {
        if first {
            self.channel = None;
            self.short.clear();
        }
        if self.channel.is_none() && !bytes.is_empty() {
            self.channel = Some(bytes.split_to(1)[0]);
        }
        match self.channel {
            Some(STDIN) if !bytes.is_empty() => Told::Input(bytes),
            Some(RESIZE | CLOSED) => {
                let room = limits::STREAM_WORD_BYTES_MAX.saturating_sub(self.short.len());
                self.short.extend_from_slice(&bytes[..room.min(bytes.len())]);
                if last { self.word() } else { Told::Nothing }
            }
            _ => Told::Nothing,
        }
    }

    fn word(&mut self) -> Told {
        match self.channel {
            Some(RESIZE) => {
                size(&self.short).map_or(Told::Nothing, |(columns, rows)| Told::Resize(columns, rows))
            }
            Some(CLOSED) if self.version == Version::V5 && self.short == [STDIN] => Told::InputEnd,
            _ => Told::Nothing,
        }
    }
}

/// `{"Width":80,"Height":24}`; one that has no place is none.
pub fn size(text: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(text).ok()?;
    let number = |name: &str| {
        let number = size[name].as_u64().and_then(|number| u16::try_from(number).ok());
        number.filter(|number| *number > 0)
    };
    Some((number("Width")?, number("Height")?))
}

/// The Status of a process that has ended well, or of an attachment that is over.
pub fn success() -> Value {
    json!({"metadata": {}, "status": "Success"})
}

/// The Status of a command (`kubelet/pkg/cri/streaming/remotecommand/exec.go`).
pub fn ended(command: &[String], code: i32) -> Value {
    if code == 0 {
        return success();
    }
    let command = command.join(" ");
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!(
            "command terminated with non-zero exit code: error executing command [{command}], exit code {code}"
        ),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// The Status of what could not be done (`apierrors.NewInternalError`).
pub fn failed(why: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("Internal error occurred: {why}"),
        "reason": "InternalError",
        "details": {"causes": [{"message": why}]},
        "code": 500,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(version: Version, messages: &[&[u8]]) -> Vec<Told> {
        let mut inbound = Inbound::new(version);
        let tell = |message: &&[u8]| inbound.take(true, true, Bytes::copy_from_slice(message));
        messages.iter().map(tell).collect()
    }

    #[test]
    fn the_newest_version_is_chosen() {
        assert_eq!(
            Version::choose("v4.channel.k8s.io, v5.channel.k8s.io"),
            Some(Version::V5)
        );
        assert_eq!(
            Version::choose("channel.k8s.io,v4.channel.k8s.io"),
            Some(Version::V4)
        );
        assert_eq!(Version::choose("SPDY/3.1+portforward.k8s.io"), None);
    }

    #[test]
    fn channels_are_told_apart() {
        let told = take(
            Version::V5,
            &[
                b"\0in",
                b"\0",
                b"",
                b"\x01no",
                b"\xFF\0",
                b"\xFF\x01",
                b"\x04{\"Width\":80,\"Height\":24}",
                b"\x04{\"Width\":0,\"Height\":24}",
                b"\x04{",
                b"\x04{\"Width\":70000,\"Height\":1}",
            ],
        );
        let mut expected = vec![Told::Nothing; 10];
        expected[0] = Told::Input(Bytes::from_static(b"in"));
        expected[4] = Told::InputEnd;
        expected[6] = Told::Resize(80, 24);
        assert_eq!(told, expected);
        assert_eq!(take(Version::V4, &[b"\xFF\0"]), [Told::Nothing]);
    }

    #[test]
    fn a_message_in_pieces_is_one() {
        let mut inbound = Inbound::new(Version::V5);
        let mut take =
            |first, last, bytes: &'static [u8]| inbound.take(first, last, Bytes::from_static(bytes));
        assert_eq!(take(true, false, b""), Told::Nothing);
        assert_eq!(take(false, false, b"\0a"), Told::Input(Bytes::from_static(b"a")));
        assert_eq!(
            take(false, true, b"\x04b"),
            Told::Input(Bytes::from_static(b"\x04b"))
        );
        assert_eq!(take(true, false, b"\x04{\"Width\":8,"), Told::Nothing);
        assert_eq!(take(false, true, b"\"Height\":2}"), Told::Resize(8, 2));
        for _ in 0..100 {
            take(true, false, b"\x04");
            assert_eq!(take(false, true, &[b'x'; 4096]), Told::Nothing);
        }
        assert!(inbound.short.capacity() <= 2 * limits::STREAM_WORD_BYTES_MAX);
    }

    #[test]
    fn exit_codes_are_told_as_clients_look_for_them() {
        let status = ended(&["sh".to_owned(), "-c".to_owned()], 3);
        assert_eq!(status["reason"], "NonZeroExitCode");
        assert_eq!(
            status["details"]["causes"][0],
            json!({"reason": "ExitCode", "message": "3"})
        );
        assert_eq!(ended(&[], 0), success());
    }
}
