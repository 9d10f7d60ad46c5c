//! No text makes the reader fail other than by a problem.

use deploy_dockerfile::{Evaluation, Ignore, Lexer, Request, Settings, graph, parse, read};
use proptest::prelude::*;

/// Text that looks like a Dockerfile.
fn likely() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "FROM ",
        "scratch",
        " AS ",
        "a",
        "RUN ",
        "COPY ",
        "ADD ",
        "--from=",
        "--mount=type=",
        "cache",
        ",target=",
        "/x",
        "ENV ",
        "ARG ",
        "$",
        "${",
        "}",
        ":-",
        "A",
        "=",
        "\"",
        "'",
        "\\",
        "\n",
        "\n",
        " ",
        "[",
        "]",
        "<<",
        "EOF",
        "#",
        "escape=`",
        "HEALTHCHECK ",
        "ONBUILD ",
        "--",
        "\t",
        "é",
        "EXPOSE ",
        "1-2",
        "WORKDIR ",
        "..",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_panics(text in likely()) {
        let _ = parse(&text).map(|tree| tree.dump());
        if let Ok(file) = read(&text)
            && let Ok(graph) = graph(file, Request::default())
        {
            for stage in &graph.stages {
                let mut evaluation = Evaluation::new(&graph, stage, Settings::default());
                while let Some(step) = evaluation.step() {
                    if step.is_err() {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn any_text_is_words_or_an_error(text in ".{0,60}", likely in likely()) {
        for text in [&text, &likely] {
            let _ = Lexer::new('\\').expand(text, &|name| (name == "A").then(|| "b c".to_owned()));
            let _ = Ignore::parse(text).map(|ignore| ignore.ignores("a/b"));
        }
    }

    /// What a tree is printed as has one line for each statement.
    #[test]
    fn a_dump_has_a_line_for_each_statement(text in likely()) {
        if let Ok(tree) = parse(&text) {
            prop_assert_eq!(tree.dump().lines().count(), tree.statements.len());
        }
    }
}
