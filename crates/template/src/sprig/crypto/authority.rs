//! `genCA`, `genSignedCert` and their kin: certificates with their keys, in PEM.

use std::any::Any;
use std::net::IpAddr;
use std::rc::Rc;

use super::key::{CERTIFICATE_KEY_BITS, PrivateKey, generate_rsa};
use super::x509::{self, Issuer, Moment, Template};
use super::{der, pem};
use crate::encoding::decode_base64;
use crate::func::{FuncError, FuncResult, Host};
use crate::sprig::args::{any, fail, int, list, text};
use crate::sprig::dates::utc_digits;
use crate::sprig::show::display;
use crate::value::{Object, Str, Value};

/// sprig's `certificate`: two fields, both PEM.
struct Certificate {
    cert: Str,
    key: Str,
}

impl Object for Certificate {
    fn type_name(&self) -> &str {
        "sprig.certificate"
    }

    fn display(&self) -> String {
        format!("{{{} {}}}", self.cert.to_str(), self.key.to_str())
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::Str(self.cert.clone())),
            "Key" => Some(Value::Str(self.key.clone())),
            _ => None,
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let member = |name: &str, text: &Str| (name.to_owned(), text.to_str().into());
        serde_json::Value::Object(
            [member("Cert", &self.cert), member("Key", &self.key)]
                .into_iter()
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn certificate(cert: impl Into<Str>, key: impl Into<Str>) -> FuncResult {
    Ok(Value::Object(Rc::new(Certificate {
        cert: cert.into(),
        key: key.into(),
    })))
}

/// `buildCustomCert CERT KEY`, both base64 of PEM.
pub(in crate::sprig) fn build_custom_cert(_: &mut dyn Host, args: &[Value]) -> FuncResult {
    let Ok(cert) = decode_base64(text(args, 0)) else {
        return fail("unable to decode base64 certificate");
    };
    let Ok(key) = decode_base64(text(args, 1)) else {
        return fail("unable to decode base64 private key");
    };
    let Some((_, data)) = pem::decode(&cert) else {
        return fail("unable to decode certificate");
    };
    parse_certificate(&data)?;
    parse_key(&key)?;
    certificate(cert, key)
}

fn parse_certificate(data: &[u8]) -> Result<x509::Parsed<'_>, FuncError> {
    let malformed =
        || FuncError::new("error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
    x509::parse(data).ok_or_else(malformed)
}

fn parse_key(text: &[u8]) -> Result<PrivateKey, FuncError> {
    PrivateKey::from_pem(text).map_err(|e| FuncError::new(format!("error parsing private key: {e}")))
}

/// `genCA NAME DAYS`
pub(in crate::sprig) fn gen_ca(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let key = generate_rsa(host, CERTIFICATE_KEY_BITS)?;
    self_signed(host, Request::authority(args), &key)
}

/// `genCAWithKey NAME DAYS KEY`
pub(in crate::sprig) fn gen_ca_with_key(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let key = given_key(args, 2)?;
    self_signed(host, Request::authority(args), &key)
}

/// `genSelfSignedCert NAME ADDRESSES DNS-NAMES DAYS`
pub(in crate::sprig) fn gen_self_signed_cert(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let key = generate_rsa(host, CERTIFICATE_KEY_BITS)?;
    self_signed(host, Request::host(args)?, &key)
}

/// `genSelfSignedCertWithKey NAME ADDRESSES DNS-NAMES DAYS KEY`
pub(in crate::sprig) fn gen_self_signed_cert_with_key(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let key = given_key(args, 4)?;
    self_signed(host, Request::host(args)?, &key)
}

/// `genSignedCert NAME ADDRESSES DNS-NAMES DAYS AUTHORITY`
pub(in crate::sprig) fn gen_signed_cert(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let key = generate_rsa(host, CERTIFICATE_KEY_BITS)?;
    signed_by_authority(host, args, &key)
}

/// `genSignedCertWithKey NAME ADDRESSES DNS-NAMES DAYS AUTHORITY KEY`
pub(in crate::sprig) fn gen_signed_cert_with_key(host: &mut dyn Host, args: &[Value]) -> FuncResult {
    let key = given_key(args, 5)?;
    signed_by_authority(host, args, &key)
}

fn given_key(args: &[Value], position: usize) -> Result<PrivateKey, FuncError> {
    PrivateKey::from_pem(text(args, position))
        .map_err(|e| FuncError::new(format!("parsing private key: {e}")))
}

/// What the arguments ask for.
struct Request<'a> {
    common_name: &'a [u8],
    addresses: Vec<IpAddr>,
    dns_names: Vec<Str>,
    days: i64,
    is_authority: bool,
}

impl<'a> Request<'a> {
    fn authority(args: &'a [Value]) -> Request<'a> {
        Request {
            common_name: text(args, 0),
            addresses: Vec::new(),
            dns_names: Vec::new(),
            days: int(args, 1),
            is_authority: true,
        }
    }

    fn host(args: &'a [Value]) -> Result<Request<'a>, FuncError> {
        Ok(Request {
            common_name: text(args, 0),
            addresses: addresses(any(args, 1))?,
            dns_names: dns_names(args)?,
            days: int(args, 3),
            is_authority: false,
        })
    }
}

fn addresses(value: &Value) -> Result<Vec<IpAddr>, FuncError> {
    let Value::List(items) = value else {
        return Ok(Vec::new());
    };
    let items = items.items();
    let parsed = items.iter().map(|item| match item {
        Value::Str(s) => {
            let shown = s.to_str();
            let address = shown.parse::<IpAddr>();
            address.map_err(|_| FuncError::new(format!("error parsing ip: {shown}")))
        }
        other => fail(format!("error parsing ip: {} is not a string", shown(other))),
    });
    parsed.collect()
}

fn dns_names(args: &[Value]) -> Result<Vec<Str>, FuncError> {
    let Some(names) = list(args, 2) else {
        return Ok(Vec::new());
    };
    let names = names.items();
    let checked = names.iter().map(|item| match item {
        Value::Str(s) => Ok(s.clone()),
        other => fail(format!(
            "error processing alternate dns name: {} is not a string",
            shown(other)
        )),
    });
    checked.collect()
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&display(value)).into_owned()
}

fn self_signed(host: &mut dyn Host, request: Request<'_>, key: &PrivateKey) -> FuncResult {
    issue(host, &request, key, None)
}

fn signed_by_authority(host: &mut dyn Host, args: &[Value], key: &PrivateKey) -> FuncResult {
    let authority = match any(args, 4) {
        Value::Object(object) => object.as_any().downcast_ref::<Certificate>(),
        _ => None,
    };
    let Some(authority) = authority else {
        return fail("unable to decode certificate");
    };
    let Some((_, data)) = pem::decode(authority.cert.as_bytes()) else {
        return fail("unable to decode certificate");
    };
    let parsed = x509::parse(&data).ok_or_else(|| {
        FuncError::new("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate")
    })?;
    let signer = parse_key(authority.key.as_bytes())?;
    issue(host, &Request::host(args)?, key, Some((&parsed, &signer)))
}

/// Makes and signs the certificate of a key; without a signer the key signs for itself.
fn issue(
    host: &mut dyn Host,
    request: &Request<'_>,
    key: &PrivateKey,
    signer: Option<(&x509::Parsed<'_>, &PrivateKey)>,
) -> FuncResult {
    let failed = |why: &str| FuncError::new(format!("error creating certificate: {why}"));
    let mut serial = [0; 16];
    host.fill_random(&mut serial);
    let now = host.now_unix_nanos();
    let valid_nanos = (24 * 3600 * 1_000_000_000i64).wrapping_mul(request.days);
    let moment = |nanos: i128| {
        let (year, digits) = utc_digits(nanos);
        let representable = (0..10_000).contains(&year);
        let too_late = "cannot represent time as GeneralizedTime";
        if representable {
            Ok(Moment { year, digits })
        } else {
            Err(failed(too_late))
        }
    };
    let template = Template {
        serial,
        common_name: request.common_name,
        not_before: moment(now)?,
        not_after: moment(now + i128::from(valid_nanos))?,
        addresses: request.addresses.clone(),
        dns_names: request.dns_names.iter().map(Str::as_bytes).collect(),
        is_authority: request.is_authority,
    };
    if template.dns_names.iter().any(|name| !name.is_ascii()) {
        let name = template.dns_names.iter().find(|name| !name.is_ascii());
        let name = crate::quote::quote(name.copied().unwrap_or_default());
        return Err(failed(&format!("x509: {name} cannot be encoded as an IA5String")));
    }
    let no_signer = "x509: certificate private key does not implement crypto.Signer";
    let public = key.public().ok_or_else(|| failed(no_signer))?;
    let own_name = template.subject();
    let (issuer, signing_key) = match signer {
        None => (
            Issuer {
                name: &own_name,
                key_id: None,
            },
            key,
        ),
        Some((authority, signing_key)) => {
            let (signer_public, _) = signing_key.public().ok_or_else(|| failed(no_signer))?;
            if signer_public != authority.public_key {
                return Err(failed(
                    "x509: provided PrivateKey doesn't match parent's PublicKey",
                ));
            }
            let key_id = authority.subject_key_id;
            (
                Issuer {
                    name: authority.subject,
                    key_id,
                },
                signing_key,
            )
        }
    };
    let algorithm = signing_key.signature_algorithm();
    let body = template.to_be_signed(&issuer, algorithm.clone(), &public);
    let signature = signing_key.sign(host, &body).map_err(|e| failed(&e))?;
    let encoded = der::sequence(&[body, algorithm, der::bit_string(&signature)]);
    certificate(pem::encode("CERTIFICATE", &encoded), key.to_pem())
}
