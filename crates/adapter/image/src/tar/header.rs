//! One block of 512 bytes that describes an entry.

use super::{Kind, TarError};

/// A tar is made of these.
pub const BLOCK: usize = 512;

pub struct Block([u8; BLOCK]);

impl Block {
    /// The block, if its sum is right.
    pub fn checked(bytes: [u8; BLOCK]) -> Result<Self, TarError> {
        let block = Self(bytes);
        let stated = block.number(148, 8, "checksum")?;
        let outside = |at: &usize| !(148..156).contains(at);
        let unsigned: u64 = (0..BLOCK)
            .filter(outside)
            .map(|at| u64::from(block.0[at]))
            .sum::<u64>()
            + 8 * 32;
        // Old tars summed signed characters.
        let signed: i64 = (0..BLOCK)
            .filter(outside)
            .map(|at| i64::from(block.0[at] as i8))
            .sum::<i64>()
            + 8 * 32;
        if stated == unsigned || i64::try_from(stated) == Ok(signed) {
            Ok(block)
        } else {
            Err(TarError::Checksum)
        }
    }

    pub fn flag(&self) -> u8 {
        self.0[156]
    }

    /// Its path, with the prefix that POSIX put before it.
    pub fn path(&self) -> Vec<u8> {
        let name = self.text(0, 100);
        let prefix = self.text(345, 155);
        // GNU has other fields where POSIX has the prefix; its magic ends with spaces.
        let posix = &self.0[257..263] == b"ustar\0";
        if posix && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    pub fn target(&self) -> Vec<u8> {
        self.text(157, 100).to_vec()
    }

    pub fn mode(&self) -> Result<u32, TarError> {
        let mode = self.number(100, 8, "mode")?;
        Ok(u32::try_from(mode & 0o7777).expect("twelve bits"))
    }

    pub fn uid(&self) -> Result<u64, TarError> {
        self.number(108, 8, "uid")
    }

    pub fn gid(&self) -> Result<u64, TarError> {
        self.number(116, 8, "gid")
    }

    pub fn size(&self) -> Result<u64, TarError> {
        self.number(124, 12, "size")
    }

    /// Seconds of Unix; GNU writes those before 1970 as negative binary numbers.
    pub fn mtime(&self) -> Result<i64, TarError> {
        let field = &self.0[136..148];
        if field[0] == 0xff {
            let bytes: [u8; 8] = field[4..].try_into().expect("eight bytes");
            return Ok(i64::from_be_bytes(bytes));
        }
        let value = self.number(136, 12, "mtime")?;
        i64::try_from(value).map_err(|_| TarError::Field { field: "mtime" })
    }

    /// Major and minor number, of devices only: others may leave the fields blank.
    pub fn device(&self, kind: Kind) -> Result<(u32, u32), TarError> {
        if !matches!(kind, Kind::Character | Kind::Block) {
            return Ok((0, 0));
        }
        let narrow = |value: u64| u32::try_from(value).map_err(|_| TarError::Field { field: "device" });
        Ok((
            narrow(self.number(329, 8, "device")?)?,
            narrow(self.number(337, 8, "device")?)?,
        ))
    }

    fn text(&self, at: usize, length: usize) -> &[u8] {
        let field = &self.0[at..at + length];
        let end = field.iter().position(|&b| b == 0).unwrap_or(length);
        &field[..end]
    }

    /// Octal digits between spaces and zeros, or GNU's binary form, whose first bit is set.
    fn number(&self, at: usize, length: usize, field: &'static str) -> Result<u64, TarError> {
        let wrong = TarError::Field { field };
        let bytes = &self.0[at..at + length];
        if bytes[0] & 0x80 != 0 {
            // The second bit is the sign.
            if bytes[0] & 0x40 != 0 {
                return Err(wrong);
            }
            let mut value = u64::from(bytes[0] & 0x3f);
            for &byte in &bytes[1..] {
                if value >> 56 != 0 {
                    return Err(wrong);
                }
                value = value << 8 | u64::from(byte);
            }
            return Ok(value);
        }
        let blank = |b: &u8| matches!(b, b' ' | 0);
        let start = bytes.iter().position(|b| !blank(b)).unwrap_or(length);
        let digits = &bytes[start..];
        let end = digits.iter().position(blank).unwrap_or(digits.len());
        let mut value = 0_u64;
        for &digit in &digits[..end] {
            if !matches!(digit, b'0'..=b'7') {
                return Err(wrong);
            }
            value = value << 3 | u64::from(digit - b'0');
        }
        Ok(value)
    }
}
