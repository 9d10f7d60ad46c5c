//! The names that the image world has for this machine.

/// The architecture in Go's words, which images use.
pub const ARCHITECTURE: &str = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => "amd64",
    b"aarch64" => "arm64",
    b"x86" => "386",
    b"powerpc64" => "ppc64le",
    _ => std::env::consts::ARCH,
};

/// The only operating system that has containers like these.
pub const OS: &str = "linux";
