//! Sources of volumes, one function each (`pkg/apis/core/validation/validation.go`).

use super::{Options, containers, paths};
use crate::core::claim_spec;
use crate::cursor::{Field, Findings};
use crate::{labels, metadata, names};

/// The check of one source.
pub type Check = fn(&Field<'_>, &Options, &mut Findings);

/// Fields that must not be empty.
fn required(source: &Field<'_>, fields: &[&'static str], out: &mut Findings) {
    for field in fields.iter().map(|name| source.get(name)).filter(Field::is_empty) {
        out.push(field.required(""));
    }
}

/// A file or folder of the node.
pub fn host_path(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let (path, r#type) = (source.get("path"), source.get("type"));
    if path.is_empty() {
        out.push(path.required(""));
        return;
    }
    paths::no_backsteps(&path, path.str(), out);
    let known = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    if r#type.exists() && !known.contains(&r#type.str()) {
        out.push(r#type.not_supported(&known));
    }
}

/// A clone of a repository.
pub fn git_repo(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["repository"], out);
    let directory = source.get("directory");
    paths::local_descending(&directory, directory.str(), out);
}

fn partition(source: &Field<'_>, out: &mut Findings) {
    let partition = source.get("partition");
    if !(0..=255).contains(&partition.int()) {
        out.push(partition.invalid(names::range_text(1, 255)));
    }
}

/// Google's disks.
pub fn gce_disk(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["pdName"], out);
    partition(source, out);
}

/// Amazon's disks.
pub fn aws_disk(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["volumeID"], out);
    partition(source, out);
}

/// A Secret's keys as files.
pub fn secret(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["secretName"], out);
    keys(source, out);
}

/// A ConfigMap's keys as files.
pub fn config_map(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["name"], out);
    keys(source, out);
}

fn keys(source: &Field<'_>, out: &mut Findings) {
    paths::mode(&source.get("defaultMode"), out);
    source.items("items").for_each(|item| key_to_path(&item, out));
}

/// A key and the file that it becomes.
pub fn key_to_path(item: &Field<'_>, out: &mut Findings) {
    required(item, &["key", "path"], out);
    let path = item.get("path");
    paths::local_non_reserved(&path, path.str(), out);
    paths::mode(&item.get("mode"), out);
}

/// A network file system.
pub fn nfs(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["server", "path"], out);
    let path = source.get("path");
    if !path.str().starts_with('/') {
        out.push(path.invalid("must be an absolute path"));
    }
}

/// A block device over the network.
pub fn iscsi(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["targetPortal"], out);
    let iqn = source.get("iqn");
    if iqn.is_empty() {
        out.push(iqn.required(""));
    } else {
        iscsi_name(&iqn, iqn.str(), out);
    }
    let lun = source.get("lun");
    if !(0..=255).contains(&lun.int()) {
        out.push(lun.invalid(names::range_text(0, 255)));
    }
    let chap = source.get("chapAuthDiscovery").bool() || source.get("chapAuthSession").bool();
    if chap && !source.get("secretRef").exists() {
        out.push(source.get("secretRef").required(""));
    }
    if let Some(initiator) = source.get("initiatorName").opt_str() {
        iscsi_name(&source.get("initiatorname"), initiator, out);
    }
}

fn iscsi_name(place: &Field<'_>, name: &str, out: &mut Findings) {
    let alphanumeric =
        |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_alphanumeric());
    // `eui.` and `naa.` with any character for the dot, as upstream's expressions have it.
    let after = |prefix: &str| {
        name.strip_prefix(prefix)
            .and_then(|rest| rest.get(1..))
            .unwrap_or_default()
    };
    let fits = match name.get(..3) {
        Some("iqn") => is_iqn(name),
        Some("eui") => alphanumeric(after("eui"), 16),
        Some("naa") => alphanumeric(after("naa"), 32),
        _ => {
            out.push(place.invalid_value(name, "must be valid format starting with iqn, eui, or naa"));
            return;
        }
    };
    if !fits {
        out.push(place.invalid_value(name, "must be valid format"));
    }
}

/// `iqn.2001-04.com.example:storage`
fn is_iqn(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("iqn.") else {
        return false;
    };
    let Some((authority, unique)) = rest.split_once(':') else {
        return false;
    };
    let Some((date, domain)) = authority.split_once('.') else {
        return false;
    };
    let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    date.split_once('-')
        .is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
        && !domain.is_empty()
        && domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        && !unique.is_empty()
        && !unique.contains(|c: char| matches!(c, ',' | ';' | '*' | '&' | '$' | '|') || c.is_whitespace())
}

/// GlusterFS.
pub fn glusterfs(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["endpoints", "path"], out);
}

/// Flocker.
pub fn flocker(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let (name, uuid) = (source.get("datasetName"), source.get("datasetUUID"));
    match (name.is_empty(), uuid.is_empty()) {
        (true, true) => out.push(source.required("one of datasetName and datasetUUID is required")),
        (false, false) => {
            let detail = "datasetName and datasetUUID can not be specified simultaneously";
            out.push(source.invalid_value("resource", detail));
        }
        _ => {}
    }
    if name.str().contains('/') {
        out.push(name.invalid("must not contain '/'"));
    }
}

/// A claim in the same namespace.
pub fn claim(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["claimName"], out);
}

/// Ceph's block devices.
pub fn rbd(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["monitors", "image"], out);
}

/// OpenStack's block devices.
pub fn cinder(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["volumeID"], out);
    secret_ref(source, out);
}

fn secret_ref(source: &Field<'_>, out: &mut Findings) {
    let reference = source.get("secretRef");
    if reference.exists() {
        required(&reference, &["name"], out);
    }
}

/// Ceph's file system.
pub fn ceph_fs(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["monitors"], out);
}

