//! The format of the blob.
//!
//! `DKS1`, then each section as a length (u32, little endian) and that many bytes of raw deflate: the resources (JSON), the
//! types, and the OpenAPI documents (see [`super::openapi`]). The types are numbers and texts: a number is LEB128, a text is a number of bytes and
//! UTF-8. First the texts, which everything else names by place (0 is the empty text), then the types, then the kinds.

use std::collections::HashMap;
use std::io::Write as _;

use flate2::{Compression, write::DeflateEncoder};
use ring::digest;

use super::lower::{Lowered, Shape};

/// Puts sections together.
pub fn pack(sections: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let mut bytes = b"DKS1".to_vec();
    for section in sections {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        let packed = encoder.write_all(section).and_then(|()| encoder.finish());
        let packed = packed.map_err(|e| e.to_string())?;
        let length = u32::try_from(packed.len()).map_err(|e| e.to_string())?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(packed);
    }
    Ok(bytes)
}

/// The section of types.
pub fn types(lowered: &Lowered) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.text("");
    writer.number(lowered.types.len());
    for row in &lowered.types {
        writer.text(&row.name);
        writer.text(&row.go);
        match &row.shape {
            Shape::Scalar(scalar) => {
                writer.number(0);
                writer.number(usize::from(*scalar));
            }
            Shape::Struct { atomic, fields } => {
                writer.number(1 + usize::from(*atomic));
                writer.number(fields.len());
                for field in fields {
                    writer.text(&field.name);
                    writer.number(field.r#type);
                    writer.number(usize::from(field.relationship));
                    writer.number(usize::from(field.flags));
                    writer.text(&field.default);
                    writer.text(&field.merge_key);
                }
            }
            Shape::List {
                element,
                associative,
                keys,
            } => {
                writer.number(3 + usize::from(*associative));
                writer.number(*element);
                writer.number(keys.len());
                for key in keys {
                    writer.text(key);
                }
            }
            Shape::Map { element, atomic } => {
                writer.number(5 + usize::from(*atomic));
                writer.number(*element);
            }
            Shape::Any { atomic } => writer.number(7 + usize::from(*atomic)),
        }
    }
    writer.number(lowered.kinds.len());
    for (group, version, kind, place) in &lowered.kinds {
        writer.text(group);
        writer.text(version);
        writer.text(kind);
        writer.number(*place);
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    body: Vec<u8>,
    texts: Vec<String>,
    places: HashMap<String, usize>,
}

impl Writer {
    fn number(&mut self, number: usize) {
        leb128(&mut self.body, number);
    }

    fn text(&mut self, text: &str) {
        let place = match self.places.get(text) {
            Some(place) => *place,
            None => {
                let place = self.texts.len();
                self.texts.push(text.to_owned());
                self.places.insert(text.to_owned(), place);
                place
            }
        };
        self.number(place);
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        leb128(&mut bytes, self.texts.len());
        for text in &self.texts {
            leb128(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
        // The first number is the empty text, written so that it has place 0.
        bytes.extend(&self.body[1..]);
        bytes
    }
}

fn leb128(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits fit");
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}

/// The sum by which a client knows a document, as upstream writes it.
pub fn sha512(bytes: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA512, bytes);
    sum.as_ref().iter().map(|b| format!("{b:02X}")).collect()
}

/// A sum in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let sum = digest::digest(&digest::SHA256, bytes);
    sum.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// The hash of the stored version of a kind (`apiserver/pkg/endpoints/discovery/storageversionhash.go`): the first eight
/// bytes of the SHA-256 sum of `group/version/kind` in base64.
pub fn storage_version_hash(group: &str, version: &str, kind: &str) -> String {
    let sum = digest::digest(&digest::SHA256, format!("{group}/{version}/{kind}").as_bytes());
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &sum.as_ref()[..8])
}
