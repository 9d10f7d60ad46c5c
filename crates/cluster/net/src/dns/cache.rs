//! Answers about outside names, for as long as they may be kept. Pure: time is passed in.

use std::collections::HashMap;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use super::limits;

/// What an answer is kept under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Lower case.
    name: Name,
    kind: RecordType,
    class: DNSClass,
    /// The client has asked for signatures.
    signed: bool,
    /// The client checks signatures himself.
    unchecked: bool,
}

/// Answers that are kept.
#[derive(Debug, Default)]
pub struct Cache {
    answers: HashMap<Question, Kept>,
}

#[derive(Debug)]
struct Kept {
    reply: Message,
    since: Duration,
    until: Duration,
}

impl Question {
    /// What a message asks; `None` without a question.
    pub fn of(message: &Message) -> Option<Question> {
        let query = message.queries.first()?;
        Some(Question {
            name: query.name().to_lowercase(),
            kind: query.query_type(),
            class: query.query_class(),
            signed: message.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok),
            unchecked: message.metadata.checking_disabled,
        })
    }
}

impl Cache {
    /// An answer that is still good, its times to live shortened by its age.
    pub fn get(&self, question: &Question, now: Duration) -> Option<Message> {
        let kept = self.answers.get(question).filter(|kept| now < kept.until)?;
        let age = u32::try_from(now.saturating_sub(kept.since).as_secs()).unwrap_or(u32::MAX);
        let mut reply = kept.reply.clone();
        let records = reply.answers.iter_mut().chain(&mut reply.authorities);
        for record in records.chain(&mut reply.additionals) {
            record.ttl = record.ttl.saturating_sub(age);
        }
        Some(reply)
    }

    /// Keeps an answer, if it may be kept.
    pub fn put(&mut self, question: Question, reply: &Message, now: Duration) {
        let Some(life) = life(reply) else {
            return;
        };
        if self.answers.len() >= limits::CACHED_MAX {
            self.make_room(now);
        }
        let kept = Kept {
            reply: reply.clone(),
            since: now,
            until: now + life,
        };
        self.answers.insert(question, kept);
    }

    /// What has ended goes; if nothing has, the half that ends first.
    fn make_room(&mut self, now: Duration) {
        self.answers.retain(|_, kept| now < kept.until);
        if self.answers.len() < limits::CACHED_MAX {
            return;
        }
        let mut ends: Vec<Duration> = self.answers.values().map(|kept| kept.until).collect();
        let middle = ends.len() / 2;
        let (_, median, _) = ends.select_nth_unstable(middle);
        let median = *median;
        let mut surplus = middle;
        self.answers.retain(|_, kept| {
            let goes = kept.until <= median && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

/// How long an answer may be kept: its shortest record, and without records what the zone says (RFC 2308 5).
fn life(reply: &Message) -> Option<Duration> {
    let kept = matches!(
        reply.metadata.response_code,
        ResponseCode::NoError | ResponseCode::NXDomain
    );
    if !kept || reply.metadata.truncation {
        return None;
    }
    let seconds = if reply.answers.is_empty() {
        reply.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
            _ => None,
        })
    } else {
        reply.answers.iter().map(|record| record.ttl).min()
    };
    let seconds = seconds.filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.into()).min(limits::CACHED))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_proto::op::{MessageType, OpCode, Query};
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, SOA};

    use super::*;

    fn asked(name: &str) -> Message {
        let mut message = Message::new(1, MessageType::Query, OpCode::Query);
        let name = Name::from_ascii(name).expect("a name");
        message.queries.push(Query::query(name, RecordType::A));
        message
    }

    fn reply(name: &str, ttls: &[u32]) -> Message {
        let mut reply = Message::response(1, OpCode::Query);
        let name = Name::from_ascii(name).expect("a name");
        let record = |ttl: &u32| Record::from_rdata(name.clone(), *ttl, RData::A(A(Ipv4Addr::LOCALHOST)));
        reply.answers = ttls.iter().map(record).collect();
        reply
    }

    fn question(name: &str) -> Question {
        Question::of(&asked(name)).expect("a question")
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn answers_are_kept_as_long_as_their_shortest_record() {
        let mut cache = Cache::default();
        cache.put(question("a.example."), &reply("a.example.", &[300, 10]), at(100));
        let kept = cache.get(&question("A.Example."), at(104)).expect("it is kept");
        assert_eq!(
            kept.answers.iter().map(|record| record.ttl).collect::<Vec<_>>(),
            [296, 6]
        );
        assert!(cache.get(&question("a.example."), at(110)).is_none());
        cache.put(question("b.example."), &reply("b.example.", &[300]), at(0));
        assert!(cache.get(&question("b.example."), at(29)).is_some());
        assert!(
            cache.get(&question("b.example."), at(30)).is_none(),
            "30 s at most"
        );
    }

    #[test]
    fn no_name_is_kept_as_the_zone_says() {
        let mut none = Message::error_msg(1, OpCode::Query, ResponseCode::NXDomain);
        let mut cache = Cache::default();
        cache.put(question("a.example."), &none, at(0));
        assert!(
            cache.get(&question("a.example."), at(0)).is_none(),
            "without an SOA not at all"
        );
        let soa = SOA::new(Name::root(), Name::root(), 1, 1, 1, 1, 5);
        none.authorities
            .push(Record::from_rdata(Name::root(), 900, RData::SOA(soa)));
        cache.put(question("a.example."), &none, at(0));
        assert!(cache.get(&question("a.example."), at(4)).is_some());
        assert!(cache.get(&question("a.example."), at(5)).is_none());
    }

    #[test]
    fn failures_and_cut_answers_are_not_kept() {
        let mut cache = Cache::default();
        let mut cut = reply("a.example.", &[60]);
        cut.metadata.truncation = true;
        cache.put(question("a.example."), &cut, at(0));
        let mut failed = reply("a.example.", &[60]);
        failed.metadata.response_code = ResponseCode::ServFail;
        cache.put(question("a.example."), &failed, at(0));
        assert!(cache.get(&question("a.example."), at(0)).is_none());
    }

    #[test]
    fn it_never_grows_beyond_its_bound() {
        let mut cache = Cache::default();
        for number in 0..3 * limits::CACHED_MAX {
            let name = format!("n{number}.example.");
            cache.put(question(&name), &reply(&name, &[20]), at(0));
            assert!(cache.answers.len() <= limits::CACHED_MAX);
        }
        let last = format!("n{}.example.", 3 * limits::CACHED_MAX - 1);
        assert!(cache.get(&question(&last), at(1)).is_some());
    }
}
