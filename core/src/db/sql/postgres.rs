//! The statements of PostgreSQL that leave a session as it was; any other counts as one that changes it.

use super::effect::{Change, SessionEffect};
use super::forms::{asks_read_only, end, routine};
use super::keyword::{Keyword, is_one_of};
use super::lexer::{Lexer, Token};

/// The functions that change the session for longer than the transaction. `set_config` has a rule of its own.
const CHANGING: &[&str] = &[
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "setseed",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_replication_origin_session_setup",
    "pg_replication_origin_session_reset",
    // Of extensions.
    "dblink_connect",
    "dblink_connect_u",
    "dblink_open",
    "http_set_curlopt",
    "hypopg_create_index",
    "reset_user",
    "set_limit",
    "set_user",
];

pub(super) fn of_one(first: Keyword, tokens: &mut Lexer<'_>) -> SessionEffect {
    match first.as_bytes() {
        b"SELECT" | b"WITH" | b"VALUES" | b"TABLE" | b"SHOW" | b"FETCH" => {
            SessionEffect { rows: true, ..scan(first, tokens) }
        }
        b"ALTER" | b"ANALYZE" | b"CHECKPOINT" | b"CLOSE" | b"CLUSTER" | b"COMMENT" | b"COPY"
        | b"DECLARE" | b"DELETE" | b"DROP" | b"EXPLAIN" | b"GRANT" | b"IMPORT" | b"INSERT"
        | b"LOCK" | b"MERGE" | b"MOVE" | b"NOTIFY" | b"REASSIGN" | b"REFRESH" | b"REINDEX"
        | b"REVOKE" | b"SECURITY" | b"TRUNCATE" | b"UPDATE" | b"VACUUM" => scan(first, tokens),
        b"BEGIN" | b"START" => {
            SessionEffect { read_only: asks_read_only(tokens), ..SessionEffect::BEGINS }
        }
        b"COMMIT" | b"END" => end(tokens, true),
        b"ROLLBACK" | b"ABORT" => end(tokens, false),
        // Outside of a transaction they are errors.
        b"SAVEPOINT" | b"RELEASE" => SessionEffect::NONE,
        b"SET" => set(tokens),
        b"CREATE" => create(tokens),
        b"PREPARE" => match tokens.keyword().as_bytes() {
            b"TRANSACTION" => SessionEffect { commits: true, ..SessionEffect::ENDS },
            _ => SessionEffect::changes(Change::Prepare),
        },
        b"EXECUTE" | b"DEALLOCATE" => SessionEffect::unknown(Change::Prepare),
        b"LISTEN" | b"UNLISTEN" => SessionEffect::changes(Change::Listen),
        b"RESET" => SessionEffect::changes(Change::Reset),
        b"DISCARD" => SessionEffect::changes(Change::Discard),
        b"CALL" => SessionEffect::unknown(Change::Call),
        b"DO" => SessionEffect::unknown(Change::Do),
        _ => SessionEffect::unknown(Change::Other),
    }
}

/// The effect of a statement that can change the session only by a function that it calls or by its target (`INTO`).
fn scan(first: Keyword, tokens: &mut Lexer<'_>) -> SessionEffect {
    let mut effect = SessionEffect::NONE;
    let (mut updates, mut settings) = (first.as_bytes() == b"UPDATE", false);
    let explains = first.as_bytes() == b"EXPLAIN";
    let declares = first.as_bytes() == b"DECLARE";
    let (mut before, mut word) = ("", "");
    while let Some(token) = tokens.next() {
        let (Token::Word(next) | Token::Quoted(next)) = token else {
            if token == Token::Symbol(b'(') && changes(word, tokens) {
                effect.change = Some(Change::Function);
            }
            (before, word) = ("", "");
            continue;
        };
        // INTO TABLE pg_temp.t
        if word.eq_ignore_ascii_case("into") && next.eq_ignore_ascii_case("table") {
            continue;
        }
        // SELECT … INTO TEMP t, which INSERT INTO temp is not.
        if word.eq_ignore_ascii_case("into")
            && is_one_of(next, &["temp", "temporary", "local", "global", "pg_temp"])
            && !is_one_of(before, &["insert", "merge"])
            && first.as_bytes() != b"INSERT"
            && first.as_bytes() != b"MERGE"
        {
            effect.change = Some(Change::Temporary);
        }
        // A cursor ends with its transaction, unless it is declared WITH HOLD.
        if declares && word.eq_ignore_ascii_case("with") && next.eq_ignore_ascii_case("hold") {
            effect.change = Some(Change::Declare);
        }
        match next.len() {
            6 => updates |= next.eq_ignore_ascii_case("update"),
            9 => effect.rows |= next.eq_ignore_ascii_case("returning"),
            11 => settings |= next.eq_ignore_ascii_case("pg_settings"),
            _ => {}
        }
        if explains && is_one_of(next, &["create", "execute", "declare"]) {
            effect.change = Some(Change::Other);
        }
        (before, word) = (word, next);
    }
    // An UPDATE of this view is a SET.
    if updates && settings {
        effect.change = Some(Change::Set);
    }
    effect
}

