//! The tokens of one statement, and keywords.

use super::lexer::{Lexer, Token};

/// The tokens of one statement: up to its semicolon.
pub(super) struct Tokens<'l, 's> {
    lexer: &'l mut Lexer<'s>,
    ended: bool,
}

impl<'l, 's> Tokens<'l, 's> {
    pub(super) fn new(lexer: &'l mut Lexer<'s>) -> Self {
        Self { lexer, ended: false }
    }

    /// The next token in capitals if it is a keyword.
    pub(super) fn keyword(&mut self) -> Keyword {
        match self.next() {
            Some(Token::Word(word)) => Keyword::new(word),
            _ => Keyword::default(),
        }
    }

    /// The next token, which is not consumed.
    #[cfg(feature = "postgres")]
    pub(super) fn peek(&self) -> Option<Token<'s>> {
        if self.ended { None } else { self.lexer.clone().next() }.filter(|token| !ends(*token))
    }

    /// Goes to the end of the whole text.
    #[cfg(feature = "mysql")]
    pub(super) fn finish_text(&mut self) {
        self.ended = true;
        for _ in &mut *self.lexer {}
    }

    /// Goes on past a semicolon that ends no statement, unless the text ends there.
    pub(super) fn go_on(&mut self) -> bool {
        self.ended = self.lexer.clone().next().is_none();
        !self.ended
    }
}

fn ends(token: Token<'_>) -> bool {
    token == Token::Symbol(b';')
}

impl<'s> Iterator for Tokens<'_, 's> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        if self.ended {
            return None;
        }
        match self.lexer.next() {
            Some(token) if !ends(token) => Some(token),
            _ => {
                self.ended = true;
                None
            }
        }
    }
}

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
