//! The statements of MySQL and MariaDB that leave a session as it was; any other counts as one that changes it.

use super::effect::{Change, SessionEffect};
use super::forms::{asks_read_only, end, routine};
use super::keyword::{Keyword, is_one_of};
use super::lexer::{Lexer, Token};

/// The functions that change the session.
const CHANGING: &[&str] = &[
    "get_lock",
    "service_get_read_locks",
    "service_get_write_locks",
    "version_tokens_lock_exclusive",
    "version_tokens_lock_shared",
];

/// The effect of a statement with an implicit commit, if it changes nothing in the session.
const IMPLICIT_COMMIT: SessionEffect = SessionEffect { may_end: true, ..SessionEffect::NONE };

pub(super) fn of_one(first: Keyword, tokens: &mut Lexer<'_>) -> SessionEffect {
    match first.as_bytes() {
        b"SELECT" | b"WITH" | b"VALUES" | b"TABLE" | b"SHOW" | b"DESC" | b"DESCRIBE"
        | b"EXPLAIN" => SessionEffect { rows: true, query: true, ..scan(tokens, false) },
        b"CHECKSUM" | b"DELETE" | b"DO" | b"INSERT" | b"KILL" | b"REPLACE" | b"UPDATE" => {
            scan(tokens, false)
        }
        // Each of them commits first.
        b"ALTER" | b"ANALYZE" | b"CHECK" | b"GRANT" | b"OPTIMIZE" | b"RENAME" | b"REPAIR"
        | b"REVOKE" | b"TRUNCATE" => SessionEffect { may_end: true, ..scan(tokens, false) },
        b"CREATE" => create(tokens),
        b"DROP" => drop(tokens),
        // It may read into session variables.
        b"LOAD" => scan(tokens, true),
        b"BEGIN" => match tokens.keyword().as_bytes() {
            // BEGIN NOT ATOMIC, a block whose end looks like that of a statement inside it: the rest of the text is
            // unknown too.
            b"NOT" => {
                tokens.finish_text();
                SessionEffect::unknown(Change::Other)
            }
            // It commits the transaction that is open.
            _ => SessionEffect::CHAINS,
        },
        b"START" => match tokens.keyword().as_bytes() {
            b"TRANSACTION" => {
                SessionEffect { read_only: asks_read_only(tokens), ..SessionEffect::CHAINS }
            }
            _ => SessionEffect::unknown(Change::Other),
        },
        b"COMMIT" => end(tokens, true),
        b"ROLLBACK" => end(tokens, false),
        // Outside of a transaction it does nothing.
        b"SAVEPOINT" | b"RELEASE" => SessionEffect::NONE,
        b"SET" => set(tokens),
        b"CALL" => SessionEffect::unknown(Change::Call),
        b"PREPARE" | b"EXECUTE" | b"DEALLOCATE" => SessionEffect::unknown(Change::Prepare),
        b"LOCK" | b"UNLOCK" => SessionEffect::unknown(Change::Lock),
        b"USE" => SessionEffect::changes(Change::Use),
        _ => SessionEffect::unknown(Change::Other),
    }
}

/// A statement that changes the session by what it calls or assigns, if at all.
fn scan(tokens: &mut Lexer<'_>, loads: bool) -> SessionEffect {
    let mut effect = SessionEffect::NONE;
    let mut word = "";
    for token in tokens {
        match token {
            Token::Word(next) | Token::Quoted(next) => {
                effect.rows |= next.eq_ignore_ascii_case("returning");
                word = next;
                continue;
            }
            Token::Symbol(b'(') if is_one_of(word, CHANGING) => {
                effect.change = Some(Change::Function);
            }
            // SELECT … INTO @a
            Token::Symbol(b'@') if loads || word.eq_ignore_ascii_case("into") => {
                effect.change = Some(Change::Variable);
            }
            Token::Assignment => effect.change = Some(Change::Variable),
            Token::Executable => effect.change = Some(Change::Other),
            _ => {}
        }
        word = "";
    }
    effect
}

/// `SET` changes the session; also `SET TRANSACTION`, which concerns the next transaction; `SET autocommit` may
/// commit. `SET STATEMENT … FOR` of MariaDB lasts as long as the statement behind it.
fn set(tokens: &mut Lexer<'_>) -> SessionEffect {
    if tokens.keyword().as_bytes() != b"STATEMENT" {
        return SessionEffect {
            read_only: asks_read_only(tokens),
            ..SessionEffect::unknown(Change::Set)
        };
    }
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("for") => {
                let first = tokens.keyword();
                return of_one(first, tokens);
            }
            Token::Symbol(b'(') | Token::Assignment | Token::Executable => break,
            _ => {}
        }
    }
    SessionEffect::unknown(Change::Set)
}

/// What it drops may be the database that the session uses. A temporary table ends no transaction.
fn drop(tokens: &mut Lexer<'_>) -> SessionEffect {
    match tokens.keyword().as_bytes() {
        b"TEMPORARY" => SessionEffect::NONE,
        b"DATABASE" | b"SCHEMA" => SessionEffect::unknown(Change::Use),
        _ => IMPLICIT_COMMIT,
    }
}

