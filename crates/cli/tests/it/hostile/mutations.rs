//! Trees that work, changed at random: whatever comes of them keeps the contract.

use std::fs;
use std::path::{Path, PathBuf};

use deploy_conformance::{root, skipped};
use deploy_model::Exit;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use super::{Lang, Temporary, broken_contract, run, shortened};

/// Cases by default; `PROPTEST_CASES` asks for more.
const CASES: u32 = 64;

/// Trees larger than this only cost time.
const MAX_TREE_BYTES: u64 = 256 * 1024;

const TOKENS: &[&[u8]] = &[
    b"{{",
    b"}}",
    b"{{-",
    b"-}}",
    b"{{ end }}",
    b"{{ if }}",
    b"{{ range . }}",
    b"{{ include \"x\" . }}",
    b"{{ tpl . . }}",
    b"{{ .Values.a.b.c }}",
    b"{{/*",
    b": ",
    b"- ",
    b"? ",
    b"&a *a",
    b"*a",
    b"&a",
    b"<<: *a",
    b"!!binary ",
    b"!!int ",
    b"| ",
    b">-\n",
    b"\n---\n",
    b"\n...\n",
    b"%YAML 9.9\n",
    b"\t",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xef\xbb\xbf",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"#",
    b"99999999999999999999999999",
    b"-1",
    b"1e999",
    b"0x",
    b".nan",
    b"null",
    b"~",
    b"true",
    b"../",
    b"/",
    b"$patch: delete\n",
    b"$(A)",
    b"*",
    b"[[[[[[[[[[",
    b"(?",
    b"metadata:",
    b"name:",
    b"\xf0\x9f\x92\xa9",
    b"\xe2\x80\xa8",
];

/// One change of one file. Places and lengths are relative to what the file holds then.
#[derive(Clone, Debug)]
enum Change {
    Flip { at: Index, bit: u8 },
    Insert { at: Index, token: Index },
    Delete { at: Index, length: Index },
    Repeat { at: Index, length: Index, times: u8 },
    Truncate { at: Index },
    SwapLines { one: Index, other: Index },
    Shift { line: Index, blanks: u8 },
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        2 => (index(), 0..8u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        6 => (index(), index()).prop_map(|(at, token)| Change::Insert { at, token }),
        2 => (index(), index()).prop_map(|(at, length)| Change::Delete { at, length }),
        2 => (index(), index(), 1..20u8).prop_map(|(at, length, times)| Change::Repeat { at, length, times }),
        1 => index().prop_map(|at| Change::Truncate { at }),
        3 => (index(), index()).prop_map(|(one, other)| Change::SwapLines { one, other }),
        2 => (index(), 1..9u8).prop_map(|(line, blanks)| Change::Shift { line, blanks }),
    ]
}

impl Change {
    fn apply(&self, text: &mut Vec<u8>) {
        let size = text.len();
        let place = |at: &Index| at.index(size + 1);
        // Mostly short, so that the rest keeps its meaning.
        let end = |from: usize, length: &Index| from + length.index((size - from).min(40) + 1);
        match self {
            Change::Flip { at, bit } if size > 0 => text[at.index(size)] ^= 1 << bit,
            Change::Insert { at, token } => {
                let at = place(at);
                text.splice(at..at, TOKENS[token.index(TOKENS.len())].iter().copied());
            }
            Change::Delete { at, length } => {
                let from = place(at);
                text.drain(from..end(from, length));
            }
            Change::Repeat { at, length, times } => {
                let from = place(at);
                let copy = text[from..end(from, length)].repeat(usize::from(*times));
                text.splice(from..from, copy);
            }
            Change::Truncate { at } => text.truncate(place(at)),
            Change::SwapLines { one, other } => {
                let mut lines: Vec<&[u8]> = text.split_inclusive(|&b| b == b'\n').collect();
                if !lines.is_empty() {
                    let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                    lines.swap(one, other);
                    *text = lines.concat();
                }
            }
            Change::Shift { line, blanks } => {
                let starts: Vec<usize> = std::iter::once(0)
                    .chain(
                        text.iter()
                            .enumerate()
                            .filter(|(_, b)| **b == b'\n')
                            .map(|(at, _)| at + 1),
                    )
                    .collect();
                let at = starts[line.index(starts.len())];
                text.splice(at..at, std::iter::repeat_n(b' ', usize::from(*blanks)));
            }
            Change::Flip { .. } => {}
        }
    }
}

