//! What DNS counts, shown in the text format of Prometheus under the names that CoreDNS uses.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

/// Over what a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A datagram.
    Udp,
    /// A connection.
    Tcp,
}

/// The types of questions that are counted apart.
const KINDS: [(RecordType, &str); 8] = [
    (RecordType::A, "A"),
    (RecordType::AAAA, "AAAA"),
    (RecordType::SRV, "SRV"),
    (RecordType::PTR, "PTR"),
    (RecordType::TXT, "TXT"),
    (RecordType::CNAME, "CNAME"),
    (RecordType::SOA, "SOA"),
    (RecordType::NS, "NS"),
];

/// The codes of answers that are counted apart.
const CODES: [(ResponseCode, &str); 6] = [
    (ResponseCode::NoError, "NOERROR"),
    (ResponseCode::FormErr, "FORMERR"),
    (ResponseCode::ServFail, "SERVFAIL"),
    (ResponseCode::NXDomain, "NXDOMAIN"),
    (ResponseCode::NotImp, "NOTIMP"),
    (ResponseCode::Refused, "REFUSED"),
];

/// The counts since the start.
#[derive(Debug, Default)]
pub struct Counts {
    udp: [AtomicU64; KINDS.len() + 1],
    tcp: [AtomicU64; KINDS.len() + 1],
    answers: [AtomicU64; CODES.len() + 1],
    cached: AtomicU64,
    forwarded: AtomicU64,
    unanswered: AtomicU64,
}

impl Counts {
    pub(super) fn asked(&self, protocol: Protocol, kind: Option<RecordType>) {
        let place = KINDS
            .iter()
            .position(|(known, _)| Some(*known) == kind)
            .unwrap_or(KINDS.len());
        let counts = match protocol {
            Protocol::Udp => &self.udp,
            Protocol::Tcp => &self.tcp,
        };
        counts[place].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, code: ResponseCode) {
        let place = CODES
            .iter()
            .position(|(known, _)| *known == code)
            .unwrap_or(CODES.len());
        self.answers[place].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn cached(&self) {
        self.cached.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn forwarded(&self) {
        self.forwarded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unanswered(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        head(
            &mut text,
            "coredns_dns_requests_total",
            "How many questions came.",
        );
        for (protocol, counts) in [("udp", &self.udp), ("tcp", &self.tcp)] {
            let names = KINDS.iter().map(|(_, name)| *name).chain(["other"]);
            for (name, count) in names.zip(counts) {
                let labels = format!("{{proto=\"{protocol}\",type=\"{name}\"}}");
                line(&mut text, "coredns_dns_requests_total", &labels, count);
            }
        }
        head(
            &mut text,
            "coredns_dns_responses_total",
            "How many were answered.",
        );
        let names = CODES.iter().map(|(_, name)| *name).chain(["other"]);
        for (name, count) in names.zip(&self.answers) {
            let labels = format!("{{rcode=\"{name}\"}}");
            line(&mut text, "coredns_dns_responses_total", &labels, count);
        }
        let plain = [
            (
                "coredns_cache_hits_total",
                "Outside names whose answer was known.",
                &self.cached,
            ),
            (
                "coredns_proxy_requests_total",
                "Questions about outside names.",
                &self.forwarded,
            ),
            (
                "coredns_forward_failures_total",
                "Outside names that no resolver has answered.",
                &self.unanswered,
            ),
        ];
        for (name, help, count) in plain {
            head(&mut text, name, help);
            line(&mut text, name, "", count);
        }
        text
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    let written = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
    written.expect("a string takes all that is written");
}

fn line(text: &mut String, name: &str, labels: &str, count: &AtomicU64) {
    let written = writeln!(text, "{name}{labels} {}", count.load(Ordering::Relaxed));
    written.expect("a string takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_counted() {
        let counts = Counts::default();
        counts.asked(Protocol::Udp, Some(RecordType::A));
        counts.asked(Protocol::Udp, Some(RecordType::A));
        counts.asked(Protocol::Tcp, Some(RecordType::HTTPS));
        counts.answered(ResponseCode::NXDomain);
        let text = counts.text();
        for line in [
            "coredns_dns_requests_total{proto=\"udp\",type=\"A\"} 2\n",
            "coredns_dns_requests_total{proto=\"tcp\",type=\"other\"} 1\n",
            "coredns_dns_responses_total{rcode=\"NXDOMAIN\"} 1\n",
            "coredns_cache_hits_total 0\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
