//! Projected volumes and the downward API (`pkg/apis/core/validation validateProjectionSources`).

use std::collections::BTreeSet;

use super::volume_sources::key_to_path;
use super::{Options, env, paths};
use crate::cursor::{Field, Findings};
use crate::{labels, names};

const KEY_TYPES: [&str; 6] = [
    "RSA3072",
    "RSA4096",
    "ECDSAP256",
    "ECDSAP384",
    "ECDSAP521",
    "ED25519",
];
/// How long a certificate may last at most, in seconds: 91 days, of Kubernetes' own signers one.
const MAX_EXPIRATION: i64 = 91 * 24 * 60 * 60;
const MAX_KUBERNETES_EXPIRATION: i64 = 24 * 60 * 60;

/// A downward API volume; upstream reports its items at the volume.
pub fn downward_api(source: &Field<'_>, _: &Options, out: &mut Findings) {
    paths::mode(&source.get("defaultMode"), out);
    for item in source.items("items") {
        downward_file(&source.with(item.value()), out);
    }
}

/// A field or a resource of the pod as a file.
fn downward_file(item: &Field<'_>, out: &mut Findings) {
    let path = item.get("path");
    if path.is_empty() {
        out.push(path.required(""));
    }
    paths::local_non_reserved(&path, path.str(), out);
    let (field, resource) = (item.get("fieldRef"), item.get("resourceFieldRef"));
    if field.exists() {
        env::field_ref(&field, env::VOLUME_FIELDS, out);
        if resource.exists() {
            let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
            out.push(item.invalid_value("resource", detail));
        }
    } else if resource.exists() {
        env::resource_field_ref(&resource, true, out);
    } else {
        out.push(item.required("one of fieldRef and resourceFieldRef is required"));
    }
    paths::mode(&item.get("mode"), out);
}

/// A volume of several sources.
pub fn projected(volume: &Field<'_>, options: &Options, out: &mut Findings) {
    paths::mode(&volume.get("defaultMode"), out);
    let mut taken = BTreeSet::new();
    for source in volume.items("sources") {
        let mut count = 0;
        for name in ["secret", "configMap"] {
            let keys = source.get(name);
            if keys.exists() {
                count += 1;
                self::keys(volume, &keys, &mut taken, out);
            }
        }
        let downward = source.get("downwardAPI");
        if downward.exists() {
            count += 1;
            for item in downward.items("items") {
                downward_file(&downward.with(item.value()), out);
                take(
                    volume,
                    item.get("path").str(),
                    item.get("path").str(),
                    &mut taken,
                    out,
                );
            }
        }
        let token = source.get("serviceAccountToken");
        if token.exists() {
            count += 1;
            self::token(volume, &token, options, out);
        }
        let bundle = source.get("clusterTrustBundle");
        if bundle.exists() {
            count += 1;
            trust_bundle(volume, &bundle, &mut taken, out);
        }
        let certificate = source.get("podCertificate");
        if certificate.exists() {
            count += 1;
            pod_certificate(volume, &certificate, &mut taken, out);
        }
        if count > 1 {
            out.push(source.forbidden("may not specify more than 1 volume type per source"));
        }
    }
}

/// Two sources may not write the same file.
fn take<'a>(
    volume: &Field<'_>,
    path: &'a str,
    shown: &str,
    taken: &mut BTreeSet<&'a str>,
    out: &mut Findings,
) {
    if !path.is_empty() && !taken.insert(path) {
        out.push(volume.invalid_value(shown, "conflicting duplicate paths"));
    }
}

fn keys<'a>(volume: &Field<'_>, source: &Field<'a>, taken: &mut BTreeSet<&'a str>, out: &mut Findings) {
    let name = source.get("name");
    if name.is_empty() {
        out.push(name.required(""));
    }
    for item in source.items("items") {
        key_to_path(&item, out);
        take(volume, item.get("path").str(), name.str(), taken, out);
    }
}