#[test]
fn changed_charts_keep_the_contract() {
    let Some(root) = root() else {
        skipped("hostile charts");
        return;
    };
    let trees: Vec<Tree> = folders_with(&root.join("helm/work"), "Chart.yaml")
        .into_iter()
        .filter(|folder| is_small(folder))
        .map(|folder| Tree {
            run_in: folder.clone(),
            folder,
        })
        .collect();
    hold(
        &trees,
        &[
            &["helm", "template", "r", "."],
            &["helm", "template", "r", ".", "--helm-compat", "v3"],
            &["render", "."],
        ],
    );
}

#[test]
fn changed_kustomizations_keep_the_contract() {
    let Some(root) = root() else {
        skipped("hostile kustomizations");
        return;
    };
    let trees: Vec<Tree> = children(&root.join("kustomize/cases"))
        .into_iter()
        .filter_map(|case| {
            let text = fs::read(case.join("case.json")).ok()?;
            let row: serde_json::Value = serde_json::from_slice(&text).ok()?;
            let folder = case.join("in");
            let run_in = folder.join(row["path"].as_str()?.trim_start_matches('/'));
            is_small(&folder).then_some(Tree { folder, run_in })
        })
        .collect();
    hold(&trees, &[&["kustomize", "build", "."], &["render", "."]]);
}

/// A tree of files, and the folder in it to render.
struct Tree {
    folder: PathBuf,
    run_in: PathBuf,
}

fn hold(trees: &[Tree], commands: &[&[&str]]) {
    assert!(!trees.is_empty(), "the conformance set has trees");
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    // What fails is added to the tables by hand, with a name.
    config.failure_persistence = None;
    let files = proptest::collection::vec((any::<Index>(), proptest::collection::vec(change(), 1..4)), 1..4);
    let input = (any::<Index>(), any::<Index>(), any::<bool>(), files);
    let outcome = TestRunner::new(config).run(&input, |(tree, command, english, changes)| {
        let lang = if english { Lang::En } else { Lang::Zh };
        try_one(
            tree.get(trees),
            commands[command.index(commands.len())],
            lang,
            &changes,
        )
        .map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn try_one(
    tree: &Tree,
    command: &[&str],
    lang: Lang,
    changes: &[(Index, Vec<Change>)],
) -> Result<(), String> {
    let temporary = Temporary::new();
    copy(&tree.folder, &temporary.0);
    let mut paths = files_below(&temporary.0);
    paths.sort();
    let mut shown = String::new();
    for (file, changes) in changes {
        if paths.is_empty() {
            break;
        }
        let path = file.get(&paths);
        let mut text = fs::read(path).expect("it was copied");
        changes.iter().for_each(|change| change.apply(&mut text));
        fs::write(path, &text).expect("it can be written");
        shown += &format!(
            "--- {}\n{}\n",
            path.display(),
            shortened(&String::from_utf8_lossy(&text))
        );
    }
    let below = tree.run_in.strip_prefix(&tree.folder).expect("it is in the tree");
    let args: Vec<String> = command.iter().map(|&arg| arg.to_owned()).collect();
    let fault = match run(&temporary.0.join(below), &args, lang) {
        Err(fault) => fault,
        Ok(ended) => match broken_contract(&ended, lang) {
            Some(fault) => fault,
            None if ended.exit == Exit::Done && std::str::from_utf8(&ended.out).is_err() => {
                "the output is not UTF-8".to_owned()
            }
            None => return Ok(()),
        },
    };
    Err(format!(
        "{} in {}: {fault}\n{shown}",
        args.join(" "),
        tree.folder.display()
    ))
}

fn is_small(folder: &Path) -> bool {
    let sizes = files_below(folder)
        .into_iter()
        .filter_map(|path| Some(fs::metadata(path).ok()?.len()));
    sizes.sum::<u64>() <= MAX_TREE_BYTES
}

/// The folders that hold such a file, and are not inside one.
fn folders_with(folder: &Path, name: &str) -> Vec<PathBuf> {
    if folder.join(name).is_file() {
        return vec![folder.to_owned()];
    }
    children(folder)
        .into_iter()
        .filter(|child| is_folder(child))
        .flat_map(|child| folders_with(&child, name))
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    children(folder)
        .into_iter()
        .flat_map(|child| {
            if is_folder(&child) {
                files_below(&child)
            } else if child.is_file() {
                vec![child]
            } else {
                Vec::new()
            }
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for child in children(from) {
        let target = to.join(child.file_name().expect("it has a name"));
        if is_folder(&child) {
            fs::create_dir_all(&target).expect("a folder");
            copy(&child, &target);
        } else if child.is_file() {
            fs::write(&target, fs::read(&child).expect("it can be read")).expect("a file");
        }
    }
}

/// Sorted, so that a seed means the same everywhere.
fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn is_folder(path: &Path) -> bool {
    path.is_dir() && !path.is_symlink()
}
