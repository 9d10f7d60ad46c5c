//! What the server makes up: uids, name suffixes, times.

use jiff::Timestamp;

/// The time in seconds since 1970.
pub fn now_seconds() -> i64 {
    Timestamp::now().as_second()
}

/// The time as metadata carries it, RFC 3339 with seconds in UTC.
pub fn now() -> String {
    time_text(now_seconds())
}

/// A time as metadata carries it.
pub fn time_text(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time with microseconds, as Leases and Events carry it.
pub fn now_micros() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The time in nanoseconds since 1970, as names of Events carry it.
pub fn now_nanos() -> i128 {
    Timestamp::now().as_nanosecond()
}

/// Reads a time of metadata.
pub fn parse_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|time| time.as_second())
}

/// A random UUID, version 4.
pub fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

/// A name from `generateName`: at most 63 bytes, the last five random from letters that spell no word
/// (`apiserver/pkg/storage/names/generate.go`).
pub fn generated_name(base: &str) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    const SUFFIX: usize = 5;
    let mut end = base.len().min(63 - SUFFIX);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = [0_u8; SUFFIX];
    random(&mut bytes);
    let suffix = bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    base[..end].chars().chain(suffix).collect()
}

/// A random number below `bound`.
pub fn random_below(bound: u64) -> u64 {
    let mut bytes = [0_u8; 8];
    random(&mut bytes);
    u64::from_le_bytes(bytes) % bound.max(1)
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has random bytes once it is up");
}
