//! Short stable names for templates.

use serde_json::Value;

/// Digits become letters that spell no words (`apimachinery/pkg/util/rand`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a of 32 bits over the sorted JSON, in that alphabet. `collisions` makes another name where one is taken.
pub fn of(template: &Value, collisions: i64) -> String {
    let mut text = template.to_string();
    if collisions > 0 {
        text.push_str(&collisions.to_string());
    }
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.to_string()
        .bytes()
        .map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_depend_on_the_template_and_the_collisions() {
        let (a, b) = (json!({"a": 1}), json!({"a": 2}));
        assert_eq!(of(&a, 0), of(&a.clone(), 0));
        assert_ne!(of(&a, 0), of(&b, 0));
        assert_ne!(of(&a, 0), of(&a, 1));
    }
}
