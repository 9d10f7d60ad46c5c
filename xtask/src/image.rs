//! The images of this repository: the sample shop, and the probe of scenario tests. Static programs in OCI archives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use deploy_image::{Config, Contents, Pack, write_archive};

use crate::{Outcome, repository};

/// glibc, linked statically: the standard target of the machine has it, so that no other toolchain is needed.
const TARGET: &str = concat_target();

/// Time of everything in an image, seconds of Unix: equal programs give equal digests.
const MTIME_S: u64 = 1_704_067_200;

/// An image, its program, and how it runs.
struct Image {
    name: &'static str,
    /// The folder of the program's own `Cargo.toml`.
    source: &'static str,
    program: &'static str,
    reference: &'static str,
    cmd: &'static [&'static str],
    user: &'static str,
    ports: &'static [&'static str],
    /// Folders in the image, with their modes.
    folders: &'static [(&'static str, u32)],
}

const IMAGES: &[Image] = &[
    Image {
        name: "shop",
        source: "examples/shop/server",
        program: "shop",
        // What examples/shop/chart asks for by default: pods find it in the store, and no registry is asked.
        reference: "registry.localhost:7050/shop:1.0.0",
        cmd: &["storefront"],
        user: "65532:65532",
        ports: &["8080/tcp"],
        folders: &[],
    },
    Image {
        name: "probe",
        source: "fixtures/images/probe",
        program: "probe",
        reference: "deploy.test/probe:1",
        cmd: &[],
        user: "",
        ports: &[],
        folders: &[("etc", 0o755), ("tmp", 0o1777)],
    },
];

const fn concat_target() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "aarch64-unknown-linux-gnu"
    } else {
        "x86_64-unknown-linux-gnu"
    }
}

/// `[NAME...]`: builds them, all by default, and writes `target/NAME.oci.tar`.
pub fn run(args: &[String]) -> Outcome {
    let chosen: Vec<&Image> = match args {
        [] => IMAGES.iter().collect(),
        names => names
            .iter()
            .map(|name| {
                IMAGES
                    .iter()
                    .find(|image| image.name == name)
                    .ok_or_else(|| format!("no image {name}: shop and probe are known"))
            })
            .collect::<Result<_, _>>()?,
    };
    for image in chosen {
        let archive = build(image)?;
        println!("{}: {}", archive.display(), image.reference);
    }
    Ok(())
}

fn build(image: &Image) -> Result<PathBuf, String> {
    let root = repository::root();
    let program = compile(&root, image)?;
    let folder = root.join("target/images").join(image.name);
    let said = |what: &Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(said(&folder))?;
    for (name, mode) in image.folders {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(said(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).map_err(said(&path))?;
    }
    let inside = folder.join(image.program);
    fs::copy(&program, &inside).map_err(said(&program))?;
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let config = Config {
        entrypoint: vec![format!("/{}", image.program)],
        cmd: owned(image.cmd),
        user: image.user.to_owned(),
        exposed_ports: owned(image.ports),
        created: "2024-01-01T00:00:00Z".to_owned(),
        ..Config::default()
    };
    let reference = image
        .reference
        .parse()
        .map_err(|error| format!("{}: {error}", image.reference))?;
    let archive = root.join(format!("target/{}.oci.tar", image.name));
    let contents = Contents {
        reference: &reference,
        config: &config,
        layers: &[folder],
        pack: Pack {
            root_owned: true,
            mtime_s: Some(MTIME_S),
        },
    };
    write_archive(&archive, &contents).map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        format!("{error}{cause}")
    })?;
    Ok(archive)
}

/// Builds the program without anything that it would look for at run time.
fn compile(root: &Path, image: &Image) -> Result<PathBuf, String> {
    let target_folder = root.join("target/static");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--locked", "--target", TARGET])
        .arg("--manifest-path")
        .arg(root.join(image.source).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("{} does not build", image.source));
    }
    Ok(target_folder.join(TARGET).join("release").join(image.program))
}
