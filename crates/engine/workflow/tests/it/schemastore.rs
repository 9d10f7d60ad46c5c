//! SchemaStore's files that must be taken and files that must be refused.

use deploy_conformance::{Suite, root, skipped};
use deploy_workflow::workflow::{NoFiles, Options, read};
use std::fs;

#[test]
fn conformance() {
    let Some(root) = root() else {
        return skipped("gha/schemastore");
    };
    let mut suite = Suite::new("gha/schemastore");
    let options = Options {
        background_steps: true,
        follow_calls: false,
        ..Options::default()
    };
    for (folder, valid) in [("positive", true), ("negative", false)] {
        let path = root.join("gha/schemastore").join(folder);
        let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&file).unwrap();
            suite.case(&format!("{folder}/{name}"), || {
                match (read(&name, &text, &NoFiles, &options), valid) {
                    (Ok(_), true) | (Err(_), false) => Ok(()),
                    (Ok(_), false) => Err("was taken".to_owned()),
                    (Err(problems), true) => Err(problems
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join("\n")),
                }
            });
        }
    }
    suite.finish();
}
