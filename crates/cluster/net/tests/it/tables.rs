use std::net::Ipv4Addr;

use deploy_cluster_net::nft::{
    Chain, ChainKind, Field, Hook, Key, Rule, Ruleset, Set, SetKind, Statement, Table, Verdict,
};

use super::machine::{nft, on_a_machine};

const WEB: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 7);
const DESTINATION: [Field; 3] = [Field::DestinationAddress, Field::Protocol, Field::DestinationPort];

fn goto(chain: &str) -> Option<Verdict> {
    Some(Verdict::Goto(chain.to_owned()))
}

/// A ruleset with everything that we can say.
fn everything() -> Ruleset {
    let mut services = Set::new(&DESTINATION, SetKind::Verdicts);
    services
        .elements
        .insert(Key::new().address(WEB).protocol(6).port(80), goto("svc/web"));
    services
        .elements
        .insert(Key::new().address(WEB).protocol(17).port(53), Some(Verdict::Drop));
    let mut hairpin = Set::new(&[Field::SourceAddress, Field::DestinationAddress], SetKind::Plain);
    let pod = Ipv4Addr::new(10, 200, 1, 2);
    hairpin
        .elements
        .insert(Key::new().address(pod).address(pod), None);
    let clients = Set::new(&[Field::SourceAddress], SetKind::Remembers);
    let is = |field, value| Statement::Is {
        field,
        equal: true,
        value,
    };
    let prerouting = vec![
        Rule::new(vec![
            is(Field::InInterface, Field::interface("deploy0a1b2c3d")),
            Statement::Map(DESTINATION.to_vec(), "cluster-ips".to_owned()),
        ]),
        Rule::new(vec![
            is(Field::DestinationType, Field::local()),
            Statement::Verdict(Verdict::Jump("svc/web".to_owned())),
        ]),
    ];
    let postrouting = vec![
        Rule::new(vec![
            Statement::HasBits(Field::Status, 0x20),
            Statement::InSet(
                vec![Field::SourceAddress, Field::DestinationAddress],
                "hairpin".to_owned(),
            ),
            Statement::Counter,
            Statement::Masquerade,
        ]),
        Rule::new(vec![
            Statement::Within {
                field: Field::OriginalDestination,
                inside: false,
                range: "10.96.0.0/16".parse().unwrap(),
            },
            is(Field::Protocol, vec![6]),
            is(Field::OriginalPort, 80u16.to_be_bytes().to_vec()),
            Statement::Masquerade,
        ]),
        Rule::new(vec![
            Statement::Within {
                field: Field::SourceAddress,
                inside: true,
                range: "10.200.1.0/24".parse().unwrap(),
            },
            Statement::Is {
                field: Field::OutInterface,
                equal: false,
                value: Field::interface("deploy0a1b2c3d"),
            },
            Statement::Masquerade,
        ]),
    ];
    let ranges = ["10.0.0.0/8", "192.168.1.0/24"].map(|range| range.parse().unwrap());
    let web = vec![
        Rule::told(
            "shop/web:http",
            vec![
                Statement::InSet(vec![Field::SourceAddress], "clients".to_owned()),
                Statement::Verdict(Verdict::Goto("ep/a".to_owned())),
            ],
        ),
        Rule::new(vec![
            Statement::InRanges(Field::SourceAddress, ranges.to_vec()),
            Statement::Choose(vec!["ep/a".to_owned(), "ep/b".to_owned()]),
        ]),
    ];
    let targets = [(pod, 8080), (Ipv4Addr::new(10, 200, 1, 3), 8081)];
    let a = vec![
        Rule::new(vec![Statement::Update {
            set: "clients".to_owned(),
            field: Field::SourceAddress,
            timeout_ms: 10_800_000,
        }]),
        Rule::new(vec![
            is(Field::Protocol, vec![6]),
            Statement::Dnat(targets[..1].to_vec()),
        ]),
    ];
    let b = vec![Rule::new(vec![
        is(Field::Protocol, vec![6]),
        Statement::Dnat(targets.to_vec()),
    ])];
    let refuse = vec![
        Rule::new(vec![
            Statement::HasBits(Field::State, 8),
            Statement::Counter,
            Statement::Reject,
        ]),
        Rule::new(vec![
            is(Field::Protocol, vec![1]),
            is(Field::IcmpType, vec![5]),
            Statement::Verdict(Verdict::Drop),
        ]),
        Rule::new(vec![is(Field::Protocol, vec![6]), Statement::Reset]),
    ];
    let chains = [
        (
            "prerouting",
            Chain::at(ChainKind::Nat, Hook::Prerouting, -100, prerouting),
        ),
        (
            "postrouting",
            Chain::at(ChainKind::Nat, Hook::Postrouting, 100, postrouting),
        ),
        ("forward", Chain::at(ChainKind::Filter, Hook::Forward, -5, refuse)),
        ("svc/web", Chain::of(web)),
        ("ep/a", Chain::of(a)),
        ("ep/b", Chain::of(b)),
    ];
    let sets = [
        ("cluster-ips", services),
        ("hairpin", hairpin),
        ("clients", clients),
    ];
    Ruleset {
        table: "deploy-0a1b2c3d".to_owned(),
        chains: chains.map(|(name, chain)| (name.to_owned(), chain)).into(),
        sets: sets.map(|(name, set)| (name.to_owned(), set)).into(),
    }
}

