use rustix::io::Errno;

use crate::addresses::Exhausted;
use crate::link::NamespaceError;
use crate::netlink::NetlinkError;
use crate::nft::TableError;

/// The network cannot do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not root, or root without the right to.
    #[error(
        "the network needs CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root, in a container with --privileged"
    )]
    NotAllowed,
    /// A part of the kernel is not there.
    #[error("the kernel has no {what}: `modprobe {module}`, or a kernel with {config}")]
    Missing {
        /// What.
        what: &'static str,
        /// The module that has it.
        module: &'static str,
        /// How it is called when a kernel is built.
        config: &'static str,
    },
    /// The machine's routes cover all private ranges.
    #[error("no range of 254 private addresses is free: the machine's routes cover them all")]
    NoRange,
    /// All addresses of pods are taken.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// A setting of the kernel cannot be written.
    #[error("cannot write {path}")]
    Setting {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The kernel does not take a ruleset.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A namespace cannot be made or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// All else that the kernel refuses.
    #[error("cannot {doing}")]
    Kernel {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        #[source]
        source: NetlinkError,
    },
    /// The work was cut short, because the server ends.
    #[error("the network stops")]
    Stopped,
}

pub(super) const BRIDGE: NetError = NetError::Missing {
    what: "bridges",
    module: "bridge",
    config: "CONFIG_BRIDGE",
};
pub(super) const NF_TABLES: NetError = NetError::Missing {
    what: "nf_tables with NAT and FIB",
    module: "nf_tables nft_chain_nat nft_fib_ipv4 nft_numgen nft_masq nft_reject_ipv4",
    config: "CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_FIB_IPV4, CONFIG_NFT_NUMGEN",
};
pub(super) const VETH: NetError = NetError::Missing {
    what: "veth pairs",
    module: "veth",
    config: "CONFIG_VETH",
};

pub(super) fn read<T>(result: Result<T, NetlinkError>) -> Result<T, NetError> {
    result.map_err(|error| kernel("read the machine's network", error, BRIDGE))
}

/// What a refusal means to people.
pub(super) fn kernel(doing: &'static str, source: NetlinkError, missing: NetError) -> NetError {
    match &source {
        NetlinkError::Refused { errno, .. } if forbidden(*errno) => NetError::NotAllowed,
        NetlinkError::Refused { errno, .. } if unsupported(*errno) => missing,
        _ => NetError::Kernel { doing, source },
    }
}

pub(super) fn netfilter(error: NetlinkError) -> NetError {
    kernel("talk to nf_tables", error, NF_TABLES)
}

pub(super) fn forbidden(errno: Errno) -> bool {
    matches!(errno, Errno::PERM | Errno::ACCESS)
}

pub(super) fn unsupported(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::OPNOTSUPP | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT
    )
}

pub(super) fn allowed(error: NamespaceError) -> NetError {
    if error.is_forbidden() {
        NetError::NotAllowed
    } else {
        error.into()
    }
}
