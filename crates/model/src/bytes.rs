//! Sizes, for people.

/// Three digits and a unit of a thousand, as docker and skopeo show sizes.
pub fn shown_bytes(bytes: u64) -> String {
    let mut unit = "B";
    let mut thousandths = u128::from(bytes) * 1000;
    for next in ["kB", "MB", "GB", "TB"] {
        if thousandths < 1_000_000 {
            break;
        }
        thousandths /= 1000;
        unit = next;
    }
    let whole = thousandths / 1000;
    let decimals = match whole {
        _ if unit == "B" => 0,
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let fraction = format!("{:03}", thousandths % 1000);
    if decimals == 0 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{} {unit}", &fraction[..decimals])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (1_639_656, "1.63 MB"),
            (12_345_678, "12.3 MB"),
            (123_456_789, "123 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(shown_bytes(bytes), text);
        }
    }
}
