//! The effects of statements on their session that outlast them.

use super::keyword::Keyword;
use super::lexer::{Lexer, Token};
use super::of_one;
use crate::db::settings::Kind;

/// The effect of a text, of one or several statements, on its session; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::db) struct SessionEffect {
    /// Whether a transaction is open afterwards, if the text begins or ends one.
    pub(in crate::db) open: Option<bool>,
    /// It ends a transaction that was open before it.
    pub(in crate::db) ends: bool,
    /// It ends one by COMMIT.
    pub(in crate::db) commits: bool,
    /// It opens a transaction if none is open: `SAVEPOINT` on SQLite.
    pub(in crate::db) opens_if_none: bool,
    /// It may end a transaction or not: a procedure, DDL of MySQL.
    pub(in crate::db) may_end: bool,
    /// It asks for a transaction that may not write.
    pub(in crate::db) read_only: bool,
    /// It may return rows.
    pub(in crate::db) rows: bool,
    /// It is a query: reading may stop at its first row, which undoes nothing.
    pub(in crate::db) query: bool,
    /// It holds no statement at all.
    pub(in crate::db) blank: bool,
    /// It changes tables that statements may have been prepared for, and neither the server nor the driver notices.
    pub(in crate::db) alters: bool,
    /// It leaves the session changed.
    pub(in crate::db) change: Option<Change>,
}

/// The kinds of statements after which a session counts as changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Change {
    Attach,
    Call,
    Declare,
    Discard,
    Do,
    Function,
    Listen,
    Lock,
    Pragma,
    Prepare,
    Raw,
    Reset,
    Set,
    Temporary,
    Use,
    Variable,
    Other,
}

impl Change {
    /// Each with the name that metrics have for it.
    pub(in crate::db) const ALL: [(Self, &'static str); 17] = [
        (Self::Attach, "ATTACH"),
        (Self::Call, "CALL"),
        (Self::Declare, "DECLARE"),
        (Self::Discard, "DISCARD"),
        (Self::Do, "DO"),
        (Self::Function, "function"),
        (Self::Listen, "LISTEN"),
        (Self::Lock, "LOCK"),
        (Self::Pragma, "PRAGMA"),
        (Self::Prepare, "PREPARE"),
        (Self::Raw, "raw"),
        (Self::Reset, "RESET"),
        (Self::Set, "SET"),
        (Self::Temporary, "TEMPORARY"),
        (Self::Use, "USE"),
        (Self::Variable, "variable"),
        (Self::Other, "other"),
    ];
}

impl SessionEffect {
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) const BEGINS: Self = Self { open: Some(true), ..Self::NONE };
    pub(super) const ENDS: Self = Self { open: Some(false), ends: true, ..Self::NONE };
    /// It ends one and begins the next.
    pub(super) const CHAINS: Self = Self { open: Some(true), ends: true, ..Self::NONE };
    pub(in crate::db) const NONE: Self = Self {
        open: None,
        ends: false,
        commits: false,
        opens_if_none: false,
        may_end: false,
        read_only: false,
        rows: false,
        query: false,
        blank: false,
        alters: false,
        change: None,
    };

    pub(super) const fn changes(change: Change) -> Self {
        Self { change: Some(change), ..Self::NONE }
    }

    /// The effect of an unknown statement, or of one that may do anything: a procedure.
    pub(super) const fn unknown(change: Change) -> Self {
        Self { may_end: true, ..Self::changes(change) }
    }

    /// Returns whether it begins or ends a transaction.
    pub(in crate::db) fn bounds_transaction(&self) -> bool {
        self.open.is_some() || self.ends || self.opens_if_none
    }

    /// Returns whether the statement has no effect on its session.
    pub(in crate::db) fn is_none(&self) -> bool {
        Self { rows: false, query: false, blank: false, ..*self } == Self::NONE
    }

    /// The effect of this statement followed by the next one.
    fn then(self, next: Self) -> Self {
        let opens = next.opens_if_none && self.open == Some(false);
        Self {
            open: if opens { Some(true) } else { next.open.or(self.open) },
            // Also after a BEGIN of the same text: PostgreSQL ignores a BEGIN inside a transaction.
            ends: self.ends || next.ends,
            commits: self.commits || next.commits,
            opens_if_none: next.open.is_none()
                && (self.opens_if_none || next.opens_if_none && self.open.is_none()),
            may_end: self.may_end || next.may_end,
            read_only: self.read_only || next.read_only,
            rows: self.rows || next.rows,
            query: self.query && next.query,
            blank: false,
            alters: self.alters || next.alters,
            change: self.change.or(next.change),
        }
    }
}

/// The effect of a text, combined from the effect of each statement.
pub(in crate::db) fn effect(text: &str, kind: Kind) -> SessionEffect {
    let mut effect = SessionEffect { blank: true, ..SessionEffect::NONE };
    each(text, kind, |one, _| {
        effect = if effect.blank { one } else { effect.then(one) };
    });
    effect
}

/// The statements of a text.
pub(in crate::db) fn statements(text: &str, kind: Kind) -> Vec<&str> {
    let mut all = Vec::new();
    each(text, kind, |_, statement| all.push(statement));
    all
}

/// Shows each statement of a text, with its effect.
fn each<'s>(text: &'s str, kind: Kind, mut show: impl FnMut(SessionEffect, &'s str)) {
    let mut lexer = Lexer::new(text, kind);
    let mut begin = 0;
    while let Some(first) = lexer.next_statement() {
        let effect = match first {
            Token::Word(word) => of_one(kind, Keyword::new(word), &mut lexer),
            _ => SessionEffect::unknown(Change::Other),
        };
        lexer.by_ref().for_each(drop);
        show(effect, &text[begin..lexer.at()]);
        begin = lexer.at();
    }
}
