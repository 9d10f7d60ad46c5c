//! Other firewalls of the machine. A packet that one table accepts, another one may still drop: where that happens to
//! pods, people must hear of it, and of the command that allows it.

use std::fmt;

use crate::nft::{ForeignChain, Hook};

/// A chain of somebody else in which the packets of pods end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obstacle {
    /// `ip` or `inet`.
    pub family: &'static str,
    /// The name of its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// What does not work.
    pub hinders: Hinders,
    /// The commands that allow it.
    pub remedy: String,
}

/// What an obstacle is in the way of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hinders {
    /// Packets between pods, and from pods to the outside.
    Forwarding,
    /// Packets from pods to the node: the API, DNS.
    Input,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.hinders {
            Hinders::Forwarding => "packets between pods and from pods to the outside",
            Hinders::Input => "packets from pods to the API and to DNS",
        };
        write!(
            f,
            "the firewall chain {} of table {} {} drops {what}; to allow them: {}",
            self.chain, self.family, self.table, self.remedy
        )
    }
}

/// Where the packets of the pods behind `bridge` end. A table that names the bridge is taken to allow it.
pub fn obstacles(chains: &[ForeignChain], bridge: &str) -> Vec<Obstacle> {
    let docker = chains
        .iter()
        .any(|chain| chain.interfaces.iter().any(|name| name == "docker0"));
    let closed = chains
        .iter()
        .filter(|chain| chain.closed && !knows(chain, bridge));
    let mut found: Vec<Obstacle> = closed
        .filter_map(|chain| {
            let hinders = match chain.hook {
                hook if hook == Hook::Forward as u32 => Hinders::Forwarding,
                hook if hook == Hook::Input as u32 => Hinders::Input,
                _ => return None,
            };
            Some(Obstacle {
                family: chain.family,
                table: chain.table.clone(),
                chain: chain.name.clone(),
                hinders,
                remedy: remedy(chain, hinders, bridge, docker),
            })
        })
        .collect();
    found.sort();
    found
}

/// An obstacle of the iptables before nf_tables, which was found by trying.
pub fn legacy(hinders: Hinders, bridge: &str) -> Obstacle {
    let chain = match hinders {
        Hinders::Forwarding => "FORWARD",
        Hinders::Input => "INPUT",
    };
    let allow = |flag: &str| format!("iptables-legacy -I {chain} {flag} {bridge} -j ACCEPT");
    Obstacle {
        family: "ip",
        table: "filter".to_owned(),
        chain: chain.to_owned(),
        hinders,
        remedy: match hinders {
            Hinders::Forwarding => format!("{} && {}", allow("-i"), allow("-o")),
            Hinders::Input => allow("-i"),
        },
    }
}

/// By its name, or by a pattern such as `deploy*`.
fn knows(chain: &ForeignChain, bridge: &str) -> bool {
    let pattern = |name: &String| name.len() >= PATTERN && bridge.starts_with(name.as_str());
    chain.interfaces.iter().any(pattern)
}

/// The shortest beginning of our bridges' names that means them: `deploy`.
const PATTERN: usize = 6;

fn remedy(chain: &ForeignChain, hinders: Hinders, bridge: &str, docker: bool) -> String {
    if chain.table == "firewalld" {
        return format!(
            "firewall-cmd --permanent --zone=trusted --add-interface={bridge} && firewall-cmd --reload"
        );
    }
    // The tables that iptables-nft keeps have the names that iptables had.
    let iptables =
        chain.family == "ip" && chain.table == "filter" && chain.name.bytes().all(|b| b.is_ascii_uppercase());
    let tool = |direction: &str| match iptables {
        true => {
            // Docker writes its own chain anew when it starts, and leaves this one to people.
            let name = if docker && hinders == Hinders::Forwarding {
                "DOCKER-USER"
            } else {
                &chain.name
            };
            let flag = if direction == "iifname" { "-i" } else { "-o" };
            format!("iptables -I {name} {flag} {bridge} -j ACCEPT")
        }
        false => format!(
            "nft insert rule {} {} {} {direction} {bridge} accept",
            chain.family, chain.table, chain.name
        ),
    };
    match hinders {
        Hinders::Forwarding => format!("{} && {}", tool("iifname"), tool("oifname")),
        Hinders::Input => tool("iifname"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(family: &'static str, table: &str, name: &str, hook: Hook, interfaces: &[&str]) -> ForeignChain {
        ForeignChain {
            family,
            table: table.to_owned(),
            name: name.to_owned(),
            hook: hook as u32,
            closed: true,
            interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn told(chains: &[ForeignChain]) -> Vec<String> {
        obstacles(chains, "deploy0a1b2c3d")
            .into_iter()
            .map(|obstacle| obstacle.remedy)
            .collect()
    }

    #[test]
    fn each_firewall_has_its_command() {
        assert_eq!(
            told(&[chain("ip", "filter", "FORWARD", Hook::Forward, &["docker0"])]),
            [
                "iptables -I DOCKER-USER -i deploy0a1b2c3d -j ACCEPT && iptables -I DOCKER-USER -o deploy0a1b2c3d -j ACCEPT"
            ]
        );
        assert_eq!(
            told(&[chain("ip", "filter", "INPUT", Hook::Input, &["docker0"])]),
            ["iptables -I INPUT -i deploy0a1b2c3d -j ACCEPT"]
        );
        assert_eq!(
            told(&[chain("inet", "firewalld", "filter_FORWARD", Hook::Forward, &[])]),
            [
                "firewall-cmd --permanent --zone=trusted --add-interface=deploy0a1b2c3d && firewall-cmd --reload"
            ]
        );
        assert_eq!(
            told(&[chain("inet", "mine", "in", Hook::Input, &[])]),
            ["nft insert rule inet mine in iifname deploy0a1b2c3d accept"]
        );
    }

    #[test]
    fn who_lets_us_pass_is_no_obstacle() {
        let open = ForeignChain {
            closed: false,
            ..chain("ip", "filter", "FORWARD", Hook::Forward, &[])
        };
        assert!(told(&[open]).is_empty());
        assert!(
            told(&[chain(
                "ip",
                "filter",
                "FORWARD",
                Hook::Forward,
                &["deploy0a1b2c3d"]
            )])
            .is_empty()
        );
        assert!(told(&[chain("ip", "filter", "FORWARD", Hook::Forward, &["deploy"])]).is_empty());
        assert!(told(&[chain("ip", "filter", "OUTPUT", Hook::Output, &[])]).is_empty());
        assert_eq!(
            told(&[chain(
                "ip",
                "filter",
                "FORWARD",
                Hook::Forward,
                &["deployffffffff"]
            )])
            .len(),
            1
        );
    }
}
