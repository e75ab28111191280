//! Splits the text of statements into the tokens that tell what they do.

use memchr::{memchr, memchr2};

use super::keyword::Keyword;
use crate::db::settings::Kind;

/// A piece of a text. White space, comments and numbered parameters are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'s> {
    /// A keyword, a number, or an identifier without quotes.
    Word(&'s str),
    /// An identifier in quotes, without them.
    Quoted(&'s str),
    /// A string, without its quotes; escapes are not resolved.
    Text(&'s str),
    /// `:=`
    Assignment,
    /// A comment that MySQL runs: `/*! … */`.
    Executable,
    /// Any other character.
    Symbol(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Word,
    /// It may begin something longer than itself.
    Special,
    Symbol,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Symbol; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => Class::Word,
            b'\'' | b'"' | b'`' | b'[' | b'-' | b'/' | b'#' | b'$' | b':' => Class::Special,
            _ => Class::Symbol,
        };
        byte += 1;
    }
    classes
};

/// The tokens of a text, statement by statement: as an iterator it ends at the semicolon that ends a statement.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'s> {
    text: &'s str,
    at: usize,
    /// It decides how strings, identifiers and comments are written.
    kind: Kind,
    /// Whether the statement has ended.
    ended: bool,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(text: &'s str, kind: Kind) -> Self {
        Self { text, at: 0, kind, ended: false }
    }

    /// Goes to the next statement and returns its first token; `None` at the end of the text.
    pub(super) fn next_statement(&mut self) -> Option<Token<'s>> {
        self.ended = false;
        // An opening parenthesis is skipped too: (SELECT 1) UNION (SELECT 2)
        let is_skipped = |token: &Token<'_>| matches!(token, Token::Symbol(b';' | b'('));
        std::iter::from_fn(|| self.token()).find(|token| !is_skipped(token))
    }

    /// Goes on past a semicolon that ends no statement; `false` at the end of the text.
    pub(super) fn skip_semicolon(&mut self) -> bool {
        self.ended = self.clone().token().is_none();
        !self.ended
    }

    /// The next token in capitals if it is a keyword.
    pub(super) fn keyword(&mut self) -> Keyword {
        match self.next() {
            Some(Token::Word(word)) => Keyword::new(word),
            _ => Keyword::default(),
        }
    }

    /// Returns the next token of the statement without consuming it.
    #[cfg(feature = "postgres")]
    pub(super) fn peek(&self) -> Option<Token<'s>> {
        self.clone().next()
    }

    /// Goes to the end of the whole text.
    #[cfg(feature = "mysql")]
    pub(super) fn finish_text(&mut self) {
        self.ended = true;
        while self.token().is_some() {}
    }

    /// The position in the text after the last token.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn word(&mut self) -> Token<'s> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while let Some(byte) = bytes.get(self.at)
            && (CLASSES[usize::from(*byte)] == Class::Word || *byte == b'$')
        {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        // E'…' of PostgreSQL is the one string of it that has backslashes.
        if self.kind == Kind::Postgres
            && word.eq_ignore_ascii_case("e")
            && self.byte(self.at) == Some(b'\'')
        {
            return Token::Text(self.quoted(b'\'', true));
        }
        Token::Word(word)
    }

    /// Reads from the quote at this position to the one that ends it, and returns the text between; two quotes in a
    /// row are one of the text.
    fn quoted(&mut self, quote: u8, backslashes: bool) -> &'s str {
        let start = self.at + 1;
        let mut at = start;
        loop {
            let rest = &self.text.as_bytes()[at.min(self.text.len())..];
            let found = if backslashes { memchr2(quote, b'\\', rest) } else { memchr(quote, rest) };
            let Some(found) = found else {
                self.at = self.text.len();
                return &self.text[start.min(self.text.len())..];
            };
            at += found;
            if self.byte(at) == Some(b'\\') || self.byte(at + 1) == Some(quote) {
                // An escaped character of several bytes: none of the others is a quote or a backslash.
                at += 2;
                continue;
            }
            self.at = at + 1;
            return &self.text[start..at];
        }
    }

    /// Goes to the byte after the next line feed.
    fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at = memchr(b'\n', rest).map_or(self.text.len(), |found| self.at + found + 1);
    }

    /// Skips the comment at this position; in PostgreSQL it may hold other comments.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte(self.at) {
            match (byte, self.byte(self.at + 1)) {
                (b'/', Some(b'*')) if depth == 0 || self.kind == Kind::Postgres => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// A string between `$tag$` and `$tag$`, a parameter, or the character itself.
    fn dollar(&mut self) -> Option<Token<'s>> {
        let rest = &self.text[self.at + 1..];
        let tag =
            rest.bytes().take_while(|byte| CLASSES[usize::from(*byte)] == Class::Word).count();
        let parameter = rest.starts_with(|first: char| first.is_ascii_digit());
        if self.kind != Kind::Postgres || parameter || self.byte(self.at + 1 + tag) != Some(b'$') {
            self.at += 1 + tag;
            return None;
        }
        let delimiter = &self.text[self.at..self.at + tag + 2];
        let body = &self.text[self.at + tag + 2..];
        let (text, after) = match body.split_once(delimiter) {
            Some((text, after)) => (text, self.text.len() - after.len()),
            None => (body, self.text.len()),
        };
        self.at = after;
        Some(Token::Text(text))
    }

    /// Reads the token that begins with a special character; `None` if it is a comment or a parameter.
    fn special(&mut self, byte: u8) -> Option<Token<'s>> {
        let next = self.byte(self.at + 1);
        match (byte, self.kind) {
            (b'\'', kind) => {
                return Some(Token::Text(self.quoted(b'\'', kind == Kind::MySql)));
            }
            (b'"', Kind::MySql) => return Some(Token::Text(self.quoted(b'"', true))),
            (b'"', _) => return Some(Token::Quoted(self.quoted(b'"', false))),
            (b'`', Kind::MySql | Kind::Sqlite) => {
                return Some(Token::Quoted(self.quoted(b'`', false)));
            }
            (b'[', Kind::Sqlite) => return Some(Token::Quoted(self.quoted(b']', false))),
            (b'$', _) => return self.dollar(),
            (b'#', Kind::MySql) => {
                self.skip_line();
                return None;
            }
            (b'-', kind) if next == Some(b'-') => {
                // MySQL wants white space after it: 1--1 is a sum.
                let after = self.byte(self.at + 2).is_none_or(|byte| byte <= b' ');
                if kind != Kind::MySql || after {
                    self.skip_line();
                    return None;
                }
            }
            (b'/', kind) if next == Some(b'*') => {
                let runs = matches!(
                    (self.byte(self.at + 2), self.byte(self.at + 3)),
                    (Some(b'!'), _) | (Some(b'M'), Some(b'!'))
                );
                self.skip_comment();
                return (runs && kind == Kind::MySql).then_some(Token::Executable);
            }
            (b':', _) if next == Some(b'=') => {
                self.at += 2;
                return Some(Token::Assignment);
            }
            _ => {}
        }
        self.at += 1;
        Some(Token::Symbol(byte))
    }

    /// The next token of the text, whichever statement it belongs to.
    fn token(&mut self) -> Option<Token<'s>> {
        loop {
            let byte = self.byte(self.at)?;
            match CLASSES[usize::from(byte)] {
                Class::Space => self.at += 1,
                Class::Word => return Some(self.word()),
                Class::Symbol => {
                    self.at += 1;
                    return Some(Token::Symbol(byte));
                }
                Class::Special => {
                    if let Some(token) = self.special(byte) {
                        return Some(token);
                    }
                }
            }
        }
    }
}

impl<'s> Iterator for Lexer<'s> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        if self.ended {
            return None;
        }
        let token = self.token().filter(|token| *token != Token::Symbol(b';'));
        self.ended = token.is_none();
        token
    }
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests;
