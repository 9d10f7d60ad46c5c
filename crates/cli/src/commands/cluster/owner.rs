//! Who listens where the cluster wants to: the process behind a taken port, from /proc.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub pid: u32,
    /// As `ps` names it.
    pub program: String,
}

/// The process that listens where `address` would; none where it is not ours to see, or has gone.
pub fn of(address: SocketAddr) -> Option<Owner> {
    let sockets =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let nodes = sockets.iter().flat_map(|text| listening(text, address));
    let links: Vec<String> = nodes.map(|node| format!("socket:[{node}]")).collect();
    if links.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| links.iter().any(|link| target.as_os_str() == link.as_str()))
    };
    let pid = ids.find(holds)?;
    let program = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Owner {
        pid,
        program: program.trim().to_owned(),
    })
}

/// The sockets of a table of the kernel that listen where `address` would: their inodes. A row is
/// "0: 0100007F:1F90 00000000:0000 0A ..." with the inode in the tenth column; 0A is LISTEN.
fn listening(table: &str, address: SocketAddr) -> Vec<u64> {
    let rows = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (host, port) = columns.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let hinders = *columns.get(3)? == "0A" && port == address.port() && overlaps(host, address.ip());
        hinders.then(|| columns.get(9)?.parse().ok()).flatten()
    });
    rows.collect()
}

/// Whether two listeners of one port are in each other's way. IPv6 is not told apart: one of them listens for all.
fn overlaps(host: &str, wanted: IpAddr) -> bool {
    let (IpAddr::V4(wanted), Ok(bytes), 8) = (wanted, u32::from_str_radix(host, 16), host.len()) else {
        return true;
    };
    let found = Ipv4Addr::from(bytes.to_ne_bytes());
    found == wanted || found.is_unspecified() || wanted.is_unspecified()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let owner = of(address).expect("it is this process");
        assert_eq!(owner.pid, std::process::id());
        assert!(!owner.program.is_empty());
        let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert_eq!(
            of(everywhere),
            Some(owner),
            "it is in the way of a listener for all addresses"
        );
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], address.port()));
        assert_eq!(of(elsewhere), None);
        drop(listener);
        assert_eq!(of(address), None);
    }

    #[test]
    fn only_rows_that_listen_count() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let row = |state: &str, inode: u64| {
            format!(
                "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"
            )
        };
        let table = format!("{head}{}{}torn\n", row("01", 1), row("0A", 2));
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        if cfg!(target_endian = "little") {
            assert_eq!(listening(&table, address), [2]);
        }
    }
}
