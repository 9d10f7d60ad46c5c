//! AES-256 in CBC mode with PKCS#7 padding; the key is the password's first 32 bytes, filled up with zeros.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use crate::encoding::{decode_base64, encode_base64};
use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{fail, string, text};
use crate::value::Value;

const BLOCK: usize = 16;

fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    Aes256::new(&Array::from(key))
}

/// `encryptAES PASSWORD TEXT`: base64 of the start vector and the blocks.
pub(in crate::sprig) fn encrypt_aes(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let plain = text(args, 1);
    if plain.is_empty() {
        return string("");
    }
    let cipher = cipher(text(args, 0));
    let padding = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.to_vec();
    padded.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(0));

    let mut previous = [0; BLOCK];
    host.fill_random(&mut previous);
    let mut out = previous.to_vec();
    for chunk in padded.chunks(BLOCK) {
        let mut block = Array::from(previous);
        for (b, plain) in block.iter_mut().zip(chunk) {
            *b ^= plain;
        }
        cipher.encrypt_block(&mut block);
        previous = block.into();
        out.extend_from_slice(&previous);
    }
    string(encode_base64(&out))
}

/// `decryptAES PASSWORD BASE64`
pub(in crate::sprig) fn decrypt_aes(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let encoded = text(args, 1);
    if encoded.is_empty() {
        return string("");
    }
    let data = decode_base64(encoded).map_err(|e| FuncError::new(e.to_string()))?;
    let Some((start, blocks)) = data.split_first_chunk::<BLOCK>() else {
        let capacity = encoded.len() / 4 * 3;
        return fail(format!(
            "runtime error: slice bounds out of range [:{BLOCK}] with capacity {capacity}"
        ));
    };
    if !blocks.len().is_multiple_of(BLOCK) {
        return fail("crypto/cipher: input not full blocks");
    }
    let cipher = cipher(text(args, 0));
    let mut previous = *start;
    let mut plain = Vec::with_capacity(blocks.len());
    for chunk in blocks.chunks(BLOCK) {
        let mut encrypted = [0; BLOCK];
        encrypted.copy_from_slice(chunk);
        let mut block = Array::from(encrypted);
        cipher.decrypt_block(&mut block);
        plain.extend(block.iter().zip(previous).map(|(b, p)| b ^ p));
        previous = encrypted;
    }
    // A wrong password shows here, as padding that makes no sense; Go's slices complain about it.
    let Some(&padding) = plain.last() else {
        return fail("runtime error: index out of range [-1]");
    };
    match plain.len().checked_sub(usize::from(padding)) {
        Some(length) => string(&plain[..length]),
        None => {
            let bound = plain.len() as i64 - i64::from(padding);
            fail(format!("runtime error: slice bounds out of range [:{bound}]"))
        }
    }
}
