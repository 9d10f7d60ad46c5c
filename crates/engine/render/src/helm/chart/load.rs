//! Charts from folders and archives, with everything below them.

use std::collections::BTreeMap;

use deploy_model::Place;
use sha2::{Digest, Sha256};

use super::archive::{self, ArchiveError, Budget};
use super::ignore::{IgnoreError, Rules};
use super::metadata::{self, DecodeError, Draft, ValidationError};
use super::{Chart, File};
use crate::helm::values::{self, ReadError};
use crate::inputs::{InputKind, Inputs};
use crate::limits::{CHART_BYTES, CHART_DEPTH};
use crate::source::{EntryKind, Source, SourceError};

/// Why there is no chart. The texts are helm's.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The source could not give a file or a folder.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The folder has no `Chart.yaml` that can be read.
    #[error("unable to detect chart at {path}: open {cause}")]
    NoChartYaml {
        /// Where it was looked for.
        path: String,
        /// Why it could not be read.
        cause: SourceError,
    },
    /// `Chart.yaml`, `requirements.yaml` or a lock file is not what helm reads.
    #[error("cannot load {file}: {cause}")]
    Metadata {
        /// The file's name.
        file: &'static str,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// `values.yaml` is not what helm reads.
    #[error("cannot load values.yaml: {0}")]
    Values(ReadError),
    /// An API version that no helm knows.
    #[error("unsupported chart version")]
    UnsupportedVersion,
    /// The API version v3, which helm reads but neither renders nor installs.
    #[error("invalid chart apiVersion")]
    InvalidVersion,
    /// No `Chart.yaml` in a chart inside a chart, or in a list of files.
    #[error("Chart.yaml file is missing")]
    MissingChartYaml,
    /// No `Chart.yaml` in an archive.
    #[error("unable to detect chart version, no Chart.yaml found")]
    UndetectedVersion,
    /// `Chart.yaml` lacks something, or has it wrong.
    #[error(transparent)]
    Invalid(#[from] ValidationError),
    /// A chart inside this one.
    #[error("error unpacking subchart {name} in {parent}: {cause}")]
    Subchart {
        /// Its entry in `charts/`.
        name: String,
        /// The chart around it.
        parent: String,
        /// What is wrong with it.
        cause: Box<LoadError>,
    },
    /// An entry `x.tgz` of `charts/` that is a folder.
    #[error("error unpacking subchart tar in {parent}: expected {name}, got {found}")]
    SubchartArchive {
        /// Its entry in `charts/`.
        name: String,
        /// The chart around it.
        parent: String,
        /// The file that stands there instead.
        found: String,
    },
    /// An archive whose content is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The bytes are no gzip stream at all.
    #[error("stream does not appear to be a valid chart file (details: {0})")]
    NoArchive(ArchiveError),
    /// An archive that cannot be unpacked.
    #[error("unable to load chart archive: {0}")]
    BadArchive(ArchiveError),
    /// A file that was named as a chart is no archive.
    #[error("file '{path}' does not appear to be a gzipped archive; got '{content_type}'")]
    NoArchiveFile {
        /// The file.
        path: String,
        /// What it seems to be.
        content_type: &'static str,
    },
    /// A file that was named as a chart is YAML: most likely the arguments are in the wrong order.
    #[error("file '{path}' seems to be a YAML file, but expected a gzipped archive")]
    YamlFile {
        /// The file.
        path: String,
    },
    /// A file that was named as a chart is an archive, but a broken one.
    #[error("unable to load chart archive")]
    BadArchiveFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: ArchiveError,
    },
    /// `.helmignore` cannot be understood.
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    /// The files of a folder are together larger than a chart may be.
    #[error("error reading {name}: chart exceeds maximum decompressed size of {CHART_BYTES} bytes")]
    TooLarge {
        /// The file that does not fit.
        name: String,
    },
    /// Folders or charts inside one another without end, for example by a link that leads upwards.
    #[error("{path}: nested too deep, or a link that leads back into itself")]
    TooDeep {
        /// Where it was noticed.
        path: String,
    },
}

