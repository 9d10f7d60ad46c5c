//! Headers of SPDY/3.1: names and values, deflated as one stream per direction with a dictionary that both know.

use std::io;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::broken;
use crate::limits;

/// The first part of the dictionary: words as they stand in a block, each after its length.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
    if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
    keep-alive origin";

/// The second part: as it is.
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 \
    Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept \
    Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch\
    charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// What deflate can refer back to; a power of two, as the decoder wants it.
const WINDOW: usize = 32 << 10;

/// Names in lower case, with their values.
pub type Headers = Vec<(String, String)>;

/// The dictionary that the first header block refers to.
fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in WORDS.split(' ') {
        bytes.extend_from_slice(&(word.len() as u32).to_be_bytes());
        bytes.extend_from_slice(word.replace('_', " ").as_bytes());
    }
    bytes.extend_from_slice(REST.as_bytes());
    bytes
}

/// Reads the header blocks of one direction, in their order.
pub struct Inflate {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    begun: bool,
}

impl Inflate {
    /// Before the first block.
    pub fn new() -> Inflate {
        Inflate {
            state: Box::default(),
            window: vec![0; WINDOW],
            at: 0,
            begun: false,
        }
    }

    /// The headers of the next block.
    pub fn block(&mut self, mut packed: &[u8]) -> io::Result<Headers> {
        if !self.begun {
            packed = self.begin(packed)?;
        }
        let mut plain = Vec::new();
        loop {
            let room = &mut self.window[..];
            let (status, read, written) =
                decompress(&mut self.state, packed, room, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            plain.extend_from_slice(&self.window[self.at..self.at + written]);
            if plain.len() > limits::SPDY_HEADERS_BYTES_MAX {
                return Err(broken("headers that are too long"));
            }
            self.at = (self.at + written) % WINDOW;
            packed = &packed[read..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return parse(&plain),
                _ => return Err(broken("headers that cannot be inflated")),
            }
        }
    }

    /// The head of the stream (RFC 1950, 2.2).
    fn begin<'a>(&mut self, packed: &'a [u8]) -> io::Result<&'a [u8]> {
        let short = || broken("headers without zlib's");
        let (head, rest) = packed.split_first_chunk::<2>().ok_or_else(short)?;
        if head[0] & 0x0F != 8 || !u16::from_be_bytes(*head).is_multiple_of(31) {
            return Err(short());
        }
        self.begun = true;
        if head[1] & 0x20 == 0 {
            return Ok(rest);
        }
        let dictionary = dictionary();
        self.window[..dictionary.len()].copy_from_slice(&dictionary);
        self.at = dictionary.len();
        Ok(rest.split_first_chunk::<4>().ok_or_else(short)?.1)
    }
}

fn parse(mut plain: &[u8]) -> io::Result<Headers> {
    let count = number(&mut plain)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let name = text(&mut plain)?;
        headers.push((name.to_ascii_lowercase(), text(&mut plain)?));
    }
    Ok(headers)
}

fn number(plain: &mut &[u8]) -> io::Result<usize> {
    let (number, rest) = plain
        .split_first_chunk::<4>()
        .ok_or_else(|| broken("headers that end early"))?;
    *plain = rest;
    Ok(u32::from_be_bytes(*number) as usize)
}

fn text(plain: &mut &[u8]) -> io::Result<String> {
    let length = number(plain)?;
    let (text, rest) = plain
        .split_at_checked(length)
        .ok_or_else(|| broken("headers that end early"))?;
    *plain = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// Writes the header blocks of one direction: stored, with nothing deflated, which every inflater understands.
pub struct Deflate {
    begun: bool,
}

impl Deflate {
    /// Before the first block.
    pub fn new() -> Deflate {
        Deflate { begun: false }
    }

    /// A block without any header.
    pub fn empty(&mut self) -> Vec<u8> {
        let mut block = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            block.extend_from_slice(&[0x78, 0x01]);
        }
        // A stored block of four bytes, which say that there are none; an empty one, at which readers flush.
        block.extend_from_slice(&[0, 4, 0, 0xFB, 0xFF, 0, 0, 0, 0]);
        block.extend_from_slice(&[0, 0, 0, 0xFF, 0xFF]);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One stored block with these headers.
    fn stored(headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = (headers.len() as u32).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend_from_slice(&(text.len() as u32).to_be_bytes());
            plain.extend_from_slice(text.as_bytes());
        }
        let length = plain.len() as u16;
        let mut block = vec![0];
        block.extend_from_slice(&length.to_le_bytes());
        block.extend_from_slice(&(!length).to_le_bytes());
        block.extend_from_slice(&plain);
        block
    }

    #[test]
    fn the_dictionary_is_that_of_the_protocol() {
        let mut a = 1_u32;
        let mut b = 0_u32;
        for byte in dictionary() {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        // The checksum by which both sides name it in the head of the stream.
        assert_eq!((b << 16) | a, 0xE3C6_A7C2);
    }

    #[test]
    fn blocks_are_read_one_after_the_other() {
        let mut inflate = Inflate::new();
        let mut first = vec![0x78, 0x01];
        first.extend(stored(&[("StreamType", "error"), ("port", "80")]));
        let headers = inflate.block(&first).expect("it is sound");
        assert_eq!(
            headers,
            [
                ("streamtype".to_owned(), "error".to_owned()),
                ("port".to_owned(), "80".to_owned())
            ]
        );
        for _ in 0..2000 {
            let headers = inflate
                .block(&stored(&[("streamtype", "data")]))
                .expect("it is sound");
            assert_eq!(headers, [("streamtype".to_owned(), "data".to_owned())]);
        }
        let mut deflate = Deflate::new();
        let mut inflate = Inflate::new();
        for _ in 0..3 {
            assert_eq!(inflate.block(&deflate.empty()).expect("it is ours"), []);
        }
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let long = stored(&[("a", &"x".repeat(60_000))]);
        let twice = [vec![0x78, 0x01], long.clone(), long].concat();
        let lies = [
            vec![0x78, 0x01],
            vec![0, 4, 0, 0xFB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ]
        .concat();
        for bytes in [
            &[][..],
            &[0x78],
            &[0, 0],
            &[0x78, 0xBB, 1],
            &[0x78, 0x01, 0xFF, 0xFF],
            &twice,
            &lies,
        ] {
            assert!(
                Inflate::new().block(bytes).is_err(),
                "{:?}",
                &bytes[..bytes.len().min(20)]
            );
        }
    }
}
