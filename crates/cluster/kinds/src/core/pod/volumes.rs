//! Volumes of pods (`pkg/apis/core/validation ValidateVolumes`); the sources that need more than a look are in
//! [`super::volume_sources`] and [`super::projected`].

use std::collections::BTreeMap;

use super::volume_sources::{self as sources, Check};
use super::{Options, projected};
use crate::cursor::{Field, Findings};
use crate::names;

/// The volumes of a pod that are right, by name.
#[derive(Default)]
pub struct Volumes<'a>(BTreeMap<&'a str, Field<'a>>);

impl<'a> Volumes<'a> {
    /// Whether there is a volume of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The volume of this name.
    pub fn find(&self, name: &str) -> Option<&Field<'a>> {
        self.0.get(name)
    }
}

/// A source: its field, the name that upstream's path shows where it is one too many, the name that it shows within,
/// and its check.
type Source = (&'static str, &'static str, &'static str, Check);

/// In upstream's order; the odd names are upstream's.
const SOURCES: [Source; 28] = [
    ("hostPath", "hostPath", "hostPath", sources::host_path),
    ("gitRepo", "gitRepo", "gitRepo", sources::git_repo),
    (
        "gcePersistentDisk",
        "gcePersistentDisk",
        "persistentDisk",
        sources::gce_disk,
    ),
    (
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        sources::aws_disk,
    ),
    ("secret", "secret", "secret", sources::secret),
    ("nfs", "nfs", "nfs", sources::nfs),
    ("iscsi", "iscsi", "iscsi", sources::iscsi),
    ("glusterfs", "glusterfs", "glusterfs", sources::glusterfs),
    ("flocker", "flocker", "flocker", sources::flocker),
    (
        "persistentVolumeClaim",
        "persistentVolumeClaim",
        "persistentVolumeClaim",
        sources::claim,
    ),
    ("rbd", "rbd", "rbd", sources::rbd),
    ("cinder", "cinder", "cinder", sources::cinder),
    ("cephfs", "cephFS", "cephfs", sources::ceph_fs),
    ("quobyte", "quobyte", "quobyte", sources::quobyte),
    (
        "downwardAPI",
        "downwarAPI",
        "downwardAPI",
        projected::downward_api,
    ),
    ("fc", "fc", "fc", sources::fc),
    ("flexVolume", "flexVolume", "flexVolume", sources::flex),
    ("configMap", "configMap", "configMap", sources::config_map),
    ("azureFile", "azureFile", "azureFile", sources::azure_file),
    (
        "vsphereVolume",
        "vsphereVolume",
        "vsphereVolume",
        sources::vsphere,
    ),
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "photonPersistentDisk",
        sources::photon,
    ),
    (
        "portworxVolume",
        "portworxVolume",
        "portworxVolume",
        sources::portworx,
    ),
    ("azureDisk", "azureDisk", "azureDisk", sources::azure_disk),
    ("storageos", "storageos", "storageos", sources::storage_os),
    ("projected", "projected", "projected", projected::projected),
    ("scaleIO", "scaleIO", "scaleIO", sources::scale_io),
    ("csi", "csi", "csi", sources::csi),
    ("ephemeral", "ephemeral", "ephemeral", sources::ephemeral),
];

/// Checks `spec.volumes`; `pod_name` is the pod's, empty in a template. Gives those that are right.
pub fn validate<'a>(list: &Field<'a>, pod_name: &str, options: &Options, out: &mut Findings) -> Volumes<'a> {
    let mut volumes = Volumes::default();
    let created: Vec<String> = list
        .list()
        .filter(|volume| !pod_name.is_empty() && volume.get("ephemeral").exists())
        .map(|volume| format!("{pod_name}-{}", volume.get("name").str()))
        .collect();
    for volume in list.list() {
        let mut found = Vec::new();
        source(&volume, pod_name, options, &mut found);
        let name = volume.get("name");
        if name.is_empty() {
            found.push(name.required(""));
        } else {
            found.extend(
                names::dns_label(name.str())
                    .into_iter()
                    .map(|text| name.invalid(text)),
            );
        }
        if volumes.contains(name.str()) {
            found.push(name.duplicate());
        }
        if found.is_empty() {
            volumes.0.insert(name.str(), volume.clone());
        }
        out.append(&mut found);
        let claim = volume.get("persistentVolumeClaim").get("claimName");
        if created.iter().any(|created| created == claim.str()) {
            out.push(claim.invalid("must not reference a PVC that gets created for an ephemeral volume"));
        }
    }
    volumes
}

fn source(volume: &Field<'_>, pod_name: &str, options: &Options, out: &mut Findings) {
    let empty = volume.get("emptyDir");
    let mut count = usize::from(empty.exists());
    let limit = empty.get("sizeLimit");
    if crate::resources::quantity(&limit).is_some_and(|limit| limit.sign() < 0) {
        out.push(limit.forbidden("SizeLimit field must be a valid resource quantity"));
    }
    for (field, forbidden, within, check) in SOURCES {
        let source = volume.get(field);
        if !source.exists() {
            continue;
        }
        count += 1;
        if count > 1 {
            out.push(
                volume
                    .get(forbidden)
                    .forbidden("may not specify more than 1 volume type"),
            );
        } else {
            check(&volume.get(within).with(source.value()), options, out);
        }
        let name = volume.get("name").str();
        if field == "iscsi" && source.get("initiatorName").exists() {
            let portal = source.get("targetPortal").str();
            if name.len() + 1 + portal.len() > 64 {
                let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if \
                              iscsi.initiatorName is specified.";
                out.push(volume.get("name").invalid(detail));
            }
        }
        if field == "ephemeral" && count == 1 && !pod_name.is_empty() && !name.is_empty() {
            let claim = format!("{pod_name}-{name}");
            let texts = names::dns_subdomain_name(&claim, false);
            let place = volume.get("name");
            out.extend(
                texts
                    .into_iter()
                    .map(|text| place.invalid(format!("PVC name \"{claim}\": {text}"))),
            );
        }
    }
    let image = volume.get("image");
    if image.exists() {
        count += 1;
        if count > 1 {
            out.push(image.forbidden("may not specify more than 1 volume type"));
        } else {
            sources::image(&image, options, out);
        }
    }
    if count == 0 {
        out.push(volume.required("must specify a volume type"));
    }
}