fn token(volume: &Field<'_>, token: &Field<'_>, options: &Options, out: &mut Findings) {
    let seconds = token.get("expirationSeconds");
    if seconds.int() < 600 {
        out.push(seconds.invalid_value(seconds.int(), "may not specify a duration less than 10 minutes"));
    }
    if seconds.int() > 1 << 32 {
        out.push(seconds.invalid_value(
            seconds.int(),
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    let (place, path) = (volume.get("path"), token.get("path"));
    if path.is_empty() {
        out.push(place.required(""));
    } else if !options.allow_any_token_path {
        paths::local_non_reserved(&place, path.str(), out);
    }
}

fn trust_bundle<'a>(
    volume: &Field<'_>,
    bundle: &Field<'a>,
    taken: &mut BTreeSet<&'a str>,
    out: &mut Findings,
) {
    let (name, signer, selector) = (
        bundle.get("name"),
        bundle.get("signerName"),
        bundle.get("labelSelector"),
    );
    match (name.exists(), signer.exists()) {
        (true, true) => out.push(bundle.invalid("only one of name and signerName may be used")),
        (true, false) => {
            if name.is_empty() {
                out.push(name.required("must be a valid object name"));
            }
            let texts = names::dns_subdomain_name(name.str().rsplit(':').next().unwrap_or_default(), false);
            let detail = |text| format!("not a valid clustertrustbundlename: {text}");
            out.extend(texts.into_iter().map(|text| name.invalid(detail(text))));
            if selector.exists() {
                out.push(selector.invalid("labelSelector must be unset if name is specified"));
            }
        }
        (false, true) => {
            if signer.is_empty() {
                out.push(signer.required("must be a valid signer name"));
            }
            signer_name(&signer, out);
            labels::validate_selector(&selector, false, out);
        }
        (false, false) => out.push(bundle.required("either name or signerName must be specified")),
    }
    let path = bundle.get("path");
    if path.is_empty() {
        out.push(path.required(""));
    }
    paths::local_non_reserved(&path, path.str(), out);
    take(volume, path.str(), path.str(), taken, out);
}

/// `example.com/name`
fn signer_name(signer: &Field<'_>, out: &mut Findings) {
    if signer.is_empty() {
        out.push(signer.required(""));
        return;
    }
    match signer.str().split_once('/') {
        Some((domain, path)) if !path.contains('/') && domain.contains('.') => {
            out.extend(
                names::dns_subdomain(domain)
                    .into_iter()
                    .map(|text| signer.invalid(text)),
            );
            out.extend(
                names::dns_subdomain(path)
                    .into_iter()
                    .map(|text| signer.invalid(text)),
            );
        }
        _ => {
            let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
            out.push(signer.invalid(detail));
        }
    }
}

fn pod_certificate<'a>(
    volume: &Field<'_>,
    certificate: &Field<'a>,
    taken: &mut BTreeSet<&'a str>,
    out: &mut Findings,
) {
    let signer = certificate.get("signerName");
    signer_name(&signer, out);
    let kind = certificate.get("keyType");
    if !KEY_TYPES.contains(&kind.str()) {
        out.push(kind.not_supported(&KEY_TYPES));
    }
    let seconds = certificate.get("maxExpirationSeconds");
    if let Some(count) = seconds.opt_int() {
        let kubernetes = signer
            .str()
            .split('/')
            .next()
            .is_some_and(|host| host.ends_with("kubernetes.io"));
        let most = if kubernetes {
            MAX_KUBERNETES_EXPIRATION
        } else {
            MAX_EXPIRATION
        };
        if count < 3600 {
            out.push(seconds.invalid("if provided, maxExpirationSeconds must be >= 3600"));
        }
        if count > most {
            out.push(seconds.invalid(format!("if provided, maxExpirationSeconds must be <= {most}")));
        }
    }
    let mut count = 0;
    for name in ["credentialBundlePath", "keyPath", "certificateChainPath"] {
        let path = certificate.get(name);
        if !path.is_empty() {
            count += 1;
            paths::local_non_reserved(&path, path.str(), out);
            take(volume, path.str(), path.str(), taken, out);
        }
    }
    if count == 0 {
        let detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        out.push(certificate.required(detail));
    }
}
