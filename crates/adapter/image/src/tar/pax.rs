//! The records of a pax header: `LENGTH KEY=VALUE\n`.

use super::{Long, TarError};
use crate::limits;

const WRONG: TarError = TarError::Field {
    field: "extended header",
};

/// Reads the records that matter; the others are lawful and without meaning here.
pub fn read(mut bytes: &[u8], long: &mut Long) -> Result<(), TarError> {
    while !bytes.is_empty() {
        let space = bytes.iter().position(|&b| b == b' ').ok_or(WRONG)?;
        let length = usize::try_from(decimal(&bytes[..space])?).map_err(|_| WRONG)?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(WRONG);
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|&b| b == b'=').ok_or(WRONG)?;
        apply(&record[..equals], &record[equals + 1..], long)?;
        bytes = &bytes[length..];
    }
    Ok(())
}

fn apply(key: &[u8], value: &[u8], long: &mut Long) -> Result<(), TarError> {
    match key {
        b"path" => long.path = name(value)?,
        b"linkpath" => long.target = name(value)?,
        b"size" => long.size = number(value)?,
        b"uid" => long.uid = number(value)?,
        b"gid" => long.gid = number(value)?,
        b"mtime" if !value.is_empty() => long.mtime = Some(time(value)?),
        _ => {
            if key.starts_with(b"GNU.sparse.") {
                long.sparse = true;
            }
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                if long.attributes.len() == limits::ATTRIBUTES_MAX {
                    return Err(TarError::Bound {
                        what: "attributes of one entry",
                        most: limits::ATTRIBUTES_MAX as u64,
                    });
                }
                let name = String::from_utf8(name.to_vec()).map_err(|_| WRONG)?;
                long.attributes.push((name, value.to_vec()));
            }
        }
    }
    Ok(())
}

/// An empty value takes an earlier one back. A zero would end the name for the kernel and not for us.
fn name(value: &[u8]) -> Result<Option<Vec<u8>>, TarError> {
    if value.contains(&0) {
        return Err(WRONG);
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

fn number(value: &[u8]) -> Result<Option<u64>, TarError> {
    if value.is_empty() {
        return Ok(None);
    }
    decimal(value).map(Some)
}

fn decimal(digits: &[u8]) -> Result<u64, TarError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(WRONG);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(WRONG)
}

/// Seconds with a fraction, before 1970 too.
fn time(value: &[u8]) -> Result<(i64, u32), TarError> {
    let (negative, value) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (whole, fraction) = match value.iter().position(|&b| b == b'.') {
        Some(dot) => (&value[..dot], &value[dot + 1..]),
        None => (value, &b""[..]),
    };
    let seconds = i64::try_from(decimal(whole)?).map_err(|_| WRONG)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(WRONG);
    }
    let nanos = (0..9).fold(0_u32, |nanos, place| {
        nanos * 10 + u32::from(fraction.get(place).map_or(0, |digit| digit - b'0'))
    });
    Ok(match (negative, nanos) {
        (false, nanos) => (seconds, nanos),
        (true, 0) => (-seconds, 0),
        (true, nanos) => (-seconds - 1, 1_000_000_000 - nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time(b"12").ok(), Some((12, 0)));
        assert_eq!(time(b"12.000000001999").ok(), Some((12, 1)));
        assert_eq!(time(b"-0.25").ok(), Some((-1, 750_000_000)));
        assert!(time(b"1e3").is_err());
        assert!(time(b".5").is_err());
    }

    #[test]
    fn records_that_lie_about_their_length() {
        for record in [
            "5 a=b\n", "7 a=b\n", "x a=b\n", "6 a=bc", "6 abc\n", " 6 a=b\n", "0 a=b\n",
        ] {
            let outcome = read(record.as_bytes(), &mut Long::default());
            assert!(outcome.is_err(), "{record:?}");
        }
        assert!(read(b"6 a=b\n", &mut Long::default()).is_ok());
    }
}
