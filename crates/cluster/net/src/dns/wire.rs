//! From packets to messages and back.

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::Record;

use super::limits;

/// What came.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A question, or another request.
    Question(Box<Message>),
    /// No well-formed one: this is the answer.
    Refused(Vec<u8>),
    /// Nothing that is answered.
    Noise,
}

/// The bytes of a header (RFC 1035 4.1.1).
const HEADER_BYTES: usize = 12;

/// Reads a packet. Answers are never answered: two servers would talk for ever.
pub fn read(packet: &[u8]) -> Packet {
    if packet.len() < HEADER_BYTES || packet[2] & 0x80 != 0 {
        return Packet::Noise;
    }
    let count = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    // One question, and no more records than EDNS and a signature need (`dns/acceptfunc.go defaultMsgAcceptFunc`).
    let reasonable = count(4) == 1 && count(6) <= 1 && count(8) <= 1 && count(10) <= 2;
    let code = OpCode::from_u8(packet[2] >> 3 & 0x0f);
    if code != OpCode::Query {
        return Packet::Refused(header(packet, code, ResponseCode::NotImp));
    }
    let long = packet.len() > limits::QUESTION_BYTES_MAX;
    match Message::from_vec(packet) {
        Ok(message) if reasonable && !long && message.metadata.message_type == MessageType::Query => {
            Packet::Question(Box::new(message))
        }
        _ => Packet::Refused(header(packet, code, ResponseCode::FormErr)),
    }
}

fn header(packet: &[u8], op_code: OpCode, code: ResponseCode) -> Vec<u8> {
    let id = u16::from_be_bytes([packet[0], packet[1]]);
    encoded(&Message::error_msg(id, op_code, code))
}

/// The longest answer over UDP to this question.
pub fn udp_limit(question: &Message) -> usize {
    let offered = question.edns.as_ref().map_or(0, |edns| edns.max_payload());
    offered
        .clamp(limits::UDP_BYTES_PLAIN, limits::UDP_BYTES_MAX)
        .into()
}

/// Writes an answer into no more than `limit` bytes. What is merely useful goes first, and unnoted; beyond that the
/// answer says that it is not whole (RFC 2181 9).
pub fn write(mut reply: Message, limit: usize) -> Vec<u8> {
    let whole = encoded(&reply);
    if whole.len() <= limit {
        return whole;
    }
    reply.additionals.clear();
    let less = encoded(&reply);
    if less.len() <= limit {
        return less;
    }
    reply.metadata.truncation = true;
    reply.authorities.clear();
    let all: Vec<Record> = std::mem::take(&mut reply.answers);
    // The most answers that fit: each only adds bytes, so halving finds it.
    let (mut fit, mut too_many) = (0, all.len());
    while fit < too_many {
        let tried = (fit + too_many).div_ceil(2);
        reply.answers = all[..tried].to_vec();
        if encoded(&reply).len() <= limit {
            fit = tried;
        } else {
            too_many = tried - 1;
        }
    }
    reply.answers = all[..fit].to_vec();
    encoded(&reply)
}

/// What cannot be written, because it is longer than any message, is a failure.
fn encoded(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap_or_else(|_| {
        let metadata = &message.metadata;
        let mut short = Message::error_msg(metadata.id, metadata.op_code, ResponseCode::ServFail);
        short.queries.clone_from(&message.queries);
        short.to_vec().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_proto::op::{Edns, Query};
    use hickory_proto::rr::rdata::A;
    use hickory_proto::rr::{Name, RData, RecordType};
    use proptest::prelude::*;

    use super::*;

    fn question() -> Message {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        let name = Name::from_ascii("web.a.svc.cluster.local.").expect("a name");
        message.queries.push(Query::query(name, RecordType::A));
        message
    }

    fn with_answers(count: u32) -> Message {
        let mut reply = super::super::answer::reply_to(&question());
        let name = reply.queries[0].name().clone();
        let record = |n: u32| Record::from_rdata(name.clone(), 30, RData::A(A(Ipv4Addr::from(n))));
        reply.answers = (0..count).map(record).collect();
        reply
    }

    #[test]
    fn long_answers_say_that_they_are_cut() {
        let short = Message::from_vec(&write(with_answers(3), 512)).expect("a message");
        assert_eq!((short.metadata.truncation, short.answers.len()), (false, 3));
        let bytes = write(with_answers(100), 512);
        let cut = Message::from_vec(&bytes).expect("a message");
        assert!(
            cut.metadata.truncation && bytes.len() <= 512 && bytes.len() > 512 - 16,
            "{}",
            bytes.len()
        );
        let endless = write(with_answers(10_000), 65_535);
        let cut = Message::from_vec(&endless).expect("a message");
        assert!(cut.metadata.truncation && cut.answers.len() > 1000);
    }

    #[test]
    fn what_is_only_useful_goes_unnoted() {
        let mut reply = with_answers(3);
        reply.additionals = with_answers(100).answers;
        let read = Message::from_vec(&write(reply, 512)).expect("a message");
        assert_eq!(
            (
                read.metadata.truncation,
                read.answers.len(),
                read.additionals.len()
            ),
            (false, 3, 0)
        );
    }

    #[test]
    fn clients_say_how_much_they_take() {
        let mut asked = question();
        assert_eq!(udp_limit(&asked), 512);
        for (offered, limit) in [(100, 512), (1232, 1232), (65_535, 4096)] {
            let mut edns = Edns::new();
            edns.set_max_payload(offered);
            asked.set_edns(edns);
            assert_eq!(udp_limit(&asked), limit);
        }
    }

    #[test]
    fn bad_packets_are_refused_or_ignored() {
        let good = question().to_vec().expect("a message");
        assert!(matches!(read(&good), Packet::Question(_)));
        let changed = |at: usize, to: u8| {
            let mut packet = good.clone();
            packet[at] = to;
            packet
        };
        let code = |packet: &[u8]| match read(packet) {
            Packet::Refused(answer) => Some(answer[3] & 0x0f),
            Packet::Question(_) | Packet::Noise => None,
        };
        assert_eq!(code(&changed(5, 0)), Some(1), "no question");
        assert_eq!(code(&changed(5, 2)), Some(1), "two questions, one there");
        assert_eq!(code(&changed(2, 5 << 3)), Some(4), "an update");
        assert_eq!(code(&good[..20]), Some(1), "half a name");
        assert!(matches!(read(&changed(2, 0x80)), Packet::Noise), "an answer");
        assert!(matches!(read(&good[..11]), Packet::Noise), "no header");
        assert!(matches!(read(&[]), Packet::Noise));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Packet::Question(message) = read(&bytes) {
                prop_assert!(write(*message, 512).len() <= 512);
            }
        }
    }
}
