//! The cluster's own certificate authority.
//!
//! Two files are kept: its key and its certificate. What it signs is not kept: the server's certificate is made at each
//! start, and again before it expires, and clients' certificates live in kubeconfig files. Keys are ECDSA on P-256, made
//! in less than a millisecond.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber, date_time_ymd,
};
use rustls::crypto::ring::{default_provider, sign::any_ecdsa_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{self, IdentityError};

/// As long as upstream's tools (kubeadm) make theirs.
const AUTHORITY_DAYS: i32 = 3650;
/// Servers and clients: long enough for a kubeconfig that was copied away, short enough for the rules of TLS clients.
const CERTIFICATE_DAYS: i32 = 365;
/// A certificate is replaced when it has this long to live.
const RENEWAL_SECONDS: i64 = 30 * 24 * 3600;

/// Signs the certificates of one cluster.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// A certificate for a client, and its key, both in PEM.
pub struct ClientCertificate {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// Where time comes from: seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

impl Authority {
    /// The authority whose `ca.key` and `ca.crt` are in `folder`; makes what is missing.
    pub fn open(folder: &Path, now: i64) -> Result<Authority, IdentityError> {
        let (key_path, certificate_path) = (folder.join("ca.key"), folder.join("ca.crt"));
        let (key, fresh) = match files::read(&key_path)? {
            Some(pem) => {
                let malformed = |what: String| IdentityError::Malformed {
                    path: key_path.clone(),
                    what,
                };
                let pem = String::from_utf8(pem).map_err(|e| malformed(e.to_string()))?;
                let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ECDSA_P256_SHA256)
                    .map_err(|e| malformed(e.to_string()))?;
                (key, false)
            }
            None => {
                let key = KeyPair::generate().map_err(failed)?;
                files::write_secret(&key_path, key.serialize_pem().as_bytes())?;
                (key, true)
            }
        };
        let parameters = authority_parameters(now);
        let kept = if fresh {
            None
        } else {
            files::read(&certificate_path)?
        };
        // A certificate of another key is no use; one that ends soon is signed again with the same key and name, so that
        // what it has signed remains valid.
        let der = kept
            .and_then(|pem| CertificateDer::from_pem_slice(&pem).ok())
            .filter(|der| still_good(der, &key, now));
        let der = match der {
            Some(der) => der,
            None => {
                let certificate = parameters.self_signed(&key).map_err(failed)?;
                files::write_secret(&certificate_path, certificate.pem().as_bytes())?;
                certificate.der().clone()
            }
        };
        let pem = pem("CERTIFICATE", &der);
        Ok(Authority {
            issuer: Issuer::new(parameters, key),
            pem,
            der,
        })
    }

    /// The authority's certificate, which clients trust.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a client: a user and his groups.
    pub fn client(&self, user: &str, groups: &[&str], now: i64) -> Result<ClientCertificate, IdentityError> {
        let mut parameters = leaf(now, ExtendedKeyUsagePurpose::ClientAuth);
        for &group in groups {
            parameters
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        parameters.distinguished_name.push(DnType::CommonName, user);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(ClientCertificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A certificate for a server, renewed in time.
    pub fn server_certificate(
        self: &Arc<Self>,
        names: Vec<String>,
        clock: Clock,
    ) -> Result<Arc<ServerCertificate>, IdentityError> {
        ServerCertificate::new(self.clone(), names, clock).map(Arc::new)
    }

    /// How the server speaks TLS: 1.2 and 1.3, HTTP/2 and 1.1, with its certificate. Clients may show a certificate; one that this authority did not sign ends the connection.
    pub fn server_config(&self, certificate: Arc<ServerCertificate>) -> Result<ServerConfig, IdentityError> {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).map_err(failed)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(failed)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(certificate);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn server(&self, names: &[String], now: i64) -> Result<CertifiedKey, IdentityError> {
        let mut parameters = leaf(now, ExtendedKeyUsagePurpose::ServerAuth);
        parameters
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        for name in names {
            let name = match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
            };
            parameters.subject_alt_names.push(name);
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.issuer).map_err(failed)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone(), self.der.clone()];
        Ok(CertifiedKey::new(chain, any_ecdsa_type(&der).map_err(failed)?))
    }
}

/// The names and addresses that the server's certificate is for, besides those that it listens on.
pub fn server_names(service_address: Ipv4Addr, listen: &[IpAddr]) -> Vec<String> {
    let mut names: Vec<String> = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "127.0.0.1",
        "::1",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push(service_address.to_string());
    for address in listen.iter().filter(|address| !address.is_unspecified()) {
        let address = address.to_string();
        if !names.contains(&address) {
            names.push(address);
        }
    }
    names
}

/// The server's certificate, which is looked at with each connection and made anew when it gets old: no timer.
pub struct ServerCertificate {
    authority: Arc<Authority>,
    clock: Clock,
    current: Mutex<Current>,
}

struct Current {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    made: i64,
}

impl ServerCertificate {
    fn new(
        authority: Arc<Authority>,
        names: Vec<String>,
        clock: Clock,
    ) -> Result<ServerCertificate, IdentityError> {
        let made = clock();
        let key = Arc::new(authority.server(&names, made)?);
        Ok(ServerCertificate {
            authority,
            clock,
            current: Mutex::new(Current { key, names, made }),
        })
    }

    /// From now on the certificate names this address or name, too.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] for what is neither.
    pub fn add_name(&self, name: &str) -> Result<(), IdentityError> {
        let now = (self.clock)();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.names.iter().any(|known| known == name) {
            return Ok(());
        }
        let mut names = current.names.clone();
        names.push(name.to_owned());
        let key = Arc::new(self.authority.server(&names, now)?);
        *current = Current {
            key,
            names,
            made: now,
        };
        Ok(())
    }

    fn get(&self) -> Arc<CertifiedKey> {
        let now = (self.clock)();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let lifetime = i64::from(CERTIFICATE_DAYS) * 24 * 3600;
        // Also when the clock was set back to before the certificate was made, or it would not be valid yet.
        let old = now > current.made + lifetime - RENEWAL_SECONDS || now < current.made - 24 * 3600;
        if old && let Ok(key) = self.authority.server(&current.names, now) {
            current.key = Arc::new(key);
            current.made = now;
        }
        current.key.clone()
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate").finish_non_exhaustive()
    }
}

fn authority_parameters(now: i64) -> CertificateParams {
    let mut parameters = named(now, AUTHORITY_DAYS);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "deploy-cluster-ca");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    parameters
}

fn leaf(now: i64, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut parameters = named(now, CERTIFICATE_DAYS);
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![usage];
    parameters
}

/// Parameters without a name, valid from yesterday (clocks differ) for so many days.
fn named(now: i64, days: i32) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    let mut serial = [0; 16];
    // Without randomness the serial is rcgen's, from the key: unique too.
    if getrandom::fill(&mut serial).is_ok() {
        serial[0] &= 0x7f;
        parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    }
    let today = Timestamp::from_second(now)
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .date();
    let day = |offset: i32| {
        let date = today.saturating_add(Span::new().days(offset));
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        date_time_ymd(i32::from(date.year()), month, day)
    };
    parameters.not_before = day(-1);
    parameters.not_after = day(days);
    parameters
}

