//! Whether PEM texts hold a certificate and its key, in the words of Go (`crypto/tls X509KeyPair`). Keys are not
//! compared with certificates: that would take cryptography that validation does not need.

/// What is wrong with a certificate and its private key.
pub fn pair_error(certificate: &[u8], key: &[u8]) -> Option<String> {
    certificate_error(&blocks(certificate)).or_else(|| key_error(&blocks(key)))
}

fn certificate_error(types: &[String]) -> Option<String> {
    if types.iter().any(|kind| kind == "CERTIFICATE") {
        return None;
    }
    Some(match types {
        [] => "tls: failed to find any PEM data in certificate input".to_owned(),
        [kind] if kind.ends_with("PRIVATE KEY") => {
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may \
             have been switched"
                .to_owned()
        }
        _ => format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the \
             following types: [{}]",
            types.join(" ")
        ),
    })
}

fn key_error(types: &[String]) -> Option<String> {
    if types.iter().any(|kind| kind.ends_with("PRIVATE KEY")) {
        return None;
    }
    Some(match types {
        [] => "tls: failed to find any PEM data in key input".to_owned(),
        [kind] if kind == "CERTIFICATE" => {
            "tls: found a certificate rather than a key in the PEM for the private key".to_owned()
        }
        _ => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of \
             the following types: [{}]",
            types.join(" ")
        ),
    })
}

/// The types of the blocks that are complete.
pub fn blocks(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut types = Vec::new();
    let mut open: Option<&str> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(kind) = label(line, "-----BEGIN ") {
            open = Some(kind);
        } else if let Some(kind) = label(line, "-----END ")
            && open.take() == Some(kind)
        {
            types.push(kind.to_owned());
        }
    }
    types
}

fn label<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n").into_bytes();
        assert_eq!(
            pair_error(b"x", b"").as_deref(),
            Some("tls: failed to find any PEM data in certificate input")
        );
        assert_eq!(
            pair_error(&block("CERTIFICATE"), b"x").as_deref(),
            Some("tls: failed to find any PEM data in key input")
        );
        assert_eq!(pair_error(&block("CERTIFICATE"), &block("EC PRIVATE KEY")), None);
    }
}
