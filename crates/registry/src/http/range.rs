//! Ranges: of what is pulled (RFC 9110 14.2), and of chunks that are pushed (distribution-spec, "Pushing a blob in
//! chunks").

/// What a client wants of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: no range, several, or one that nobody understands.
    Whole,
    /// From this byte on, so many.
    Part {
        /// The first byte.
        from: u64,
        /// How many.
        bytes: u64,
    },
    /// Something that is not there.
    Nothing,
}

/// Reads a `Range` header for a blob of so many bytes.
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(range) = header.and_then(|header| header.strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), last) if last.is_some() || range.ends_with('-') => {
            let last = last.unwrap_or(u64::MAX);
            if last < first {
                return Wanted::Whole;
            }
            if first >= size {
                return Wanted::Nothing;
            }
            Wanted::Part {
                from: first,
                bytes: last.min(size - 1) - first + 1,
            }
        }
        (None, Some(count)) if first.is_empty() => match count.min(size) {
            0 => Wanted::Nothing,
            bytes => Wanted::Part {
                from: size - bytes,
                bytes,
            },
        },
        _ => Wanted::Whole,
    }
}

/// The first and the last byte of a chunk: `0-99`, or as RFC 9110 writes it `bytes 0-99/*`.
pub fn chunk(header: &str) -> Option<(u64, u64)> {
    let text = header.trim();
    let text = text
        .strip_prefix("bytes")
        .map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let text = text.split('/').next()?;
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_pulls() {
        let part = |from, bytes| Wanted::Part { from, bytes };
        for (header, expected) in [
            ("bytes=0-9", part(0, 10)),
            ("bytes=90-", part(90, 10)),
            ("bytes=95-200", part(95, 5)),
            ("bytes=-10", part(90, 10)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=0-9", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 100), expected, "{header}");
        }
        assert_eq!(wanted(None, 100), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }

    #[test]
    fn ranges_of_chunks() {
        assert_eq!(chunk("0-99"), Some((0, 99)));
        assert_eq!(chunk("bytes 5-9/*"), Some((5, 9)));
        for wrong in ["", "-", "9-5", "a-b", "0", "-5"] {
            assert_eq!(chunk(wrong), None, "{wrong}");
        }
    }
}
