//! The file that lets kubectl, helm and client-go in.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::authority::{Authority, ClientCertificate};
use super::files::{self, IdentityError};

/// The text of a kubeconfig with one cluster, one user and one context, all named `name`.
pub fn text(name: &str, server: &str, authority: &Authority, client: &ClientCertificate) -> String {
    let [ca, certificate, key] =
        [authority.certificate_pem(), &client.certificate, &client.key].map(|pem| STANDARD.encode(pem));
    // Everything that varies is base64 or a name and address of ours, without characters that YAML takes for its own.
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {ca}
    server: {server}
users:
- name: {name}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
preferences: {{}}
"
    )
}

/// Writes a kubeconfig, whole or not at all, readable by its owner only.
pub fn write(path: &Path, text: &str) -> Result<(), IdentityError> {
    files::write_secret(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::identity::jwt::tests::folder;

    #[test]
    fn a_kubeconfig_says_where_and_as_whom() {
        let folder = folder("kubeconfig");
        let authority = Authority::open(&folder, 1_790_000_000).unwrap();
        let client = authority
            .client("admin", &["system:masters"], 1_790_000_000)
            .unwrap();
        let path = folder.join("config");
        write(
            &path,
            &text("deploy", "https://127.0.0.1:6443", &authority, &client),
        )
        .unwrap();
        let written = fs::read_to_string(&path).unwrap();
        let value = |key: &str| {
            let line = written
                .lines()
                .find(|line| line.trim_start().starts_with(key))
                .unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        let decoded = |key: &str| String::from_utf8(STANDARD.decode(value(key)).unwrap()).unwrap();
        assert_eq!(value("server"), "https://127.0.0.1:6443");
        assert_eq!(value("current-context"), "deploy");
        assert_eq!(decoded("certificate-authority-data"), authority.certificate_pem());
        assert_eq!(decoded("client-certificate-data"), client.certificate);
        assert!(decoded("client-key-data").starts_with("-----BEGIN PRIVATE KEY-----"));
        fs::remove_dir_all(folder).unwrap();
    }
}