/// Whether a call of this function, whose arguments follow, changes the session.
fn changes(function: &str, tokens: &mut Lexer<'_>) -> bool {
    if !function.eq_ignore_ascii_case("set_config") {
        // A name with escapes, U&"\0070g_advisory_lock", may be that of any function.
        return is_one_of(function, CHANGING) || function.contains('\\');
    }
    // Its last argument says whether it ends with the transaction.
    let mut depth = 1_usize;
    let (mut argument, mut local, mut cast) = (0, false, false);
    let mut word = "";
    for token in &mut *tokens {
        match token {
            Token::Symbol(b'(') => {
                depth += 1;
                if is_one_of(word, CHANGING) {
                    return true;
                }
            }
            Token::Symbol(b')') if depth == 1 => break,
            Token::Symbol(b')') => depth -= 1,
            Token::Symbol(b',') if depth == 1 => argument += 1,
            Token::Word(text) | Token::Text(text) if argument == 2 => {
                local = match (local, cast) {
                    (false, false) => is_one_of(text, &["true", "t", "on", "yes", "1"]),
                    (local, _) => local && is_one_of(text, &["bool", "boolean"]),
                };
                if !local {
                    return true;
                }
            }
            Token::Symbol(b':') if argument == 2 => cast = true,
            _ if argument == 2 => return true,
            _ => {}
        }
        word = if let Token::Word(text) = token { text } else { "" };
    }
    !local
}

/// The effect of the words after `SET`: `LOCAL` ends with the transaction.
fn set(tokens: &mut Lexer<'_>) -> SessionEffect {
    let Some(Token::Word(second)) = tokens.next() else {
        return SessionEffect::changes(Change::Set);
    };
    let change = match Keyword::new(second).as_bytes() {
        b"LOCAL" | b"TRANSACTION" | b"CONSTRAINTS" => None,
        _ => Some(Change::Set),
    };
    let name = match tokens.peek() {
        Some(Token::Word(third)) if change.is_none() => third,
        _ => second,
    };
    let named = is_one_of(name, &["transaction_read_only", "default_transaction_read_only"]);
    let read_only = named || asks_read_only(tokens);
    SessionEffect { read_only, change, ..SessionEffect::NONE }
}

fn create(tokens: &mut Lexer<'_>) -> SessionEffect {
    let (mut temporary, mut drops) = (false, false);
    let (mut words, mut word) = (0, "");
    while let Some(token) = tokens.next() {
        let (Token::Word(next) | Token::Quoted(next)) = token else {
            if token == Token::Symbol(b'(') && changes(word, tokens) {
                return SessionEffect::changes(Change::Function);
            }
            if token == Token::Symbol(b'(') {
                // The rest is the names of other objects.
                words = 3;
            }
            word = "";
            continue;
        };
        let is_pg_temp = |word: &str| word.eq_ignore_ascii_case("pg_temp");
        match Keyword::new(next).as_bytes() {
            b"PG_TEMP" => return SessionEffect::changes(Change::Temporary),
            b"TEMP" | b"TEMPORARY" if words < 3 => temporary = true,
            b"DROP" if word.eq_ignore_ascii_case("commit") => drops = true,
            b"FUNCTION" | b"PROCEDURE" if words < 3 => {
                return match tokens.next() {
                    Some(Token::Word(name) | Token::Quoted(name)) if is_pg_temp(name) => {
                        SessionEffect::changes(Change::Temporary)
                    }
                    // A body in a string has no semicolon of its own, one in BEGIN ATOMIC … END has.
                    _ => routine(tokens),
                };
            }
            _ => {}
        }
        words += 1;
        word = next;
    }
    if temporary && !drops {
        SessionEffect::changes(Change::Temporary)
    } else {
        SessionEffect::NONE
    }
}

#[cfg(test)]
mod tests;
