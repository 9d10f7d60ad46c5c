//! Platforms in arguments and flags.

use std::collections::BTreeMap;

use deploy_model::image::manifest::Platform;

use super::Request;

/// The arguments that are there without being declared before the first FROM.
pub fn arguments(request: &Request) -> BTreeMap<String, String> {
    let mut arguments = BTreeMap::new();
    for (prefix, platform) in [("TARGET", &request.platform), ("BUILD", &Platform::own())] {
        for (suffix, value) in [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os.clone()),
            ("ARCH", platform.architecture.clone()),
            ("VARIANT", platform.variant.clone()),
        ] {
            arguments.insert(format!("{prefix}{suffix}"), value);
        }
    }
    let target = request.target.clone().unwrap_or_else(|| "default".to_owned());
    arguments.insert("TARGETSTAGE".to_owned(), target);
    arguments
}

/// Whether a stage may be for this platform: steps run on the machine as it is.
pub fn check(text: &str, target: &Platform) -> Result<(), (String, String)> {
    let mut parts = text.split('/');
    let platform = Platform {
        os: parts.next().unwrap_or_default().to_owned(),
        architecture: match parts.next().unwrap_or_default() {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
        .to_owned(),
        variant: parts.next().unwrap_or_default().to_owned(),
    };
    if target.runs(&platform) || Platform::own().runs(&platform) {
        return Ok(());
    }
    Err((
        format!("the stage is for {text}, which this machine does not run"),
        format!("images are built for {}: leave --platform out", Platform::own()),
    ))
}