impl LoadError {
    /// Where in the chart it is wrong, if that is known; the file's name is relative to the chart.
    pub fn place(&self) -> Option<Place> {
        let at = |file: &str, error: &deploy_yaml::Error| Place {
            file: file.to_owned(),
            line: error.position.line,
            column: error.position.column,
        };
        match self {
            LoadError::Metadata {
                file,
                cause: DecodeError::Yaml(error),
            } => Some(at(file, error)),
            LoadError::Metadata { file, .. } => Some(Place::file(*file)),
            LoadError::Values(ReadError::Yaml(error)) => Some(at("values.yaml", error)),
            LoadError::Values(_) => Some(Place::file("values.yaml")),
            LoadError::Subchart { name, cause, .. } => {
                let below = cause.place()?;
                Some(Place {
                    file: format!("charts/{name}/{}", below.file),
                    ..below
                })
            }
            _ => None,
        }
    }
}

/// Loads the chart at a path: a folder, or a packed chart.
pub fn from_source(source: &dyn Source, path: &str, inputs: &mut Inputs) -> Result<Chart, LoadError> {
    match source.kind(path)? {
        Some(EntryKind::Folder) => {
            let chart_yaml = join(path, "Chart.yaml");
            let data = source.read(&chart_yaml).map_err(|cause| LoadError::NoChartYaml {
                path: chart_yaml,
                cause,
            })?;
            check_version(&data)?;
            from_files(folder_files(source, path, inputs)?)
        }
        Some(EntryKind::File) => {
            let bytes = source.read(path)?;
            inputs.record(InputKind::File, path, Sha256::digest(&bytes).into());
            from_archive_file(path, &bytes)
        }
        None => Err(LoadError::Source(SourceError::NotFound {
            path: path.to_owned(),
        })),
    }
}

/// Loads a packed chart.
pub fn from_archive(bytes: &[u8]) -> Result<Chart, LoadError> {
    let mut budget = Budget::default();
    let files = archive::files(bytes, &mut budget).map_err(|cause| match cause {
        ArchiveError::Header => LoadError::NoArchive(cause),
        cause => LoadError::BadArchive(cause),
    })?;
    versioned(files, &mut budget)
}

/// Puts a chart together from its files, whose names are relative to its folder.
pub fn from_files(files: Vec<File>) -> Result<Chart, LoadError> {
    assemble(files, &mut Budget::default(), 0)
}

/// The files of a chart's folder that `.helmignore` leaves in, sorted as helm walks them. Nothing else is checked.
pub fn folder_files(source: &dyn Source, path: &str, inputs: &mut Inputs) -> Result<Vec<File>, LoadError> {
    let ignore_file = join(path, ".helmignore");
    let rules = if source.kind(&ignore_file)?.is_some() {
        let text = source.read(&ignore_file)?;
        inputs.record(InputKind::File, ignore_file, Sha256::digest(&text).into());
        Rules::parse(&text)?
    } else {
        Rules::parse(b"")?
    };
    let mut walk = Walk {
        source,
        rules,
        budget: Budget::default(),
        files: Vec::new(),
        ancestors: Vec::new(),
    };
    walk.folder(path, None, "", inputs)?;
    Ok(walk.files)
}

fn from_archive_file(path: &str, bytes: &[u8]) -> Result<Chart, LoadError> {
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        let path = path.to_owned();
        return Err(if path.ends_with(".yml") || path.ends_with(".yaml") {
            LoadError::YamlFile { path }
        } else {
            LoadError::NoArchiveFile {
                path,
                content_type: content_type(bytes),
            }
        });
    }
    let mut budget = Budget::default();
    let files = archive::files(bytes, &mut budget).map_err(|cause| LoadError::BadArchiveFile {
        path: path.to_owned(),
        cause,
    })?;
    versioned(files, &mut budget)
}

fn versioned(files: Vec<File>, budget: &mut Budget) -> Result<Chart, LoadError> {
    let chart_yaml = files.iter().find(|f| f.name == "Chart.yaml");
    check_version(&chart_yaml.ok_or(LoadError::UndetectedVersion)?.data)?;
    assemble(files, budget, 0)
}

fn check_version(chart_yaml: &[u8]) -> Result<(), LoadError> {
    let version = metadata::api_version(chart_yaml).map_err(|cause| LoadError::Metadata {
        file: "Chart.yaml",
        cause,
    })?;
    match version.as_deref() {
        None | Some("v1" | "v2") => Ok(()),
        Some("v3") => Err(LoadError::InvalidVersion),
        Some(_) => Err(LoadError::UnsupportedVersion),
    }
}

