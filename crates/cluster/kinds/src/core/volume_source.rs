//! What a PersistentVolume is made of (`pkg/apis/core/validation ValidatePersistentVolumeSpec`). Sources that are the
//! same in pods are checked by the functions for pods.

use crate::core::pod::volume_sources::{self as of_pods, Check};
use crate::core::pod::{Options, paths};
use crate::cursor::{Field, Findings};
use crate::{check, names};

/// A source: its field, how its place is written, how the place of a second source is written, its check.
type Source = (&'static str, &'static str, &'static str, Check);

/// In upstream's order. Some places are written differently from the field.
const SOURCES: [Source; 22] = [
    ("hostPath", "hostPath", "hostPath", of_pods::host_path),
    (
        "gcePersistentDisk",
        "persistentDisk",
        "gcePersistentDisk",
        of_pods::gce_disk,
    ),
    (
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        of_pods::aws_disk,
    ),
    ("glusterfs", "glusterfs", "glusterfs", glusterfs),
    ("flocker", "flocker", "flocker", of_pods::flocker),
    ("nfs", "nfs", "nfs", of_pods::nfs),
    ("rbd", "rbd", "rbd", of_pods::rbd),
    ("quobyte", "quobyte", "quobyte", of_pods::quobyte),
    ("cephfs", "cephfs", "cephFS", of_pods::ceph_fs),
    ("iscsi", "iscsi", "iscsi", iscsi),
    ("cinder", "cinder", "cinder", cinder),
    ("fc", "fc", "fc", of_pods::fc),
    ("flexVolume", "flexVolume", "", of_pods::flex),
    ("azureFile", "azureFile", "azureFile", azure_file),
    (
        "vsphereVolume",
        "vsphereVolume",
        "vsphereVolume",
        of_pods::vsphere,
    ),
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "photonPersistentDisk",
        of_pods::photon,
    ),
    (
        "portworxVolume",
        "portworxVolume",
        "portworxVolume",
        of_pods::portworx,
    ),
    ("azureDisk", "azureDisk", "azureDisk", of_pods::azure_disk),
    ("scaleIO", "scaleIO", "scaleIO", of_pods::scale_io),
    ("local", "local", "local", local),
    ("storageos", "storageos", "storageos", storage_os),
    ("csi", "csi", "csi", csi),
];

/// The fields of all sources.
pub fn fields() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.0)
}

/// Checks that there is one source, and that it is well formed.
pub fn validate(spec: &Field<'_>, out: &mut Findings) {
    let mut seen = false;
    for (field, place, second, check) in SOURCES {
        let source = spec.get(field);
        if !source.exists() {
            continue;
        }
        if seen && !second.is_empty() {
            out.push(
                spec.get(second)
                    .forbidden("may not specify more than 1 volume type"),
            );
            continue;
        }
        seen = true;
        check(&spec.get(place).with(source.value()), &Options::NEW_TEMPLATE, out);
        if field == "local" && !spec.get("nodeAffinity").exists() {
            out.push(
                spec.get("nodeAffinity")
                    .required("Local volume requires node affinity"),
            );
        }
    }
    if !seen {
        out.push(spec.required("must specify a volume type"));
    }
}

fn required(source: &Field<'_>, fields: &[&'static str], out: &mut Findings) {
    fields
        .iter()
        .for_each(|name| check::required(&source.get(name), out));
}

fn glusterfs(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["endpoints", "path"], out);
    let namespace = source.get("endpointsNamespace");
    match namespace.opt_str() {
        Some("") => {
            out.push(namespace.invalid("if the endpointnamespace is set, it must be a valid namespace name"));
        }
        Some(name) => check::invalid(&namespace, names::dns_label(name), out),
        None => {}
    }
}

/// As in pods, but for one text.
fn iscsi(source: &Field<'_>, options: &Options, out: &mut Findings) {
    let from = out.len();
    of_pods::iscsi(source, options, out);
    for finding in &mut out[from..] {
        if finding.detail.starts_with("must be valid format starting with") {
            "must be valid format".clone_into(&mut finding.detail);
        }
    }
}

fn secret_of_namespace(source: &Field<'_>, out: &mut Findings) {
    let reference = source.get("secretRef");
    if reference.exists() {
        required(&reference, &["name", "namespace"], out);
    }
}

fn cinder(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["volumeID"], out);
    secret_of_namespace(source, out);
}

fn azure_file(source: &Field<'_>, _: &Options, out: &mut Findings) {
    required(source, &["secretName", "shareName"], out);
    if source.get("secretNamespace").exists() {
        required(source, &["secretNamespace"], out);
    }
}

fn local(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let path = source.get("path");
    if path.is_empty() {
        out.push(path.required(""));
    } else {
        paths::no_backsteps(&path, path.str(), out);
    }
}

fn storage_os(source: &Field<'_>, _: &Options, out: &mut Findings) {
    let namespace = source.get("volumeNamespace");
    check::required_name(&source.get("volumeName"), names::dns_label, out);
    if !namespace.is_empty() {
        check::invalid(&namespace, names::dns_label(namespace.str()), out);
    }
    secret_of_namespace(source, out);
}

/// The longest name of a driver, which is part of the names of sockets.
const DRIVER_MAX: usize = 63;

/// The name of a CSI driver, whose case does not matter (`ValidateCSIDriverName`).
pub fn driver_name(name: &Field<'_>, out: &mut Findings) {
    check::required(name, out);
    if name.len() > DRIVER_MAX {
        out.push(name.too_long(DRIVER_MAX));
    }
    check::invalid(name, names::dns_subdomain(&name.str().to_lowercase()), out);
}

fn csi(source: &Field<'_>, _: &Options, out: &mut Findings) {
    driver_name(&source.get("driver"), out);
    required(source, &["volumeHandle"], out);
    for name in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let reference = source.get(name);
        if reference.exists() {
            check::required_name(&reference.get("name"), names::dns_subdomain, out);
            check::required_name(&reference.get("namespace"), names::dns_label, out);
        }
    }
}
