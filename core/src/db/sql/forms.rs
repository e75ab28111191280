//! Statements that several kinds of databases write alike.

use super::effect::{Change, SessionEffect};
use super::keyword::Keyword;
use super::lexer::{Lexer, Token};

/// The end of a transaction, by `COMMIT` and `END` or by `ROLLBACK` and `ABORT`: it may go on with a transaction like the
/// last, or go back to a savepoint.
pub(super) fn end(tokens: &mut Lexer<'_>, commits: bool) -> SessionEffect {
    let ends = SessionEffect { commits, ..SessionEffect::ENDS };
    let mut refused = false;
    loop {
        match tokens.keyword().as_bytes() {
            b"PREPARED" => return SessionEffect::NONE,
            b"TO" if !commits => return SessionEffect::NONE,
            b"NO" => refused = true,
            b"CHAIN" if !refused => return SessionEffect { commits, ..SessionEffect::CHAINS },
            // The server closes the connection (MySQL).
            b"RELEASE" if !refused => return SessionEffect { change: Some(Change::Other), ..ends },
            b"CHAIN" | b"RELEASE" => refused = false,
            b"WORK" | b"TRANSACTION" | b"AND" => {}
            _ => return ends,
        }
    }
}

/// Whether what is left asks for a transaction that may not write: `READ ONLY`.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn asks_read_only(tokens: &mut Lexer<'_>) -> bool {
    let mut read = false;
    for token in tokens.by_ref() {
        match token {
            Token::Word(word) if read && word.eq_ignore_ascii_case("only") => return true,
            Token::Word(word) => read = word.eq_ignore_ascii_case("read"),
            _ => read = false,
        }
    }
    false
}

/// A function, a procedure or a trigger, whose body may hold semicolons: it ends after the `END` of each `BEGIN`,
/// `CASE`, `IF` and loop in it. If an `END` is missing, the rest of the text is unknown.
pub(super) fn routine(tokens: &mut Lexer<'_>) -> SessionEffect {
    let mut depth = 0_usize;
    let mut before = Keyword::default();
    // IF and REPEAT count only where a statement may begin: elsewhere they are functions.
    let mut begins = false;
    loop {
        for token in tokens.by_ref() {
            let Token::Word(word) = token else {
                begins = token == Token::Symbol(b':');
                before = Keyword::default();
                continue;
            };
            let word = Keyword::new(word);
            match word.as_bytes() {
                b"END" => depth = depth.saturating_sub(1),
                // END IF, END LOOP
                _ if before.as_bytes() == b"END" => {}
                b"BEGIN" | b"CASE" => depth += 1,
                b"IF" | b"LOOP" | b"REPEAT" | b"WHILE" if begins => depth += 1,
                _ => {}
            }
            begins = matches!(
                word.as_bytes(),
                b"BEGIN" | b"THEN" | b"ELSE" | b"DO" | b"LOOP" | b"REPEAT" | b"ROW"
            );
            before = word;
        }
        if depth == 0 {
            return SessionEffect::NONE;
        }
        // The semicolon stood inside the body.
        if !tokens.skip_semicolon() {
            return SessionEffect::unknown(Change::Other);
        }
        (before, begins) = (Keyword::default(), true);
    }
}
