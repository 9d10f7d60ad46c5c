//! Private keys: generation, PEM, signatures.

use dsa::KeySize;
use ed25519_dalek::Signer;
use p256::elliptic_curve::sec1::ToSec1Point;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Pkcs1v15Sign, RsaPrivateKey};
use sha2::{Digest, Sha256};

use super::der::{self, Reader};
use super::pem;
use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{fail, string, text};
use crate::sprig::random::HostRng;
use crate::value::Value;

/// Bits of the RSA keys that certificates get, and of those that `genPrivateKey` gives.
pub(super) const CERTIFICATE_KEY_BITS: usize = 2048;
const PRIVATE_KEY_BITS: usize = 4096;

// Object identifiers, encoded.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// A private key of a kind that sprig knows.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::SecretKey),
    Ed25519(ed25519_dalek::SigningKey),
    /// Read from PEM only; it signs no certificates.
    Dsa,
}

/// `genPrivateKey KIND`; an unknown kind gives a text that says so.
pub(in crate::sprig) fn gen_private_key(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let mut rng = HostRng(host);
    let key = match text(args, 0) {
        b"" | b"rsa" => return string(generate_rsa(rng.0, PRIVATE_KEY_BITS)?.to_pem()),
        b"dsa" => return string(generate_dsa(&mut rng)?),
        b"ecdsa" => loop {
            let mut bytes = p256::FieldBytes::default();
            rng.0.fill_random(&mut bytes);
            // One in 2^32 draws is not below the order of the curve.
            if let Ok(key) = p256::SecretKey::from_bytes(&bytes) {
                break PrivateKey::P256(key);
            }
            if bytes.iter().all(|&b| b == bytes[0]) {
                return fail("the source of randomness gives the same byte again and again");
            }
        },
        b"ed25519" => {
            let mut seed = [0; 32];
            rng.0.fill_random(&mut seed);
            PrivateKey::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
        }
        other => return string([b"Unknown type ".as_slice(), other].concat()),
    };
    string(key.to_pem())
}

/// An RSA key of that many bits.
pub(super) fn generate_rsa(host: &mut dyn Host, bits: usize) -> Result<PrivateKey, FuncError> {
    let key = RsaPrivateKey::new(&mut HostRng(host), bits);
    let key = key.map_err(|e| FuncError::new(format!("error generating rsa key: {e}")))?;
    Ok(PrivateKey::Rsa(Box::new(key)))
}

/// A DSA key of 2,048 and 256 bits, in the form of OpenSSL.
fn generate_dsa(rng: &mut HostRng<'_>) -> Result<String, FuncError> {
    let components = dsa::Components::try_generate_from_rng_with_key_size(rng, KeySize::DSA_2048_256);
    let Ok(components) = components;
    let key = dsa::SigningKey::try_generate_from_rng_with_components(rng, components);
    let Ok(key) = key;
    let public = key.verifying_key();
    let parts = public.components();
    let encoded = der::sequence(&[
        der::integer(&[]),
        der::integer(&parts.p().to_be_bytes()),
        der::integer(&parts.q().to_be_bytes()),
        der::integer(&parts.g().to_be_bytes()),
        der::integer(&public.y().to_be_bytes()),
        der::integer(&key.x().to_be_bytes()),
    ]);
    Ok(pem::encode("DSA PRIVATE KEY", &encoded))
}

impl PrivateKey {
    /// Reads PKCS#1, SEC 1 or PKCS#8. The errors are sprig's.
    pub fn from_pem(text: &[u8]) -> Result<PrivateKey, String> {
        let Some((label, data)) = pem::decode(text) else {
            return Err("no PEM data in input".to_owned());
        };
        if label == "PRIVATE KEY" {
            return read_pkcs8(&data)
                .ok_or_else(|| "decoding PEM as PKCS#8: asn1: structure error".to_owned());
        }
        let Some(kind) = label.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        let (key, name) = match kind {
            "RSA" => (read_pkcs1(&data), "RSA"),
            "EC" => (read_sec1(&data), "EC"),
            "DSA" => (read_dsa(&data), "DSA"),
            other => return Err(format!("invalid private key type {other}")),
        };
        key.ok_or_else(|| format!("parsing {name} private key from PEM: asn1: structure error"))
    }

    /// In the form that sprig chooses for the kind.
    pub fn to_pem(&self) -> String {
        match self {
            PrivateKey::Rsa(key) => pem::encode("RSA PRIVATE KEY", &pkcs1(key)),
            PrivateKey::P256(key) => pem::encode("EC PRIVATE KEY", &sec1(key)),
            PrivateKey::Ed25519(key) => {
                let seed = der::tagged(der::OCTET_STRING, key.as_bytes());
                let encoded = der::sequence(&[
                    der::integer(&[]),
                    der::sequence(&[der::tagged(der::OID, ED25519)]),
                    der::tagged(der::OCTET_STRING, &seed),
                ]);
                pem::encode("PRIVATE KEY", &encoded)
            }
            PrivateKey::Dsa => String::new(),
        }
    }