/// What Go's `http.DetectContentType` calls the first 512 bytes; a shorter file counts as padded with zeros.
fn content_type(bytes: &[u8]) -> &'static str {
    let binary = |b: u8| matches!(b, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    let is_text = bytes.len() >= 512 && !bytes[..512].iter().copied().any(binary);
    match bytes {
        [b'P', b'K', 3, 4, ..] => "application/zip",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        [0xef, 0xbb, 0xbf, ..] => "text/plain; charset=utf-8",
        _ if is_text => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

struct Walk<'s> {
    source: &'s dyn Source,
    rules: Rules,
    budget: Budget,
    files: Vec<File>,
    /// The canonical paths of the folders on the way down, to notice links that lead back.
    ancestors: Vec<String>,
}

impl Walk<'_> {
    /// `canonical` is where the folder stands, if that is known.
    fn folder(
        &mut self,
        path: &str,
        canonical: Option<String>,
        relative: &str,
        inputs: &mut Inputs,
    ) -> Result<(), LoadError> {
        let canonical = match canonical {
            Some(known) => known,
            None => self.source.canonical(path)?,
        };
        if self.ancestors.len() >= CHART_DEPTH || self.ancestors.contains(&canonical) {
            return Err(LoadError::TooDeep {
                path: path.to_owned(),
            });
        }
        self.ancestors.push(canonical.clone());
        let entries = self.source.list(path)?;
        let mut names = Sha256::new();
        for entry in &entries {
            names.update(entry.name.as_bytes());
            names.update([0]);
        }
        inputs.record(InputKind::Folder, path, names.finalize().into());
        for entry in entries {
            let name = if relative.is_empty() {
                entry.name.clone()
            } else {
                format!("{relative}/{}", entry.name)
            };
            let is_folder = entry.kind == EntryKind::Folder;
            if self.rules.ignores(&name, is_folder) {
                continue;
            }
            let path = join(path, &entry.name);
            if is_folder {
                let canonical = (!entry.linked).then(|| join(&canonical, &entry.name));
                self.folder(&path, canonical, &name, inputs)?;
            } else {
                self.file(&path, name, inputs)?;
            }
        }
        self.ancestors.pop();
        Ok(())
    }

    fn file(&mut self, path: &str, name: String, inputs: &mut Inputs) -> Result<(), LoadError> {
        let data = self.source.read(path)?;
        if !self.budget.take(data.len() as u64) {
            return Err(LoadError::TooLarge { name });
        }
        inputs.record(InputKind::File, path, Sha256::digest(&data).into());
        self.files.push(File::new(name, archive::without_bom(data)));
        Ok(())
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder == "/" {
        format!("/{name}")
    } else {
        format!("{folder}/{name}")
    }
}

fn assemble(files: Vec<File>, budget: &mut Budget, depth: usize) -> Result<Chart, LoadError> {
    if depth >= CHART_DEPTH {
        return Err(LoadError::TooDeep {
            path: "charts".to_owned(),
        });
    }
    let mut chart = Chart {
        raw: files.clone(),
        ..Chart::default()
    };
    let mut draft = None;
    for file in files.iter().filter(|f| f.name == "Chart.yaml") {
        let draft = draft.get_or_insert_with(Draft::default);
        draft.read(&file.data).map_err(|cause| LoadError::Metadata {
            file: "Chart.yaml",
            cause,
        })?;
        // Helm 2 took charts without an API version; they count as v1.
        if draft.metadata.api_version.is_empty() {
            "v1".clone_into(&mut draft.metadata.api_version);
        }
    }
    let mut below: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        place(file, &mut chart, &mut draft, &mut below)?;
    }
    chart.metadata = draft.ok_or(LoadError::MissingChartYaml)?.validated()?;
    for (name, files) in below {
        if !name.starts_with(['_', '.']) {
            let dependency = subchart(&name, files, &chart.metadata.name, budget, depth)?;
            chart.dependencies.push(dependency);
        }
    }
    Ok(chart)
}

