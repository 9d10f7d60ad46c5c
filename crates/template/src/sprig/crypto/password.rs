//! bcrypt, htpasswd, and the Master Password algorithm of `derivePassword`.

use scrypt::Params;
use sha2::{Digest, Sha256};

use crate::encoding::encode_bcrypt;
use crate::func::{FuncResult, Host};
use crate::sprig::args::{string, text};
use crate::sprig::text::find;
use crate::value::Value;

/// Go's `bcrypt.DefaultCost`.
const BCRYPT_COST: u32 = 10;
const MAX_BCRYPT_BYTES: usize = 72;

pub(in crate::sprig) fn bcrypt(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    string(hashed(host, text(args, 0)))
}

pub(in crate::sprig) fn htpasswd(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let name = text(args, 0);
    if find(name, b":").is_some() {
        return string([b"invalid username: ".as_slice(), name].concat());
    }
    let hash = hashed(host, text(args, 1));
    string([name, b":", hash.as_bytes()].concat())
}

/// The hash, or the error that sprig puts in its place.
fn hashed(host: &mut dyn Host, password: &[u8]) -> String {
    let failed = |why: &str| format!("failed to encrypt string with bcrypt: {why}");
    if password.len() > MAX_BCRYPT_BYTES {
        return failed("bcrypt: password length exceeds 72 bytes");
    }
    let mut salt = [0; 16];
    host.fill_random(&mut salt);
    // The algorithm takes the password with the zero at the end that a C string has.
    let mut key = [password, &[0]].concat();
    key.truncate(MAX_BCRYPT_BYTES);
    let hash = bcrypt::bcrypt(BCRYPT_COST, salt, &key);
    // The last byte of the hash is not part of the text.
    let (salt, hash) = (encode_bcrypt(&salt), encode_bcrypt(&hash[..23]));
    format!("$2a${BCRYPT_COST}${salt}{hash}")
}

const SEED: &[u8] = b"com.lyndir.masterpassword";

/// Letters stand for classes of characters: `C` a capital consonant, `v` a vowel, `n` a digit ...
fn templates(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// `derivePassword COUNTER KIND PASSWORD USER SITE`
pub(in crate::sprig) fn derive_password(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let counter = match args.first() {
        Some(Value::Uint(n, _)) => u32::try_from(*n).unwrap_or(0),
        _ => 0,
    };
    let (kind, password, user, site) = (text(args, 1), text(args, 2), text(args, 3), text(args, 4));
    let Some(templates) = templates(kind) else {
        return string([b"cannot find password template ".as_slice(), kind].concat());
    };
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SEED, &length(user), user].concat();
    let params = Params::new(15, 8, 2).expect("the cost is within scrypt's bounds");
    let mut key = [0; 64];
    scrypt::scrypt(password, &salt, &params, &mut key).expect("64 bytes are within scrypt's bounds");
    let seed = hmac_sha256(
        &key,
        &[SEED, &length(site), site, &counter.to_be_bytes()].concat(),
    );

    let template = templates[usize::from(seed[0]) % templates.len()];
    let pick = |(class, random): (u8, &u8)| {
        let characters = characters(class);
        characters[usize::from(*random) % characters.len()]
    };
    string(template.bytes().zip(&seed[1..]).map(pick).collect::<Vec<u8>>())
}

/// RFC 2104, for a key of exactly one block.
fn hmac_sha256(key: &[u8; 64], message: &[u8]) -> [u8; 32] {
    let inner = Sha256::new()
        .chain_update(key.map(|b| b ^ 0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(key.map(|b| b ^ 0x5c))
        .chain_update(inner);
    outer.finalize().into()
}