fn create(tokens: &mut Lexer<'_>) -> SessionEffect {
    let mut words = 0;
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => match Keyword::new(word).as_bytes() {
                b"TEMPORARY" if words < 3 => return SessionEffect::changes(Change::Temporary),
                b"PROCEDURE" | b"FUNCTION" | b"TRIGGER" | b"EVENT" | b"PACKAGE" => {
                    return SessionEffect { may_end: true, ..routine(tokens) };
                }
                b"TABLE" | b"VIEW" | b"INDEX" => {
                    return SessionEffect { may_end: true, ..scan(tokens, false) };
                }
                _ => words += 1,
            },
            Token::Executable => return SessionEffect::unknown(Change::Other),
            _ => {}
        }
    }
    IMPLICIT_COMMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::settings::Kind;
    use crate::db::sql::effect;

    const NONE: SessionEffect = SessionEffect::NONE;

    fn effect_of(text: &str) -> SessionEffect {
        SessionEffect {
            rows: false,
            query: false,
            blank: false,
            commits: false,
            ..effect(text, Kind::MySql)
        }
    }

    #[test]
    fn what_leaves_the_session_as_it_was_is_known() {
        for text in [
            "SELECT 1, @a, @@version",
            "INSERT INTO t VALUES ('it\\'s; SET @a = 1')",
            "INSERT INTO t VALUES (\"it's; SET @a = 1\") # ; SET @b = 2",
            "SELECT a INTO OUTFILE '/a' FROM t",
            "SELECT /*+ MAX_EXECUTION_TIME(1000) */ a FROM t",
            "DROP TEMPORARY TABLE t",
            "DO SLEEP(1)",
            "SAVEPOINT a",
            "ROLLBACK TO a",
            "LOAD DATA LOCAL INFILE '/a' INTO TABLE t (a, b)",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "SELECT RELEASE_LOCK('a')",
        ] {
            assert_eq!(effect_of(text), NONE, "{text}");
        }
    }

    #[test]
    fn what_commits_by_itself_is_known() {
        for text in [
            "CREATE TABLE t (a int)",
            "CREATE TABLE `event` (a int)",
            "CREATE DEFINER=`a`@`b` PROCEDURE p() BEGIN SET @a = 1; SELECT 2; END",
            "CREATE PROCEDURE p() a: LOOP IF 1 THEN LEAVE a; END IF; SET @b = IF(1, 2, 3); END LOOP; SELECT 1",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.b = 1;",
            "CREATE USER a",
            "DROP TABLE t",
            "alter table t add b int",
            "TRUNCATE t",
            "RENAME TABLE t TO u",
            "GRANT SELECT ON t TO a",
            "ANALYZE TABLE t",
            "INSERT INTO t VALUES (1); DROP VIEW v",
        ] {
            assert_eq!(effect_of(text), IMPLICIT_COMMIT, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_changes_the_session() {
        for (text, change) in [
            ("SET @tenant = 1", Change::Set),
            ("SET NAMES latin1", Change::Set),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Change::Set),
            ("SET STATEMENT max_statement_time = 1 FOR SET @a = 1", Change::Set),
            ("SELECT 1; SET time_zone = '+01:00'", Change::Set),
            ("SELECT @who := 1", Change::Variable),
            ("SELECT 1 INTO @who", Change::Variable),
            ("LOAD DATA INFILE '/a' INTO TABLE t (a, @b) SET c = @b", Change::Variable),
            ("SELECT 1, get_lock('a', 1)", Change::Function),
            ("DO GET_LOCK ('a', 1)", Change::Function),
            ("LOCK TABLE t WRITE", Change::Lock),
            ("LOCK TABLES t READ", Change::Lock),
            ("FLUSH TABLES WITH READ LOCK", Change::Other),
            ("CREATE TEMPORARY TABLE t (a int)", Change::Temporary),
            ("CREATE OR REPLACE TEMPORARY TABLE t (a int)", Change::Temporary),
            ("USE shop", Change::Use),
            ("DROP DATABASE IF EXISTS shop", Change::Use),
            ("drop schema shop; create schema shop", Change::Use),
            ("PREPARE a FROM 'SELECT 1'", Change::Prepare),
            ("CALL p()", Change::Call),
            ("HANDLER t OPEN", Change::Other),
            ("XA START 'a'", Change::Other),
            ("BEGIN NOT ATOMIC SET @a = 1; END", Change::Other),
            ("SELECT 1 /*!50000 INTO @a */", Change::Other),
            ("/*!40101 SET NAMES utf8 */", Change::Other),
            ("CREATE PROCEDURE p() SELECT 1; SET @a = 1", Change::Set),
            ("CREATE PROCEDURE p() BEGIN SELECT 1; SET @a = 1", Change::Other),
            ("START SLAVE", Change::Other),
        ] {
            assert_eq!(effect_of(text).change, Some(change), "{text}");
        }
    }

    #[test]
    fn a_block_is_unknown_to_its_end_whatever_it_holds() {
        let block = effect_of("BEGIN NOT ATOMIC SET @a = 1; COMMIT; END");
        assert_eq!(block, SessionEffect::unknown(Change::Other));
    }

    #[test]
    fn beginnings_and_ends_of_transactions_are_known() {
        for (text, expected) in [
            ("BEGIN", SessionEffect::CHAINS),
            ("BEGIN WORK", SessionEffect::CHAINS),
            (
                "START TRANSACTION READ ONLY",
                SessionEffect { read_only: true, ..SessionEffect::CHAINS },
            ),
            ("COMMIT", SessionEffect::ENDS),
            ("COMMIT AND CHAIN", SessionEffect::CHAINS),
            ("COMMIT NO RELEASE", SessionEffect::ENDS),
            (
                "ROLLBACK AND NO CHAIN RELEASE",
                SessionEffect { change: Some(Change::Other), ..SessionEffect::ENDS },
            ),
            (
                "COMMIT RELEASE",
                SessionEffect { change: Some(Change::Other), ..SessionEffect::ENDS },
            ),
        ] {
            assert_eq!(effect_of(text), expected, "{text}");
        }
    }
}
