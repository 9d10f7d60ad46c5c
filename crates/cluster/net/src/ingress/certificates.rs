//! Certificates of Secrets, chosen by the name that a client asks for.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deploy_cluster_api::object;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::crypto::ring::{Ticketer, default_provider, sign};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::Value;

/// Certificates by host.
#[derive(Debug, Default)]
pub struct Certificates {
    hosts: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// By what follows the star: `.example.com`.
    wildcards: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// What was read, by namespace, name and resourceVersion of the Secret.
    read: HashMap<(String, String, String), Arc<CertifiedKey>>,
}

/// Why a Secret is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificate {
    /// There is no such Secret.
    #[error("secret {name:?} does not exist")]
    NoSecret {
        /// Its name.
        name: String,
    },
    /// It does not hold one.
    #[error("secret {name:?} holds no certificate: {why}")]
    Malformed {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// Why TLS cannot be served at all.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(String);

impl Certificates {
    /// Those that Ingresses ask for, the older Ingress first. What `before` has read is not read again. Also what is
    /// wrong, with the place of its Ingress.
    pub fn of(
        ingresses: &[Arc<Value>],
        secret: &dyn Fn(&str, &str) -> Option<Arc<Value>>,
        before: &Certificates,
    ) -> (Certificates, Vec<(usize, NoCertificate)>) {
        let mut made = Certificates::default();
        let mut wrong = Vec::new();
        for (place, ingress) in ingresses.iter().enumerate() {
            let namespace = object::namespace(ingress);
            for entry in ingress["spec"]["tls"].as_array().into_iter().flatten() {
                // Without a Secret the default certificate is meant.
                let Some(name) = entry["secretName"].as_str().filter(|name| !name.is_empty()) else {
                    continue;
                };
                match made.certificate(namespace, name, secret, before) {
                    Ok(key) => made.put(&hosts(ingress, entry), &key),
                    Err(error) => wrong.push((place, error)),
                }
            }
        }
        (made, wrong)
    }

    /// The certificate for a host in lower case, if there is one.
    pub fn find(&self, host: &str) -> Option<&Arc<CertifiedKey>> {
        self.hosts
            .get(host)
            .or_else(|| self.wildcards.get(&host[host.find('.')?..]))
    }

    fn certificate(
        &mut self,
        namespace: &str,
        name: &str,
        secret: &dyn Fn(&str, &str) -> Option<Arc<Value>>,
        before: &Certificates,
    ) -> Result<Arc<CertifiedKey>, NoCertificate> {
        let secret = secret(namespace, name).ok_or_else(|| NoCertificate::NoSecret {
            name: name.to_owned(),
        })?;
        let version = object::resource_version(&secret).to_owned();
        let key = (namespace.to_owned(), name.to_owned(), version);
        let known = self.read.get(&key).or_else(|| before.read.get(&key)).cloned();
        let certificate = match known {
            Some(known) => known,
            None => Arc::new(read(&secret).map_err(|why| NoCertificate::Malformed {
                name: name.to_owned(),
                why,
            })?),
        };
        self.read.insert(key, certificate.clone());
        Ok(certificate)
    }

    fn put(&mut self, hosts: &[String], key: &Arc<CertifiedKey>) {
        for host in hosts {
            let (map, host) = match host.strip_prefix('*') {
                Some(suffix) => (&mut self.wildcards, suffix),
                None => (&mut self.hosts, host.as_str()),
            };
            map.entry(host.into()).or_insert_with(|| key.clone());
        }
    }
}

/// The hosts of an entry; one that names none is for those of the rules.
fn hosts(ingress: &Value, entry: &Value) -> Vec<String> {
    let named = entry["hosts"].as_array().into_iter().flatten();
    let named: Vec<String> = named
        .filter_map(|host| Some(host.as_str()?.to_ascii_lowercase()))
        .collect();
    if !named.is_empty() {
        return named;
    }
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    rules
        .filter_map(|rule| Some(rule["host"].as_str()?.to_ascii_lowercase()))
        .filter(|host| !host.is_empty())
        .collect()
}

fn read(secret: &Value) -> Result<CertifiedKey, String> {
    let pem = |field: &str| {
        let text = secret["data"][field]
            .as_str()
            .ok_or_else(|| format!("{field} is missing"))?;
        STANDARD
            .decode(text)
            .map_err(|_| format!("{field} is not base64"))
    };
    let chain = CertificateDer::pem_slice_iter(&pem("tls.crt")?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "tls.crt is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("tls.crt has no certificate".to_owned());
    }
    // The error could quote the key.
    let key = PrivateKeyDer::from_pem_slice(&pem("tls.key")?)
        .map_err(|_| "tls.key has no private key".to_owned())?;
    let key = sign::any_supported_type(&key)
        .map_err(|_| "tls.key is of a kind that is not supported".to_owned())?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err("tls.key is not the key of tls.crt".to_owned())
        }
        Err(rustls::Error::InvalidCertificate(_)) => Err("tls.crt is no certificate".to_owned()),
        _ => Ok(certified),
    }
}

