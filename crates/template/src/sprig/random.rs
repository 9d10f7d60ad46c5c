//! What is drawn by lot: the bits come from the host.

use std::convert::Infallible;

use crate::encoding::encode_base64;
use crate::func::{FuncResult, Host};
use crate::sprig::args::{check_text_size, fail, int, string};
use crate::value::Value;

/// A number below `bound`, each as likely as the other; 0 for the bound 0.
pub(super) fn below(host: &mut dyn Host, bound: u64) -> u64 {
    if bound == 0 {
        return 0;
    }
    // Numbers of the last, incomplete span would favour the small results.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let mut bytes = [0; 8];
        host.fill_random(&mut bytes);
        let drawn = u64::from_le_bytes(bytes);
        if drawn < limit || host_is_stuck(&bytes) {
            return drawn % bound;
        }
    }
}

/// A host for tests may give nothing but ones; then no further draw will do better.
fn host_is_stuck(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| b == 0xff)
}

/// The host as a random number generator for the crypto crates.
pub(super) struct HostRng<'a>(pub &'a mut dyn Host);

impl rand_core::TryRng for HostRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill_random(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill_random(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_random(buffer);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for HostRng<'_> {}

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) fn alpha_num(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    drawn_from(host, args, LETTERS_AND_DIGITS)
}

pub(super) fn alpha(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    drawn_from(host, args, LETTERS)
}

pub(super) fn numeric(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    drawn_from(host, args, DIGITS)
}

pub(super) fn ascii(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    drawn_from(host, args, &printable)
}

/// So many characters of an alphabet; none for a negative count, as sprig swallows that error.
fn drawn_from(host: &mut dyn Host, args: &[Value], alphabet: &[u8]) -> FuncResult {
    let count = usize::try_from(int(args, 0)).unwrap_or(0);
    check_text_size(count)?;
    let size = alphabet.len() as u64;
    let letter = |_| alphabet[usize::try_from(below(host, size)).unwrap_or(0)];
    string((0..count).map(letter).collect::<Vec<u8>>())
}

pub(super) fn bytes(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let Ok(count) = usize::try_from(int(args, 0)) else {
        return fail("runtime error: makeslice: len out of range");
    };
    check_text_size(count)?;
    let mut buffer = vec![0; count];
    host.fill_random(&mut buffer);
    string(encode_base64(&buffer))
}

pub(super) fn uuidv4(host: &mut dyn Host, _: &[Value]) -> FuncResult {
    let mut bytes = [0; 16];
    host.fill_random(&mut bytes);
    // Version 4, variant 1 (RFC 9562 5.4).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    string(parts.join("-"))
}
