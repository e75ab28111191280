//! The statements of PostgreSQL that leave a session as it was; any other counts as one that changes it.

use super::effect::{
    Change, Effect, Keyword, Tokens, asks_read_only, commit, effect, is_one_of, rollback, routine,
};
use super::lexer::{Dialect, Token};

/// The functions that change the session for longer than the transaction. `set_config` has a rule of its own.
const CHANGING: &[&str] = &[
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "setseed",
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

/// What a text does to its session.
pub(in crate::db) fn of_postgres(text: &str) -> Effect {
    effect(text, Dialect::Postgres, of_one)
}

fn of_one(first: Keyword, tokens: &mut Tokens<'_, '_>) -> Effect {
    match first.as_bytes() {
        b"SELECT" | b"WITH" | b"VALUES" | b"TABLE" | b"SHOW" | b"FETCH" => {
            Effect { rows: true, ..scan(first, tokens) }
        }
        b"ALTER" | b"ANALYZE" | b"CHECKPOINT" | b"CLOSE" | b"CLUSTER" | b"COMMENT" | b"COPY"
        | b"DELETE" | b"DROP" | b"EXPLAIN" | b"GRANT" | b"IMPORT" | b"INSERT" | b"LOCK"
        | b"MERGE" | b"MOVE" | b"NOTIFY" | b"REASSIGN" | b"REFRESH" | b"REINDEX" | b"REVOKE"
        | b"SECURITY" | b"TRUNCATE" | b"UPDATE" | b"VACUUM" => scan(first, tokens),
        b"BEGIN" | b"START" => Effect { read_only: asks_read_only(tokens), ..Effect::BEGINS },
        b"COMMIT" | b"END" => commit(tokens),
        b"ROLLBACK" | b"ABORT" => rollback(tokens),
        // Outside of a transaction they are errors.
        b"SAVEPOINT" | b"RELEASE" => Effect::NONE,
        b"SET" => set(tokens),
        b"CREATE" => create(tokens),
        b"DECLARE" => declare(tokens),
        b"PREPARE" => match tokens.keyword().as_bytes() {
            b"TRANSACTION" => Effect::ENDS,
            _ => Effect::changes(Change::Prepare),
        },
        b"EXECUTE" | b"DEALLOCATE" => Effect::unknown(Change::Prepare),
        b"LISTEN" | b"UNLISTEN" => Effect::changes(Change::Listen),
        b"RESET" => Effect::changes(Change::Reset),
        b"DISCARD" => Effect::changes(Change::Discard),
        b"CALL" => Effect::unknown(Change::Call),
        b"DO" => Effect::unknown(Change::Do),
        _ => Effect::unknown(Change::Other),
    }
}

/// A statement that changes the session by what it calls or by where it puts its rows, if at all.
fn scan(first: Keyword, tokens: &mut Tokens<'_, '_>) -> Effect {
    let mut effect = Effect::NONE;
    let (mut updates, mut settings) = (first.as_bytes() == b"UPDATE", false);
    let explains = first.as_bytes() == b"EXPLAIN";
    let (mut before, mut word) = ("", "");
    while let Some(token) = tokens.next() {
        let (Token::Word(next) | Token::Quoted(next)) = token else {
            if token == Token::Symbol(b'(') && changes(word, tokens) {
                effect.change = Some(Change::Function);
            }
            (before, word) = ("", "");
            continue;
        };
        // SELECT … INTO TEMP t, which INSERT INTO temp is not.
        if word.eq_ignore_ascii_case("into")
            && is_one_of(next, &["temp", "temporary", "local", "global", "pg_temp"])
            && !is_one_of(before, &["insert", "merge"])
            && first.as_bytes() != b"INSERT"
            && first.as_bytes() != b"MERGE"
        {
            effect.change = Some(Change::Temporary);
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
fn changes(function: &str, tokens: &mut Tokens<'_, '_>) -> bool {
    if !function.eq_ignore_ascii_case("set_config") {
        return is_one_of(function, CHANGING);
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

/// What follows `SET`: what it sets for the transaction ends with it.
fn set(tokens: &mut Tokens<'_, '_>) -> Effect {
    let Some(Token::Word(second)) = tokens.next() else { return Effect::changes(Change::Set) };
    let change = match Keyword::of(second).as_bytes() {
        b"LOCAL" | b"TRANSACTION" | b"CONSTRAINTS" => None,
        _ => Some(Change::Set),
    };
    let name = match tokens.peek() {
        Some(Token::Word(third)) if change.is_none() => third,
        _ => second,
    };
    let named = is_one_of(name, &["transaction_read_only", "default_transaction_read_only"]);
    let read_only = named || asks_read_only(tokens);
    Effect { read_only, change, ..Effect::NONE }
}

fn create(tokens: &mut Tokens<'_, '_>) -> Effect {
    let (mut temporary, mut drops) = (false, false);
    let (mut words, mut word) = (0, "");
    while let Some(token) = tokens.next() {
        let (Token::Word(next) | Token::Quoted(next)) = token else {
            if token == Token::Symbol(b'(') && changes(word, tokens) {
                return Effect::changes(Change::Function);
            }
            if token == Token::Symbol(b'(') {
                // What follows are names of others.
                words = 3;
            }
            word = "";
            continue;
        };
        let is_pg_temp = |word: &str| word.eq_ignore_ascii_case("pg_temp");
        match Keyword::of(next).as_bytes() {
            b"PG_TEMP" => return Effect::changes(Change::Temporary),
            b"TEMP" | b"TEMPORARY" if words < 3 => temporary = true,
            b"DROP" if word.eq_ignore_ascii_case("commit") => drops = true,
            b"FUNCTION" | b"PROCEDURE" if words < 3 => {
                return match tokens.next() {
                    Some(Token::Word(name) | Token::Quoted(name)) if is_pg_temp(name) => {
                        Effect::changes(Change::Temporary)
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
    if temporary && !drops { Effect::changes(Change::Temporary) } else { Effect::NONE }
}

/// A cursor ends with its transaction, unless it is declared `WITH HOLD`.
fn declare(tokens: &mut Tokens<'_, '_>) -> Effect {
    let mut word = "";
    let mut effect = Effect::NONE;
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(next) => {
                if word.eq_ignore_ascii_case("with") && next.eq_ignore_ascii_case("hold") {
                    effect = Effect::changes(Change::Declare);
                }
                word = next;
            }
            Token::Symbol(b'(') if changes(word, tokens) => {
                effect = Effect::changes(Change::Function);
            }
            _ => word = "",
        }
    }
    effect
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Effect = Effect::NONE;

    fn of(text: &str) -> Effect {
        Effect { rows: false, ..of_postgres(text) }
    }

    #[test]
    fn what_leaves_the_session_as_it_was_is_known() {
        for text in [
            "SELECT 1",
            "(SELECT 1) UNION (SELECT 2)",
            "-- only a comment",
            "",
            ";;",
            "INSERT INTO t VALUES ('a; SET search_path = b')",
            "INSERT INTO temp VALUES (1) RETURNING a",
            "WITH moved AS (DELETE FROM a RETURNING *) INSERT INTO temp SELECT * FROM moved",
            "UPDATE settings SET a = 1",
            "SELECT * INTO kept FROM t",
            "SELECT setting FROM pg_settings",
            "SELECT pg_advisory_xact_lock(1), pg_advisory_unlock(2)",
            "SELECT set_config('app.tenant', $1, true), pg_catalog.set_config('a', f(1, 2), 't'::bool)",
            "SELECT current_setting('search_path'), is_locked(1), f(2)",
            "SET LOCAL lock_timeout = 1",
            "SET CONSTRAINTS ALL DEFERRED",
            "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
            "CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT 1",
            "CREATE TABLE t (temp int)",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SET x = 1; SELECT 1 $$",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 1",
            "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1",
            "FETCH 1 FROM c",
            "SAVEPOINT a",
            "ROLLBACK TO SAVEPOINT a",
            "ROLLBACK WORK TO a",
            "COMMIT PREPARED 'a'",
            "EXPLAIN ANALYZE SELECT 1",
            "COPY t FROM STDIN",
            "NOTIFY a, 'set b = 1; set c'",
        ] {
            assert_eq!(of(text), NONE, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_changes_the_session() {
        for (text, change) in [
            ("SET search_path = a", Change::Set),
            ("set\tsearch_path = a;", Change::Set),
            ("/* a tool's name */ SET SESSION search_path = elsewhere", Change::Set),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                Change::Set,
            ),
            ("SET ROLE a", Change::Set),
            ("BEGIN; SET TIME ZONE 'UTC'; COMMIT", Change::Set),
            ("UPDATE pg_catalog.pg_settings SET setting = 'a' WHERE name = 'b'", Change::Set),
            ("RESET ALL", Change::Reset),
            ("DISCARD ALL", Change::Discard),
            ("CREATE TEMP TABLE t (a int)", Change::Temporary),
            ("CREATE LOCAL TEMPORARY TABLE t (a int)", Change::Temporary),
            ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", Change::Temporary),
            ("CREATE TABLE pg_temp.t (a int)", Change::Temporary),
            ("CREATE TABLE \"pg_temp\".t (a int)", Change::Temporary),
            (
                "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                Change::Temporary,
            ),
            ("SELECT 1 AS a INTO TEMP t", Change::Temporary),
            ("WITH a AS (SELECT 1) SELECT * INTO TEMPORARY t FROM a", Change::Temporary),
            ("SELECT pg_advisory_lock(1)", Change::Function),
            ("SELECT PG_ADVISORY_LOCK (1)", Change::Function),
            ("SELECT \"pg_advisory_lock\"(1)", Change::Function),
            ("SELECT pg_try_advisory_lock_shared(1), pg_advisory_xact_lock(2)", Change::Function),
            ("INSERT INTO t SELECT setseed(0)", Change::Function),
            ("SELECT set_config('app.tenant', $1, false)", Change::Function),
            ("SELECT set_config('app.tenant', $1, $2)", Change::Function),
            ("SELECT set_config('a', 'true', not true)", Change::Function),
            ("SELECT set_config('a', pg_advisory_lock(1)::text, true)", Change::Function),
            ("LISTEN news", Change::Listen),
            ("PREPARE a AS SELECT 1", Change::Prepare),
            ("DEALLOCATE ALL", Change::Prepare),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Change::Declare),
            ("CALL f()", Change::Call),
            ("DO $$ BEGIN END $$", Change::Do),
            ("LOAD 'auto_explain'", Change::Other),
            ("EXPLAIN ANALYZE EXECUTE a", Change::Other),
            ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", Change::Other),
            ("FROBNICATE", Change::Other),
            ("SELECT 1; ; FROBNICATE", Change::Other),
            ("'a'", Change::Other),
        ] {
            assert_eq!(of(text).change, Some(change), "{text}");
        }
    }

    #[test]
    fn beginnings_and_ends_of_transactions_are_known() {
        let read_only = Effect { read_only: true, ..NONE };
        for (text, expected) in [
            ("  begin", Effect::BEGINS),
            ("-- a comment\n-- and another\nbegin", Effect::BEGINS),
            ("START TRANSACTION READ ONLY", Effect { read_only: true, ..Effect::BEGINS }),
            ("SET TRANSACTION READ ONLY", read_only),
            ("SET LOCAL transaction_read_only = on", read_only),
            ("COMMIT", Effect::ENDS),
            ("END TRANSACTION", Effect::ENDS),
            ("ABORT", Effect::ENDS),
            ("ROLLBACK", Effect::ENDS),
            ("PREPARE TRANSACTION 'a'", Effect::ENDS),
            ("COMMIT AND CHAIN", Effect::CHAINS),
            ("ROLLBACK WORK AND CHAIN", Effect::CHAINS),
            ("COMMIT AND NO CHAIN", Effect::ENDS),
            ("COMMIT; BEGIN", Effect::CHAINS),
            ("BEGIN; INSERT INTO t VALUES (1); COMMIT", Effect { open: Some(false), ..NONE }),
            ("ROLLBACK; BEGIN; COMMIT", Effect::ENDS),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn statements_that_return_rows_are_known() {
        for text in ["SELECT 1", "with a as (select 1) select 2", "DELETE FROM t RETURNING a"] {
            assert!(of_postgres(text).rows, "{text}");
        }
        assert!(!of_postgres("INSERT INTO t VALUES ('returning')").rows);
    }
}
