//! The order in which go-yaml writes the keys of a map: numbers in keys count as numbers, so `a2` is before `a10`.

use std::cmp::Ordering;

/// Whose order: go-yaml v3 puts letters before other characters right after a digit, v2 never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyOrder {
    V2,
    V3,
}

/// Up to this many keys are sorted by insertion, as Go does: the order is not a total one, so how it is sorted shows.
const INSERTION_SORT_MAX: usize = 12;

/// Sorts entries by key.
pub(crate) fn sort_by_key<T: Copy>(entries: &mut Vec<(&str, T)>, order: KeyOrder) {
    let less = |a: &(&str, T), b: &(&str, T)| compare(a.0, b.0, order) == Ordering::Less;
    if entries.windows(2).all(|w| !less(&w[1], &w[0])) {
        return;
    }
    if entries.len() <= INSERTION_SORT_MAX {
        for i in 1..entries.len() {
            let mut j = i;
            while j > 0 && less(&entries[j], &entries[j - 1]) {
                entries.swap(j, j - 1);
                j -= 1;
            }
        }
        return;
    }
    merge_sort(entries, &less);
}

/// The standard library's sort may panic where the order is not total; this one does not care.
fn merge_sort<T: Copy>(entries: &mut Vec<T>, less: &impl Fn(&T, &T) -> bool) {
    let mut width = 1;
    while width < entries.len() {
        let mut merged = Vec::with_capacity(entries.len());
        for pair in entries.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([l, left_rest @ ..], [r, right_rest @ ..]) = (left, right) {
                if less(r, l) {
                    merged.push(*r);
                    right = right_rest;
                } else {
                    merged.push(*l);
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *entries = merged;
        width *= 2;
    }
}

fn compare(a: &str, b: &str, order: KeyOrder) -> Ordering {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let mut start = same;
    while !a.is_char_boundary(start) {
        start -= 1;
    }
    let (common, rest_a, rest_b) = (&a[..start], &a[start..], &b[start..]);
    let (Some(first_a), Some(first_b)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return rest_a.len().cmp(&rest_b.len());
    };
    match (first_a.is_alphabetic(), first_b.is_alphabetic()) {
        (true, true) => return first_a.cmp(&first_b),
        (false, false) => {}
        (a_is_letter, _) => {
            let after_digit = order == KeyOrder::V3 && common.chars().next_back().is_some_and(is_digit);
            let letter_first = after_digit;
            return if a_is_letter == letter_first {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
    }
    // Zeros at the front of a number count only where digits other than zero precede them.
    let started = (first_a == '0' || first_b == '0')
        && common
            .chars()
            .rev()
            .take_while(|c| is_digit(*c))
            .any(|c| c != '0');
    let number = |rest: &str| {
        let digits = rest.chars().take_while(|c| is_digit(*c));
        digits.fold((i64::from(started), 0usize), |(value, len), c| {
            let digit = i64::from(u32::from(c)) - i64::from(u32::from('0'));
            (value.wrapping_mul(10).wrapping_add(digit), len + 1)
        })
    };
    let (number_a, number_b) = (number(rest_a), number(rest_b));
    number_a.cmp(&number_b).then(first_a.cmp(&first_b))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric())
}
