//! Digests, passwords, encryption, keys and certificates.

mod aes_cbc;
mod authority;
mod der;
mod key;
mod password;
mod pem;
mod x509;

pub(super) use aes_cbc::{decrypt_aes, encrypt_aes};
pub(super) use authority::{
    build_custom_cert, gen_ca, gen_ca_with_key, gen_self_signed_cert, gen_self_signed_cert_with_key,
    gen_signed_cert, gen_signed_cert_with_key,
};
pub(super) use key::gen_private_key;
pub(super) use password::{bcrypt, derive_password, htpasswd};

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::func::{FuncResult, Host};
use crate::sprig::args::{string, text};
use crate::value::Value;

pub(super) fn sha1sum(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(hex(&Sha1::digest(text(args, 0))))
}

pub(super) fn sha256sum(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(hex(&Sha256::digest(text(args, 0))))
}

pub(super) fn sha512sum(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(hex(&Sha512::digest(text(args, 0))))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}

/// The checksum of zlib (RFC 1950), as a decimal number.
pub(super) fn adler32sum(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in text(args, 0) {
        a = (a + u32::from(byte)) % MODULUS;
        b = (b + a) % MODULUS;
    }
    string((b << 16 | a).to_string())
}
