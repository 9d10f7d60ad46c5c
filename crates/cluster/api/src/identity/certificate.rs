//! A client certificate becomes a user (`apiserver/pkg/authentication/request/x509`).
//!
//! TLS has verified it against our authority before: see [`super::authority::Authority::server_config`].

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CREDENTIAL_ID, UserInfo};

/// The attribute of a subject that holds a uid (`apimachinery/pkg/apis/asn1/oid.go`).
const UID: &[u64] = &[1, 3, 6, 1, 4, 1, 57683, 2];

/// The user that a verified certificate, in DER, names: common name, organisations as groups. `None` where it names
/// nobody.
pub fn user(der: &[u8]) -> Option<UserInfo> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().last()?.as_str().ok()?;
    if name.is_empty() {
        return None;
    }
    let groups = subject
        .iter_organization()
        .map(|group| group.as_str().map(str::to_owned).ok())
        .collect::<Option<Vec<String>>>()?;
    let uid_type = Oid::from(UID).expect("a valid object identifier");
    let uids = subject
        .iter_by_oid(&uid_type)
        .map(|uid| uid.as_str().ok())
        .collect::<Option<Vec<&str>>>()?;
    let uid = match uids[..] {
        [] => "",
        [""] => return None,
        [uid] => uid,
        _ => return None,
    };
    let mut fingerprint = String::from("X509SHA256=");
    for byte in digest(&SHA256, der).as_ref() {
        write!(fingerprint, "{byte:02x}").expect("a string takes everything");
    }
    let mut user = UserInfo {
        name: name.to_owned(),
        uid: uid.to_owned(),
        groups,
        extra: [(CREDENTIAL_ID.to_owned(), vec![fingerprint])].into(),
    };
    user.recognised();
    Some(user)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn der(parts: &[(DnType, &str)]) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            parameters.distinguished_name.push(kind.clone(), *value);
        }
        parameters
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn subjects_become_users() {
        let uid = || DnType::CustomDnType(UID.to_vec());
        let der_alice = der(&[
            (DnType::OrganizationName, "developers"),
            (DnType::CommonName, "alice"),
            (uid(), "u-1"),
        ]);
        let alice = user(&der_alice).unwrap();
        assert_eq!((alice.name.as_str(), alice.uid.as_str()), ("alice", "u-1"));
        assert_eq!(alice.groups, ["developers", "system:authenticated"]);
        assert_eq!(alice.extra[CREDENTIAL_ID][0].len(), "X509SHA256=".len() + 64);
        assert_eq!(user(&der(&[(DnType::OrganizationName, "g")])), None);
        assert_eq!(user(&der(&[(DnType::CommonName, "bob"), (uid(), "")])), None);
        assert_eq!(user(b"no certificate"), None);
    }
}
