/// The word that somebody may have meant: the nearest one, if it is near: a third of its letters may differ.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    words
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words() {
        let words = ["FROM", "COPY", "RUN", "ENTRYPOINT"];
        assert_eq!(nearest("FORM", words), Some("FROM"));
        assert_eq!(nearest("entrypiont", words), Some("ENTRYPOINT"));
        assert_eq!(nearest("xyz", words), None);
    }
}