/// Line by line and sorted: the kernel keeps elements in no order.
fn lines(text: &str) -> Vec<String> {
    let element = |line: &str| {
        line.trim()
            .trim_start_matches("elements = { ")
            .trim_end_matches([',', '}', ' '])
            .to_owned()
    };
    let mut lines: Vec<String> = text.lines().map(element).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines
}

#[test]
fn nft_shows_what_was_meant() {
    on_a_machine(|| {
        Table::open().unwrap().apply(&everything()).unwrap();
        let expected = r#"
            table ip deploy-0a1b2c3d {
            map cluster-ips {
            type ipv4_addr . inet_proto . inet_service : verdict
            counter
            elements = { 10.96.0.7 . tcp . 80 counter packets 0 bytes 0 : goto svc/web,
            10.96.0.7 . udp . 53 counter packets 0 bytes 0 : drop }
            set clients {
            type ipv4_addr
            size 65535
            flags dynamic,timeout
            set hairpin {
            type ipv4_addr . ipv4_addr
            elements = { 10.200.1.2 . 10.200.1.2 }
            chain ep/a {
            update @clients { ip saddr timeout 3h }
            meta l4proto tcp dnat to 10.200.1.2:8080
            chain ep/b {
            meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.200.1.2 . 8080, 1 : 10.200.1.3 . 8081 }
            chain forward {
            type filter hook forward priority filter - 5; policy accept;
            ct state new counter packets 0 bytes 0 reject
            icmp type redirect drop
            reject with tcp reset
            chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            ct status dnat ip saddr . ip daddr @hairpin counter packets 0 bytes 0 masquerade
            ct original ip daddr != 10.96.0.0/16 meta l4proto tcp ct original proto-dst 80 masquerade
            ip saddr 10.200.1.0/24 oifname != "deploy0a1b2c3d" masquerade
            chain prerouting {
            type nat hook prerouting priority dstnat; policy accept;
            iifname "deploy0a1b2c3d" ip daddr . meta l4proto . th dport vmap @cluster-ips
            fib daddr type local jump svc/web
            chain svc/web {
            ip saddr @clients goto ep/a comment "shop/web:http"
            ip saddr { 10.0.0.0/8, 192.168.1.0/24 } numgen random mod 2 vmap { 0 : goto ep/a, 1 : goto ep/b }
        "#;
        let shown = nft("list ruleset");
        assert_eq!(lines(&shown), lines(expected), "{shown}");
    });
}

#[test]
fn only_the_difference_is_sent_and_counters_go_on() {
    on_a_machine(|| {
        let mut table = Table::open().unwrap();
        let mut ruleset = everything();
        let whole = table.apply(&ruleset).unwrap();
        assert!(whole.whole);
        assert_eq!(table.apply(&ruleset).unwrap().messages, 0);
        let key = Key::new().address(WEB).protocol(6).port(8443);
        ruleset.chains.insert("svc/tls".to_owned(), Chain::default());
        let services = ruleset.sets.get_mut("cluster-ips").unwrap();
        services.elements.insert(key.clone(), goto("svc/tls"));
        let added = table.apply(&ruleset).unwrap();
        // A beginning, a chain, its element, an end.
        assert_eq!((added.whole, added.messages), (false, 4));
        assert!(
            nft("list ruleset").contains("10.96.0.7 . tcp . 8443 counter packets 0 bytes 0 : goto svc/tls")
        );
        ruleset.sets.get_mut("cluster-ips").unwrap().elements.remove(&key);
        ruleset.chains.remove("svc/tls");
        ruleset.chains.get_mut("svc/web").unwrap().rules.truncate(1);
        ruleset.chains.remove("ep/b");
        table.apply(&ruleset).unwrap();
        let shown = nft("list ruleset");
        assert!(!shown.contains("svc/tls") && !shown.contains("ep/b"), "{shown}");
        // What changes its shape under the same name is written anew as a whole.
        ruleset.sets.get_mut("hairpin").unwrap().key.pop();
        ruleset.sets.get_mut("hairpin").unwrap().elements.clear();
        ruleset.chains.get_mut("postrouting").unwrap().rules.remove(0);
        assert!(table.apply(&ruleset).unwrap().whole);
    });
}

#[test]
fn a_refused_batch_names_its_part_and_changes_nothing() {
    on_a_machine(|| {
        let mut table = Table::open().unwrap();
        let good = everything();
        table.apply(&good).unwrap();
        let before = nft("list ruleset");
        let mut bad = good.clone();
        let nowhere = Statement::Verdict(Verdict::Goto("nowhere".to_owned()));
        bad.chains
            .get_mut("ep/b")
            .unwrap()
            .rules
            .push(Rule::new(vec![nowhere]));
        let error = table.apply(&bad).unwrap_err();
        assert_eq!(error.what, "a rule of chain ep/b");
        assert!(
            error.source.to_string().contains("No such file"),
            "{}",
            error.source
        );
        assert_eq!(nft("list ruleset"), before);
    });
}

#[test]
fn a_table_that_somebody_flushed_comes_back() {
    on_a_machine(|| {
        let mut table = Table::open().unwrap();
        let mut ruleset = everything();
        table.apply(&ruleset).unwrap();
        nft("flush ruleset");
        ruleset.chains.insert("more".to_owned(), Chain::default());
        assert!(table.apply(&ruleset).unwrap().whole);
        assert!(nft("list ruleset").contains("chain more"));
        table.remove("deploy-0a1b2c3d").unwrap();
        table.remove("deploy-0a1b2c3d").unwrap();
        assert_eq!(nft("list ruleset"), "");
    });
}