    /// The `SubjectPublicKeyInfo`, and the bits of the key in it.
    pub fn public(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (algorithm, bits) = match self {
            PrivateKey::Rsa(key) => {
                let bits = der::sequence(&[der::integer(&key.n_bytes()), der::integer(&key.e_bytes())]);
                (
                    vec![der::tagged(der::OID, RSA_ENCRYPTION), der::tagged(der::NULL, &[])],
                    bits,
                )
            }
            PrivateKey::P256(key) => (
                vec![
                    der::tagged(der::OID, EC_PUBLIC_KEY),
                    der::tagged(der::OID, PRIME256V1),
                ],
                key.public_key().to_sec1_point(false).as_bytes().to_vec(),
            ),
            PrivateKey::Ed25519(key) => (
                vec![der::tagged(der::OID, ED25519)],
                key.verifying_key().to_bytes().to_vec(),
            ),
            PrivateKey::Dsa => return None,
        };
        let info = der::sequence(&[der::sequence(&algorithm), der::bit_string(&bits)]);
        Some((info, bits))
    }

    /// The `AlgorithmIdentifier` of its signatures.
    pub fn signature_algorithm(&self) -> Vec<u8> {
        let parts = match self {
            PrivateKey::Rsa(_) => vec![
                der::tagged(der::OID, SHA256_WITH_RSA),
                der::tagged(der::NULL, &[]),
            ],
            PrivateKey::P256(_) => vec![der::tagged(der::OID, ECDSA_WITH_SHA256)],
            PrivateKey::Ed25519(_) | PrivateKey::Dsa => vec![der::tagged(der::OID, ED25519)],
        };
        der::sequence(&parts)
    }

    /// A signature of a message, by the algorithm of [`PrivateKey::signature_algorithm`].
    pub fn sign(&self, host: &mut dyn Host, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            PrivateKey::Rsa(key) => {
                let digest = Sha256::digest(message);
                let algorithm = [der::tagged(der::OID, SHA256), der::tagged(der::NULL, &[])];
                let info =
                    der::sequence(&[der::sequence(&algorithm), der::tagged(der::OCTET_STRING, &digest)]);
                key.sign_with_rng(&mut HostRng(host), Pkcs1v15Sign::new_unprefixed(), &info)
                    .map_err(|e| e.to_string())
            }
            PrivateKey::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(key).sign(message);
                let (r, s) = signature.split_bytes();
                Ok(der::sequence(&[der::integer(&r), der::integer(&s)]))
            }
            PrivateKey::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            PrivateKey::Dsa => {
                Err("x509: certificate private key does not implement crypto.Signer".to_owned())
            }
        }
    }
}

/// RFC 8017 A.1.2.
fn pkcs1(key: &RsaPrivateKey) -> Vec<u8> {
    let number = |n: &BoxedUint| der::integer(&n.to_be_bytes());
    let part = |n: Option<&BoxedUint>| n.map_or_else(|| der::integer(&[]), number);
    let [p, q] = key.primes() else {
        return Vec::new();
    };
    der::sequence(&[
        der::integer(&[]),
        der::integer(&key.n_bytes()),
        der::integer(&key.e_bytes()),
        number(key.d()),
        number(p),
        number(q),
        part(key.dp()),
        part(key.dq()),
        part(key.crt_coefficient().as_ref()),
    ])
}

fn read_pkcs1(data: &[u8]) -> Option<PrivateKey> {
    let mut parts = Reader::new(data).enter(der::SEQUENCE)?;
    parts.unsigned()?;
    let mut number = || parts.unsigned().map(BoxedUint::from_be_slice_vartime);
    let (n, e, d) = (number()?, number()?, number()?);
    let primes = vec![number()?, number()?];
    let key = RsaPrivateKey::from_components(n, e, d, primes).ok()?;
    Some(PrivateKey::Rsa(Box::new(key)))
}

/// RFC 5915.
fn sec1(key: &p256::SecretKey) -> Vec<u8> {
    let point = key.public_key().to_sec1_point(false);
    der::sequence(&[
        der::integer(&[1]),
        der::tagged(der::OCTET_STRING, &key.to_bytes()),
        der::tagged(der::context(0), &der::tagged(der::OID, PRIME256V1)),
        der::tagged(der::context(1), &der::bit_string(point.as_bytes())),
    ])
}

/// The curve may be missing here if PKCS#8 names it.
fn read_sec1(data: &[u8]) -> Option<PrivateKey> {
    let mut parts = Reader::new(data).enter(der::SEQUENCE)?;
    parts.unsigned()?;
    let secret = parts.next_if(der::OCTET_STRING)?.content;
    if let Some(mut curve) = parts.enter(der::context(0))
        && curve.next_if(der::OID)?.content != PRIME256V1
    {
        return None;
    }
    p256::SecretKey::from_slice(secret).ok().map(PrivateKey::P256)
}

fn read_dsa(data: &[u8]) -> Option<PrivateKey> {
    let mut parts = Reader::new(data).enter(der::SEQUENCE)?;
    for _ in 0..6 {
        parts.unsigned()?;
    }
    Some(PrivateKey::Dsa)
}

/// RFC 5208.
fn read_pkcs8(data: &[u8]) -> Option<PrivateKey> {
    let mut parts = Reader::new(data).enter(der::SEQUENCE)?;
    parts.unsigned()?;
    let mut algorithm = parts.enter(der::SEQUENCE)?;
    let kind = algorithm.next_if(der::OID)?.content;
    let inner = parts.next_if(der::OCTET_STRING)?.content;
    match kind {
        RSA_ENCRYPTION => read_pkcs1(inner),
        EC_PUBLIC_KEY if algorithm.next_if(der::OID)?.content == PRIME256V1 => read_sec1(inner),
        ED25519 => {
            let seed = Reader::new(inner).next_if(der::OCTET_STRING)?.content;
            let seed: &[u8; 32] = seed.try_into().ok()?;
            Some(PrivateKey::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
        }
        _ => None,
    }
}