/// Quobyte.
pub fn quobyte(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let (registry, tenant) = (source.get("registry"), source.get("tenant"));
    let detail = "must be a host:port pair or multiple pairs separated by commas";
    if registry.is_empty() {
        out.push(registry.required(detail));
    } else if tenant.len() >= 65 {
        out.push(tenant.required("must be a UUID and may not exceed a length of 64 characters"));
    } else {
        let is_pair = |pair: &&str| match pair.strip_prefix('[') {
            Some(rest) => rest.split_once("]:").is_some_and(|(_, port)| !port.contains(':')),
            None => pair.matches(':').count() == 1,
        };
        out.extend(
            registry
                .str()
                .split(',')
                .filter(|pair| !is_pair(pair))
                .map(|_| registry.invalid(detail)),
        );
    }
    required(source, &["volume"], out);
}

/// Fibre channel.
pub fn fc(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let (names, ids, lun) = (source.get("targetWWNs"), source.get("wwids"), source.get("lun"));
    match (names.is_empty(), ids.is_empty()) {
        (true, true) => out.push(names.required("must specify either targetWWNs or wwids, but not both")),
        (false, false) => out.push(names.invalid("targetWWNs and wwids can not be specified simultaneously")),
        _ => {}
    }
    if names.is_empty() {
        return;
    }
    match lun.opt_int() {
        None => out.push(lun.required("lun is required if targetWWNs is specified")),
        Some(number) => {
            out.extend(
                names::in_range(number, 0, 255)
                    .into_iter()
                    .map(|text| lun.invalid(text)),
            );
        }
    }
}

/// A driver of one's own.
pub fn flex(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["driver"], out);
    for (key, option) in source.get("options").entries() {
        let namespace = key.split_once('/').map_or(key, |(namespace, _)| namespace);
        let normalized = format!(".{}", namespace.to_lowercase());
        if normalized.ends_with(".kubernetes.io") || normalized.ends_with(".k8s.io") {
            out.push(option.invalid_value(key, "kubernetes.io and k8s.io namespaces are reserved"));
        }
    }
}

/// Microsoft's file shares.
pub fn azure_file(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["secretName", "shareName"], out);
}

/// vSphere's disks.
pub fn vsphere(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["volumePath"], out);
}

/// Photon's disks.
pub fn photon(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["pdID"], out);
}

/// Portworx.
pub fn portworx(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["volumeID"], out);
}

/// Microsoft's disks.
pub fn azure_disk(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["diskName", "diskURI"], out);
    let (caching, kind, uri) = (
        source.get("cachingMode"),
        source.get("kind"),
        source.get("diskURI"),
    );
    if caching.exists() && !matches!(caching.str(), "None" | "ReadOnly" | "ReadWrite") {
        out.push(caching.not_supported(&["None", "ReadOnly", "ReadWrite"]));
    }
    let Some(name) = kind.opt_str() else { return };
    if !matches!(name, "Dedicated" | "Managed" | "Shared") {
        out.push(kind.not_supported(&["Dedicated", "Managed", "Shared"]));
    }
    let (start, form) = if name == "Managed" {
        (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        )
    } else {
        (
            "https://",
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        )
    };
    if !uri.str().starts_with(start) {
        out.push(uri.not_supported(&[form]));
    }
}

/// StorageOS.
pub fn storage_os(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let (name, namespace) = (source.get("volumeName"), source.get("volumeNamespace"));
    if name.is_empty() {
        out.push(name.required(""));
    }
    for label in [name, namespace].iter().filter(|label| !label.is_empty()) {
        out.extend(
            names::dns_label(label.str())
                .into_iter()
                .map(|text| label.invalid(text)),
        );
    }
    secret_ref(source, out);
}

/// ScaleIO.
pub fn scale_io(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["gateway", "system", "volumeName"], out);
}

/// A CSI driver that is asked for each pod.
pub fn csi(source: &Field<'_>, _: &Options, out: &mut Findings) {
    csi_driver(&source.get("driver"), out);
    let name = source.get("nodePublishSecretRef").get("name");
    if !source.get("nodePublishSecretRef").exists() {
        return;
    }
    if name.is_empty() {
        out.push(name.required(""));
    } else {
        let place = source.get("name");
        let texts = names::dns_subdomain_name(name.str(), false);
        out.extend(
            texts
                .into_iter()
                .map(|text| place.invalid_value(name.str(), text)),
        );
    }
}

/// The name of a CSI driver.
pub fn csi_driver(driver: &Field<'_>, out: &mut Findings) {
    if driver.is_empty() {
        out.push(driver.required(""));
    }
    if driver.len() > 63 {
        out.push(driver.too_long(63));
    }
    let texts = names::dns_subdomain(&driver.str().to_lowercase());
    out.extend(
        texts
            .into_iter()
            .map(|text| driver.invalid_value(driver.str(), text)),
    );
}

/// A claim that lives as long as the pod.
pub fn ephemeral(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let template = source.get("volumeClaimTemplate");
    if !template.exists() {
        out.push(template.required(""));
        return;
    }
    let meta = template.get("metadata");
    metadata::annotations(&meta.get("annotations"), out);
    labels::validate_labels(&meta.get("labels"), out);
    for field in [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uID",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ] {
        let in_object = if field == "uID" { "uid" } else { field };
        if !meta.get(in_object).is_empty() {
            out.push(meta.get(field).forbidden("cannot be set"));
        }
    }
    claim_spec::validate(&template.get("spec"), claim_spec::Options::default(), out);
}

/// The files of an image.
pub fn image(source: &Field<'_>, options: &Options, out: &mut Findings) {
    if options.is_pod {
        required(source, &["reference"], out);
    }
    containers::pull_policy(&source.get("pullPolicy"), out);
}
