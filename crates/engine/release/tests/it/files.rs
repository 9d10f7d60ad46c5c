//! The sample's own files, and files that somebody has broken.

use std::fs;
use std::path::Path;

use deploy_release::{app, site};
use proptest::prelude::*;

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../examples/shop")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_samples_sites_can_be_read() {
    let sites = site::read(&sample("sites.yaml"), "sites.yaml").expect("they are right");
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["us", "de", "my"]);
}

#[test]
fn the_samples_app_can_be_read() {
    let app = app::read(&sample("deploy.yaml"), "deploy.yaml").expect("it is right");
    let waves: Vec<&[String]> = app.environments[1]
        .waves
        .iter()
        .map(|wave| wave.sites.as_slice())
        .collect();
    assert_eq!(
        waves,
        [&["my".to_owned()][..], &["de".to_owned(), "us".to_owned()]]
    );
}

proptest! {
    /// Whatever a file says, it is read or refused with a place; nothing panics.
    #[test]
    fn a_broken_file_is_refused_with_a_place(at in 0..2000_usize, length in 0..40_usize, with in "[ -~\n]{0,20}") {
        for name in ["deploy.yaml", "sites.yaml"] {
            let mut text = String::from_utf8(sample(name)).expect("it is text");
            let from = text.floor_char_boundary(at.min(text.len()));
            let to = text.floor_char_boundary((from + length).min(text.len()));
            text.replace_range(from..to, &with);
            let problems = match name {
                "deploy.yaml" => app::read(text.as_bytes(), name).err(),
                _ => site::read(text.as_bytes(), name).err(),
            };
            for problem in problems.into_iter().flatten() {
                prop_assert!(problem.place.is_some(), "{problem:?}");
            }
        }
    }
}