/// Chooses a certificate for each handshake from those of now.
#[derive(Debug)]
struct Chooser {
    certificates: Arc<ArcSwap<Certificates>>,
    default: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.certificates.load();
        let host = hello.server_name().map(str::to_ascii_lowercase);
        let found = host.and_then(|host| certificates.find(&host).cloned());
        Some(found.unwrap_or_else(|| self.default.clone()))
    }
}

/// How TLS is served: 1.2 and 1.3, HTTP/2 and 1.1.
///
/// # Errors
/// [`TlsError`] where the system has no randomness.
pub fn server_config(certificates: Arc<ArcSwap<Certificates>>) -> Result<ServerConfig, TlsError> {
    let failed = |error: &dyn std::fmt::Display| TlsError(error.to_string());
    let chooser = Chooser {
        certificates,
        default: Arc::new(self_signed().map_err(|error| failed(&error))?),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(chooser));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Ticketer::new().map_err(|error| failed(&error))?;
    Ok(config)
}

/// For hosts without a certificate of their own: clients see that nobody vouches for it.
fn self_signed() -> Result<CertifiedKey, rcgen::Error> {
    let names = ["localhost", "*.localhost"].map(str::to_owned);
    let mut parameters = CertificateParams::new(names)?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Deploy ingress, self-signed");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = parameters.self_signed(&key)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signer = sign::any_ecdsa_type(&der).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair(name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("randomness");
        let parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    fn secret(version: &str, certificate: &str, key: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": "tls", "namespace": "a", "resourceVersion": version},
            "data": {"tls.crt": STANDARD.encode(certificate), "tls.key": STANDARD.encode(key)},
        }))
    }

    fn ingress(hosts: &[&str]) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": "web", "namespace": "a"},
            "spec": {"tls": [{"hosts": hosts, "secretName": "tls"}], "rules": [{"host": "Rule.example"}]},
        }))
    }

    #[test]
    fn hosts_have_the_certificate_of_their_secret() {
        let (certificate, key) = pair("a.example");
        let secret = secret("1", &certificate, &key);
        let find = |_: &str, _: &str| Some(secret.clone());
        let (made, wrong) = Certificates::of(
            &[ingress(&["A.example", "*.b.example"])],
            &find,
            &Certificates::default(),
        );
        assert!(wrong.is_empty());
        for (host, has) in [
            ("a.example", true),
            ("x.b.example", true),
            ("b.example", false),
            ("x.y.b.example", false),
        ] {
            assert_eq!(made.find(host).is_some(), has, "{host}");
        }
        let (again, _) = Certificates::of(&[ingress(&[])], &find, &made);
        let same = Arc::ptr_eq(
            again.find("rule.example").expect("that of the rule"),
            made.find("a.example").expect("there"),
        );
        assert!(same, "the same version is not read again");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_key() {
        let (certificate, key) = pair("a.example");
        let (_, other) = pair("a.example");
        let wrong = |secret: Option<Arc<Value>>| {
            let find = |_: &str, _: &str| secret.clone();
            let (made, wrong) = Certificates::of(&[ingress(&["a.example"])], &find, &Certificates::default());
            assert!(made.find("a.example").is_none());
            wrong[0].1.to_string()
        };
        assert_eq!(wrong(None), "secret \"tls\" does not exist");
        let malformed = |why: &str| format!("secret \"tls\" holds no certificate: {why}");
        assert_eq!(
            wrong(Some(secret("1", "", &key))),
            malformed("tls.crt has no certificate")
        );
        assert_eq!(
            wrong(Some(secret("1", &certificate, "secret!"))),
            malformed("tls.key has no private key")
        );
        assert_eq!(
            wrong(Some(secret("1", &certificate, &other))),
            malformed("tls.key is not the key of tls.crt")
        );
        let bad = json!({"metadata": {"name": "tls"}, "data": {"tls.crt": "%"}});
        assert_eq!(wrong(Some(Arc::new(bad))), malformed("tls.crt is not base64"));
    }
}
