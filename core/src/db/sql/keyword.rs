//! Keywords, compared whatever their case.

/// A word in capitals; none if it is longer than any keyword.
#[derive(Clone, Copy, Default)]
pub(super) struct Keyword([u8; 16], usize);

impl Keyword {
    pub(super) fn new(word: &str) -> Self {
        let mut keyword = Self::default();
        if let Some(letters) = keyword.0.get_mut(..word.len()) {
            letters.copy_from_slice(word.as_bytes());
            letters.make_ascii_uppercase();
            keyword.1 = word.len();
        }
        keyword
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

/// Whether a word is one of these, in whatever case.
pub(super) fn is_one_of(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known))
}