/// Puts one file where it belongs.
fn place(
    file: File,
    chart: &mut Chart,
    draft: &mut Option<Draft>,
    below: &mut BTreeMap<String, Vec<File>>,
) -> Result<(), LoadError> {
    match file.name.as_str() {
        "Chart.yaml" => {}
        "Chart.lock" => chart.lock = Some(lock("Chart.lock", &file)?),
        "values.yaml" => chart.values = values::read(&file.data).map_err(LoadError::Values)?,
        "values.schema.json" => chart.schema = Some(file.data),
        "requirements.yaml" => {
            let draft = draft.get_or_insert_with(Draft::default);
            let is_v1 = draft.metadata.api_version == "v1";
            if !is_v1 {
                chart.warnings.push(
                    "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". \
                     We recommend migrating dependencies to Chart.yaml."
                        .to_owned(),
                );
            }
            draft.read(&file.data).map_err(|cause| LoadError::Metadata {
                file: "requirements.yaml",
                cause,
            })?;
            if draft.metadata.api_version == "v1" {
                chart.files.push(file);
            }
        }
        "requirements.lock" => {
            chart.lock = Some(lock("requirements.lock", &file)?);
            if draft.get_or_insert_with(Draft::default).metadata.api_version == "v1" {
                chart.files.push(file);
            } else {
                chart.warnings.push(
                    "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". \
                     We recommend migrating to Chart.lock."
                        .to_owned(),
                );
            }
        }
        name if name.starts_with("templates/") => chart.templates.push(file),
        name => match name.strip_prefix("charts/") {
            Some(inner) if extension(name) != Some("prov") => {
                let entry = inner.split('/').next().unwrap_or(inner).to_owned();
                let file = File::new(inner, file.data.clone());
                below.entry(entry).or_default().push(file);
            }
            _ => chart.files.push(file),
        },
    }
    Ok(())
}

fn lock(name: &'static str, file: &File) -> Result<Vec<super::Dependency>, LoadError> {
    metadata::parse_lock(&file.data).map_err(|cause| LoadError::Metadata { file: name, cause })
}

fn subchart(
    name: &str,
    files: Vec<File>,
    parent: &str,
    budget: &mut Budget,
    depth: usize,
) -> Result<Chart, LoadError> {
    let result = if extension(name) == Some("tgz") {
        match files.first() {
            Some(file) if file.name != name => {
                return Err(LoadError::SubchartArchive {
                    name: name.to_owned(),
                    parent: parent.to_owned(),
                    found: file.name.clone(),
                });
            }
            Some(file) => archive::files(&file.data, budget)
                .map_err(LoadError::Archive)
                .and_then(|files| assemble(files, budget, depth + 1)),
            None => Err(LoadError::MissingChartYaml),
        }
    } else {
        let files = files
            .into_iter()
            .filter_map(|file| {
                let (_, rest) = file.name.split_once('/')?;
                Some(File::new(rest, file.data.clone()))
            })
            .collect();
        assemble(files, budget, depth + 1)
    };
    result.map_err(|cause| LoadError::Subchart {
        name: name.to_owned(),
        parent: parent.to_owned(),
        cause: Box::new(cause),
    })
}

