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