fn still_good(der: &CertificateDer<'_>, key: &KeyPair, now: i64) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
        certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw()
            && certificate.validity().not_after.timestamp() - now > i64::from(CERTIFICATE_DAYS) * 24 * 3600
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    // RFC 7468 2: 64 characters a line.
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().map(|&byte| char::from(byte)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

fn failed(error: impl ToString) -> IdentityError {
    IdentityError::Certificate(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicI64, Ordering};

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, ServerConnection};

    use super::*;
    use crate::identity::certificate;
    use crate::identity::jwt::tests::folder;

    const NOW: i64 = 1_790_000_000;

    fn client_config(trusted: &Authority, client: Option<&ClientCertificate>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap(),
                )
                .unwrap(),
        }
    }

    /// Shakes hands in memory; the server's view of the client's certificate, or why there was no handshake.
    fn handshake(
        server: Arc<ServerConfig>,
        client: ClientConfig,
        name: &'static str,
    ) -> Result<Option<Vec<u8>>, String> {
        let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from(name).unwrap())
            .map_err(|e| e.to_string())?;
        let mut server = ServerConnection::new(server).map_err(|e| e.to_string())?;
        let mut wire = Vec::new();
        for _ in 0..10 {
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut &wire[..]).unwrap();
            wire.clear();
            server.process_new_packets().map_err(|e| e.to_string())?;
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut &wire[..]).unwrap();
            wire.clear();
            client.process_new_packets().map_err(|e| e.to_string())?;
        }
        client.writer().write_all(b"hello").unwrap();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().map_err(|e| e.to_string())?;
        let mut heard = [0; 5];
        server.reader().read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        Ok(server.peer_certificates().map(|chain| chain[0].to_vec()))
    }

    /// rustls' own clock is the system's, so these certificates must be valid today.
    fn today() -> i64 {
        Timestamp::now().as_second()
    }

    #[test]
    fn clients_with_our_certificate_are_known_and_others_refused() {
        let (ours, theirs) = (folder("ca"), folder("ca"));
        let authority = Arc::new(Authority::open(&ours, today()).unwrap());
        let other = Authority::open(&theirs, today()).unwrap();
        let names = server_names(Ipv4Addr::new(10, 96, 0, 1), &[IpAddr::from([192, 0, 2, 7])]);
        let certificate = authority.server_certificate(names, Arc::new(today)).unwrap();
        let server = Arc::new(authority.server_config(certificate.clone()).unwrap());
        let admin = authority.client("admin", &["system:masters"], today()).unwrap();
        let seen = handshake(
            server.clone(),
            client_config(&authority, Some(&admin)),
            "kubernetes.default.svc",
        );
        let user = certificate::user(&seen.unwrap().unwrap()).unwrap();
        assert_eq!(
            (user.name.as_str(), user.is_in("system:masters")),
            ("admin", true)
        );
        for name in [
            "127.0.0.1",
            "localhost",
            "10.96.0.1",
            "192.0.2.7",
            "::1",
            "kubernetes",
        ] {
            assert_eq!(
                handshake(server.clone(), client_config(&authority, None), name),
                Ok(None),
                "{name}"
            );
        }
        assert!(handshake(server.clone(), client_config(&authority, None), "example.com").is_err());
        certificate.add_name("example.com").unwrap();
        assert_eq!(
            handshake(server.clone(), client_config(&authority, None), "example.com"),
            Ok(None)
        );
        let stranger = other.client("admin", &["system:masters"], today()).unwrap();
        assert!(
            handshake(
                server.clone(),
                client_config(&authority, Some(&stranger)),
                "localhost"
            )
            .is_err()
        );
        assert!(handshake(server, client_config(&other, None), "localhost").is_err());
        for folder in [ours, theirs] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn the_authority_is_kept_and_renewed_with_its_key() {
        let folder = folder("ca");
        let first = Authority::open(&folder, NOW).unwrap();
        let second = Authority::open(&folder, NOW + 1000).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(
            fs::read_to_string(folder.join("ca.crt")).unwrap(),
            first.certificate_pem()
        );
        let later = Authority::open(&folder, NOW + 9 * 366 * 24 * 3600).unwrap();
        assert_ne!(later.certificate_pem(), first.certificate_pem());
        assert_eq!(
            later.issuer.key().public_key_raw(),
            first.issuer.key().public_key_raw()
        );
        fs::write(folder.join("ca.key"), b"rubbish").unwrap();
        assert!(matches!(
            Authority::open(&folder, NOW),
            Err(IdentityError::Malformed { .. })
        ));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_server_certificate_is_renewed_before_it_expires() {
        let folder = folder("ca");
        let authority = Arc::new(Authority::open(&folder, NOW).unwrap());
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = now.clone();
        let certificate = ServerCertificate::new(
            authority,
            vec!["localhost".to_owned()],
            Arc::new(move || clock.load(Ordering::Relaxed)),
        )
        .unwrap();
        let first = certificate.get();
        now.store(NOW + 300 * 24 * 3600, Ordering::Relaxed);
        assert!(Arc::ptr_eq(&first, &certificate.get()));
        now.store(NOW + 340 * 24 * 3600, Ordering::Relaxed);
        let second = certificate.get();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &certificate.get()));
        fs::remove_dir_all(folder).unwrap();
    }
}
