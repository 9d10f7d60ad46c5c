//! Every command explains itself, in both languages.

use std::collections::BTreeMap;

use deploy_cli::{Invocation, Terminal};
use deploy_model::Exit;

fn run(args: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let invocation = Invocation {
        args: args.iter().map(Into::into).collect(),
        cwd: "/".into(),
        env: BTreeMap::from([("HOME".to_owned(), "/nonexistent".to_owned())]),
        terminal: Terminal::default(),
        stdin: Box::new(std::io::empty()),
    };
    let exit = deploy_cli::run(invocation, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (exit, text(out), text(err))
}

/// The commands that a help text lists.
fn listed(help: &str, heading: &str) -> Vec<String> {
    let Some((_, section)) = help.split_once(&format!("\n{heading}\n")) else {
        return Vec::new();
    };
    section
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn every_command(lang: &str, heading: &str, visit: &mut dyn FnMut(&[String], &str)) {
    let mut queue = vec![Vec::<String>::new()];
    while let Some(path) = queue.pop() {
        let mut args: Vec<&str> = vec!["--lang", lang];
        args.extend(path.iter().map(String::as_str));
        args.push("--help");
        let (exit, help, talk) = run(&args);
        assert_eq!((exit, talk.as_str()), (Exit::Done, ""), "{path:?}");
        visit(&path, &help);
        for command in listed(&help, heading) {
            queue.push(path.iter().cloned().chain([command]).collect());
        }
    }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}')
}

#[test]
fn english_help_has_no_han_and_has_examples() {
    let mut commands = 0;
    every_command("en", "Commands:", &mut |path, help| {
        commands += 1;
        assert!(!help.chars().any(is_han), "{path:?}");
        assert!(help.contains("\nExamples:\n"), "{path:?} has no examples");
    });
    assert!(commands > 9, "{commands} commands were found");
}

#[test]
fn chinese_help_is_chinese_and_well_set() {
    let mut commands = 0;
    every_command("zh", "命令：", &mut |path, help| {
        commands += 1;
        assert!(help.contains("\n示例：\n"), "{path:?} has no examples");
        // `deploy helm` keeps the words of the original program.
        if path.first().is_some_and(|first| first == "helm") {
            return;
        }
        for line in help.lines() {
            let chars: Vec<char> = line.chars().collect();
            for pair in chars.windows(2) {
                let touching = (is_han(pair[0]) && pair[1].is_ascii_alphanumeric())
                    || (pair[0].is_ascii_alphanumeric() && is_han(pair[1]));
                assert!(!touching, "{path:?}: Han and Latin touch in {line:?}");
            }
        }
        for english in [
            "Usage",
            "Options",
            "Commands",
            "Arguments",
            "[default",
            "[possible",
            "Show",
            "Print",
        ] {
            assert!(!help.contains(english), "{path:?}: {english}");
        }
    });
    assert!(commands > 9, "{commands} commands were found");
}

#[test]
fn every_code_is_explained() {
    for code in deploy_model::Code::ALL {
        let id = code.message().id();
        for lang in deploy_model::Lang::ALL {
            let (exit, text, _) = run(&["--lang", lang.code(), "explain", id]);
            assert_eq!(exit, Exit::Done, "{id}");
            assert!(
                text.starts_with(&format!("{id}\n")) && text.lines().count() >= 3,
                "{text}"
            );
        }
    }
}