/// Go's `filepath.Ext` without its dot.
fn extension(name: &str) -> Option<&str> {
    let base = name.rsplit('/').next()?;
    base.rsplit_once('.').map(|(_, ext)| ext)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

    fn load(files: &[(&str, &str)]) -> Result<Chart, LoadError> {
        let files = files
            .iter()
            .map(|(name, text)| (format!("/c/{name}"), text.as_bytes().to_vec()));
        from_source(&MemorySource::new(files), "/c", &mut Inputs::default())
    }

    fn names(files: &[File]) -> Vec<&str> {
        files.iter().map(|f| f.name.as_str()).collect()
    }

    #[test]
    fn files_go_where_they_belong() {
        let chart = load(&[
            ("Chart.yaml", CHART),
            ("values.yaml", "\u{feff}a: 1\n"),
            ("README.md", "x"),
            ("templates/a.yaml", "x"),
            ("templates/.hidden", "x"),
            ("crds/a.yaml", "x"),
            ("charts/_skipped/x", "x"),
            ("charts/.skipped/x", "x"),
            ("charts/x-1.0.0.tgz.prov", "x"),
            ("charts/d/Chart.yaml", "apiVersion: v1\nname: d\nversion: 1.0.0\n"),
            ("charts/d/templates/b.yaml", "x"),
            (".helmignore", "*.bak\n"),
            ("old.bak", "x"),
        ])
        .expect("it is a chart");
        assert_eq!(names(&chart.templates), ["templates/a.yaml"]);
        assert_eq!(
            names(&chart.files),
            [
                ".helmignore",
                "README.md",
                "charts/x-1.0.0.tgz.prov",
                "crds/a.yaml"
            ]
        );
        assert_eq!(chart.values["a"], serde_json::json!(1.0));
        assert_eq!(chart.dependencies.len(), 1);
        assert_eq!(names(&chart.dependencies[0].templates), ["templates/b.yaml"]);
        assert!(names(&chart.raw).contains(&"charts/d/Chart.yaml"));
    }

    #[test]
    fn inputs_are_the_files_and_the_folders() {
        let source = MemorySource::new([
            ("/c/Chart.yaml".to_owned(), CHART.as_bytes().to_vec()),
            ("/c/templates/a.yaml".to_owned(), b"x".to_vec()),
        ]);
        let mut inputs = Inputs::default();
        from_source(&source, "/c", &mut inputs).expect("it is a chart");
        let read: Vec<_> = inputs
            .iter()
            .map(|(kind, name, _)| (kind.clone(), name))
            .collect();
        assert_eq!(
            read,
            [
                (InputKind::File, "/c/Chart.yaml"),
                (InputKind::File, "/c/templates/a.yaml"),
                (InputKind::Folder, "/c"),
                (InputKind::Folder, "/c/templates"),
            ]
        );
    }

    #[test]
    fn requirements_belong_to_v1() {
        let chart = load(&[
            ("Chart.yaml", "name: c\nversion: 1.0.0\n"),
            ("requirements.yaml", "dependencies: [{name: d, version: 1.x}]"),
            ("requirements.lock", "dependencies: [{name: d, version: 1.2.3}]"),
        ])
        .expect("it is a chart");
        assert_eq!(chart.metadata.dependencies[0].name, "d");
        assert_eq!(chart.lock.expect("it has one")[0].version, "1.2.3");
        assert_eq!(names(&chart.files), ["requirements.lock", "requirements.yaml"]);
        let chart =
            load(&[("Chart.yaml", CHART), ("requirements.yaml", "dependencies: []")]).expect("it is a chart");
        assert_eq!(chart.warnings.len(), 1);
        assert!(chart.files.is_empty());
    }

    #[test]
    fn errors_have_the_words_of_helm() {
        for (files, text) in [
            (
                vec![("README.md", "")],
                "unable to detect chart at /c/Chart.yaml: open /c/Chart.yaml: no such file or directory",
            ),
            (
                vec![("Chart.yaml", "apiVersion: v9")],
                "unsupported chart version",
            ),
            (vec![("Chart.yaml", "apiVersion: v3")], "invalid chart apiVersion"),
            (
                vec![("Chart.yaml", "")],
                "validation: chart.metadata.name is required",
            ),
            (
                vec![("Chart.yaml", CHART), ("charts/README.md", "")],
                "error unpacking subchart README.md in c: Chart.yaml file is missing",
            ),
            (
                vec![("Chart.yaml", CHART), ("charts/d.tgz", "x")],
                "error unpacking subchart d.tgz in c: gzip: invalid header",
            ),
            (
                vec![("Chart.yaml", CHART), ("charts/d.tgz/x", "x")],
                "error unpacking subchart tar in c: expected d.tgz, got d.tgz/x",
            ),
        ] {
            assert_eq!(load(&files).expect_err(text).to_string(), text);
        }
    }

    #[test]
    fn a_mistake_has_its_place_in_the_file() {
        let chart = File::new(
            "Chart.yaml",
            b"apiVersion: v2\nname: a\nversion: 1.0.0\n".as_slice(),
        );
        let rows = [
            (
                vec![
                    chart.clone(),
                    File::new("values.yaml", b"a: 1\n---\nb: 2\nc: d: e\n".as_slice()),
                ],
                "values.yaml:4:5",
            ),
            (
                vec![File::new("Chart.yaml", b"apiVersion: v2\nname: [a\n".as_slice())],
                "Chart.yaml:3:1",
            ),
            (
                vec![chart, File::new("charts/b/Chart.yaml", b"a: b: c\n".as_slice())],
                "charts/b/Chart.yaml:1:5",
            ),
        ];
        for (files, place) in rows {
            let error = from_files(files).expect_err("a file of it is no YAML");
            assert_eq!(
                error.place().map(|place| place.to_string()).as_deref(),
                Some(place),
                "{error}"
            );
        }
    }
}
