//! Certificates (RFC 5280), laid out as Go's `x509.CreateCertificate` does it.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::der::{self, Reader};

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// What a certificate says.
pub(super) struct Template<'a> {
    pub serial: [u8; 16],
    pub common_name: &'a [u8],
    pub not_before: Moment,
    pub not_after: Moment,
    pub addresses: Vec<IpAddr>,
    pub dns_names: Vec<&'a [u8]>,
    pub is_authority: bool,
}

/// A time in UTC, as a certificate writes it: `YYYYMMDDhhmmss`.
pub(super) struct Moment {
    pub year: i64,
    pub digits: String,
}

/// Who signs: nobody else, or an authority.
pub(super) struct Issuer<'a> {
    /// The encoded name.
    pub name: &'a [u8],
    pub key_id: Option<&'a [u8]>,
}

impl Template<'_> {
    /// The encoded name of the subject.
    pub fn subject(&self) -> Vec<u8> {
        if self.common_name.is_empty() {
            return der::sequence(&[]);
        }
        let printable = |b: &u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b);
        let tag = if self.common_name.iter().all(printable) {
            der::PRINTABLE_STRING
        } else {
            der::UTF8_STRING
        };
        let attribute = der::sequence(&[
            der::tagged(der::OID, COMMON_NAME),
            der::tagged(tag, self.common_name),
        ]);
        der::sequence(&[der::constructed(der::SET, &[attribute])])
    }

    /// What is signed. `public` is the subject's `SubjectPublicKeyInfo` and the bits in it.
    pub fn to_be_signed(
        &self,
        issuer: &Issuer<'_>,
        algorithm: Vec<u8>,
        public: &(Vec<u8>, Vec<u8>),
    ) -> Vec<u8> {
        let subject = self.subject();
        let extensions = self.extensions(issuer, &subject, &public.1);
        der::sequence(&[
            der::tagged(der::context(0), &der::integer(&[2])),
            der::integer(&self.serial),
            algorithm,
            issuer.name.to_vec(),
            der::sequence(&[self.not_before.encoded(), self.not_after.encoded()]),
            subject,
            public.0.clone(),
            der::tagged(der::context(3), &der::sequence(&extensions)),
        ])
    }

    fn extensions(&self, issuer: &Issuer<'_>, subject: &[u8], key_bits: &[u8]) -> Vec<Vec<u8>> {
        // Digital signature and key encipherment; authorities sign certificates, too.
        let usage: &[u8] = if self.is_authority { &[2, 0xa4] } else { &[5, 0xa0] };
        let purposes = [
            der::tagged(der::OID, SERVER_AUTH),
            der::tagged(der::OID, CLIENT_AUTH),
        ];
        let authority = der::tagged(der::BOOLEAN, &[0xff]);
        let constraints = if self.is_authority {
            vec![authority]
        } else {
            Vec::new()
        };
        let mut all = vec![
            extension(KEY_USAGE, true, &der::tagged(der::BIT_STRING, usage)),
            extension(EXTENDED_KEY_USAGE, false, &der::sequence(&purposes)),
            extension(BASIC_CONSTRAINTS, true, &der::sequence(&constraints)),
        ];
        if self.is_authority {
            let id = &Sha256::digest(key_bits)[..20];
            all.push(extension(
                SUBJECT_KEY_ID,
                false,
                &der::tagged(der::OCTET_STRING, id),
            ));
        }
        if let Some(id) = issuer.key_id
            && issuer.name != subject
        {
            let id = der::tagged(der::context_primitive(0), id);
            all.push(extension(AUTHORITY_KEY_ID, false, &der::sequence(&[id])));
        }
        let mut names: Vec<Vec<u8>> = Vec::new();
        names.extend(
            self.dns_names
                .iter()
                .map(|n| der::tagged(der::context_primitive(2), n)),
        );
        names.extend(self.addresses.iter().map(|address| match address {
            IpAddr::V4(ip) => der::tagged(der::context_primitive(7), &ip.octets()),
            IpAddr::V6(ip) => der::tagged(der::context_primitive(7), &ip.octets()),
        }));
        if !names.is_empty() {
            // Nothing else names the subject then.
            let critical = self.common_name.is_empty();
            all.push(extension(SUBJECT_ALT_NAME, critical, &der::sequence(&names)));
        }
        all
    }
}

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::tagged(der::OID, id)];
    if critical {
        parts.push(der::tagged(der::BOOLEAN, &[0xff]));
    }
    parts.push(der::tagged(der::OCTET_STRING, value));
    der::sequence(&parts)
}

impl Moment {
    fn encoded(&self) -> Vec<u8> {
        if (1950..2050).contains(&self.year) {
            der::tagged(der::UTC_TIME, format!("{}Z", &self.digits[2..]).as_bytes())
        } else {
            der::tagged(der::GENERALIZED_TIME, format!("{}Z", self.digits).as_bytes())
        }
    }
}

/// What is read of a certificate that signs others.
pub(super) struct Parsed<'a> {
    /// The encoded name.
    pub subject: &'a [u8],
    /// The `SubjectPublicKeyInfo`.
    pub public_key: &'a [u8],
    pub subject_key_id: Option<&'a [u8]>,
}

/// Reads a certificate as far as its structure goes; signatures and dates are not checked, as Go does not either.
pub(super) fn parse(data: &[u8]) -> Option<Parsed<'_>> {
    let mut outer = Reader::new(data);
    let mut certificate = outer.enter(der::SEQUENCE)?;
    let mut body = certificate.enter(der::SEQUENCE)?;
    certificate.next_if(der::SEQUENCE)?;
    certificate.next_if(der::BIT_STRING)?;
    if !outer.is_empty() || !certificate.is_empty() {
        return None;
    }
    body.next_if(der::context(0));
    body.next_if(der::INTEGER)?;
    body.next_if(der::SEQUENCE)?;
    body.next_if(der::SEQUENCE)?;
    body.next_if(der::SEQUENCE)?;
    let subject = body.next_if(der::SEQUENCE)?.whole;
    let public_key = body.next_if(der::SEQUENCE)?.whole;
    body.next_if(der::context_primitive(1));
    body.next_if(der::context_primitive(2));
    let mut subject_key_id = None;
    if let Some(mut wrapped) = body.enter(der::context(3)) {
        let mut extensions = wrapped.enter(der::SEQUENCE)?;
        while !extensions.is_empty() {
            let mut extension = extensions.enter(der::SEQUENCE)?;
            let id = extension.next_if(der::OID)?.content;
            extension.next_if(der::BOOLEAN);
            let value = extension.next_if(der::OCTET_STRING)?.content;
            if id == SUBJECT_KEY_ID {
                subject_key_id = Some(Reader::new(value).next_if(der::OCTET_STRING)?.content);
            }
        }
    }
    Some(Parsed {
        subject,
        public_key,
        subject_key_id,
    })
}
