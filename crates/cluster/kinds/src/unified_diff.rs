//! A unified diff of two texts, line by line, as Go's difflib and Python's make it (`github.com/pmezard/go-difflib`), so
//! that messages with a diff in them are the same.

use std::collections::HashMap;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// From this many lines on, lines that are there too often do not start a match.
const POPULAR_FROM: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Equal,
    Changed,
}

/// A stretch of both texts: `a[a0..a1]` became `b[b0..b1]`.
#[derive(Clone, Copy)]
struct Stretch {
    tag: Tag,
    a0: usize,
    a1: usize,
    b0: usize,
    b1: usize,
}

/// The difference between two texts; empty where there is none.
pub fn unified_diff(a: &str, b: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('\n').collect(), b.split('\n').collect());
    let mut text = String::new();
    for group in groups(&stretches(&a, &b)) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let (old, new) = (range(first.a0, last.a1), range(first.b0, last.b1));
        text.push_str(&format!("@@ -{old} +{new} @@\n"));
        for stretch in &group {
            let mut lines = |sign: char, lines: &[&str]| {
                for line in lines {
                    text.push(sign);
                    text.push_str(line);
                    text.push('\n');
                }
            };
            if stretch.tag == Tag::Equal {
                lines(' ', &a[stretch.a0..stretch.a1]);
            } else {
                lines('-', &a[stretch.a0..stretch.a1]);
                lines('+', &b[stretch.b0..stretch.b1]);
            }
        }
    }
    text
}

/// Lines of a text, counted from 1, as a header shows them.
fn range(start: usize, end: usize) -> String {
    match end - start {
        1 => format!("{}", start + 1),
        0 => format!("{start},0"),
        len => format!("{},{len}", start + 1),
    }
}

/// Stretches in groups, each with a few equal lines around it.
fn groups(all: &[Stretch]) -> Vec<Vec<Stretch>> {
    let mut all = all.to_vec();
    if let Some(first) = all.first_mut().filter(|stretch| stretch.tag == Tag::Equal) {
        first.a0 = first.a0.max(first.a1.saturating_sub(CONTEXT));
        first.b0 = first.b0.max(first.b1.saturating_sub(CONTEXT));
    }
    if let Some(last) = all.last_mut().filter(|stretch| stretch.tag == Tag::Equal) {
        last.a1 = last.a1.min(last.a0 + CONTEXT);
        last.b1 = last.b1.min(last.b0 + CONTEXT);
    }
    let (mut groups, mut group) = (Vec::new(), Vec::new());
    for mut stretch in all {
        if stretch.tag == Tag::Equal && stretch.a1 - stretch.a0 > 2 * CONTEXT {
            let end = Stretch {
                a1: stretch.a0 + CONTEXT,
                b1: stretch.b0 + CONTEXT,
                ..stretch
            };
            group.push(end);
            groups.push(std::mem::take(&mut group));
            stretch.a0 = stretch.a1 - CONTEXT;
            stretch.b0 = stretch.b1 - CONTEXT;
        }
        group.push(stretch);
    }
    groups.push(group);
    groups.retain(|group| group.iter().any(|stretch| stretch.tag == Tag::Changed));
    groups
}

fn stretches(a: &[&str], b: &[&str]) -> Vec<Stretch> {
    let mut all = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (a0, b0, len) in matches(a, b) {
        if i < a0 || j < b0 {
            all.push(Stretch {
                tag: Tag::Changed,
                a0: i,
                a1: a0,
                b0: j,
                b1: b0,
            });
        }
        (i, j) = (a0 + len, b0 + len);
        if len > 0 {
            all.push(Stretch {
                tag: Tag::Equal,
                a0,
                a1: i,
                b0,
                b1: j,
            });
        }
    }
    all
}

/// Equal stretches `(start in a, start in b, length)` in order, and an empty one at the end.
fn matches(a: &[&str], b: &[&str]) -> Vec<(usize, usize, usize)> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in b.iter().enumerate() {
        places.entry(line).or_default().push(index);
    }
    if b.len() >= POPULAR_FROM {
        places.retain(|_, indices| indices.len() <= b.len() / 100 + 1);
    }
    let mut found = Vec::new();
    let mut open = vec![(0, a.len(), 0, b.len())];
    while let Some((a0, a1, b0, b1)) = open.pop() {
        let (i, j, len) = longest(a, b, &places, (a0, a1, b0, b1));
        if len > 0 {
            found.push((i, j, len));
            open.push((a0, i, b0, j));
            open.push((i + len, a1, j + len, b1));
        }
    }
    found.sort_unstable();
    let mut joined: Vec<(usize, usize, usize)> = Vec::new();
    for (i, j, len) in found {
        match joined.last_mut() {
            Some((a, b, before)) if *a + *before == i && *b + *before == j => *before += len,
            _ => joined.push((i, j, len)),
        }
    }
    joined.push((a.len(), b.len(), 0));
    joined
}

/// The longest equal stretch within bounds, of several the first in `a`, then the first in `b`.
fn longest(
    a: &[&str],
    b: &[&str],
    places: &HashMap<&str, Vec<usize>>,
    (a0, a1, b0, b1): (usize, usize, usize, usize),
) -> (usize, usize, usize) {
    let mut best = (a0, b0, 0);
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (i, line) in a.iter().enumerate().take(a1).skip(a0) {
        let mut next = HashMap::new();
        for j in places
            .get(line)
            .into_iter()
            .flatten()
            .copied()
            .filter(|j| (b0..b1).contains(j))
        {
            let len = j
                .checked_sub(1)
                .and_then(|j| lengths.get(&j))
                .copied()
                .unwrap_or_default()
                + 1;
            next.insert(j, len);
            if len > best.2 {
                best = (i + 1 - len, j + 1 - len, len);
            }
        }
        lengths = next;
    }
    // Lines that are there too often do not start a match, but may widen one.
    let (mut i, mut j, mut len) = best;
    while i > a0 && j > b0 && a[i - 1] == b[j - 1] {
        (i, j, len) = (i - 1, j - 1, len + 1);
    }
    while i + len < a1 && j + len < b1 && a[i + len] == b[j + len] {
        len += 1;
    }
    (i, j, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_with_three_lines_around_them() {
        let a = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12";
        let b = "1\n2\n3\nfour\n5\n6\n7\n8\n9\n10\n11\n12\n13";
        assert_eq!(
            unified_diff(a, b),
            "@@ -1,7 +1,7 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n@@ -10,3 +10,4 @@\n 10\n 11\n 12\n+13\n"
        );
        assert_eq!(unified_diff(a, a), "");
    }
}
