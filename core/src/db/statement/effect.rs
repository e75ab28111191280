//! What statements do to their session for longer than they run.

use super::lexer::{Dialect, Lexer, Token};

/// What a text of one statement or several does to its session; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Whether a transaction is open afterwards, where the text begins or ends one.
    pub(in crate::db) open: Option<bool>,
    /// It ends a transaction that was open before it.
    pub(in crate::db) ends: bool,
    /// It opens a transaction where none is open: `SAVEPOINT` on SQLite.
    pub(in crate::db) opens_if_none: bool,
    /// It may end a transaction or not: a procedure.
    pub(in crate::db) may_end: bool,
    /// It asks for a transaction that may not write.
    pub(in crate::db) read_only: bool,
    /// It may return rows.
    pub(in crate::db) rows: bool,
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

impl Effect {
    pub(super) const BEGINS: Self = Self { open: Some(true), ..Self::NONE };
    pub(super) const ENDS: Self = Self { open: Some(false), ends: true, ..Self::NONE };
    /// It ends one and begins the next.
    pub(super) const CHAINS: Self = Self { open: Some(true), ends: true, ..Self::NONE };
    pub(in crate::db) const NONE: Self = Self {
        open: None,
        ends: false,
        opens_if_none: false,
        may_end: false,
        read_only: false,
        rows: false,
        change: None,
    };

    pub(super) const fn changes(change: Change) -> Self {
        Self { change: Some(change), ..Self::NONE }
    }

    /// That of a statement which is not known, or whose doings are not: a procedure.
    pub(super) const fn unknown(change: Change) -> Self {
        Self { may_end: true, ..Self::changes(change) }
    }

    /// Whether nothing has to be remembered of it.
    pub(in crate::db) fn is_none(&self) -> bool {
        matches!(
            self,
            Self {
                open: None,
                ends: false,
                opens_if_none: false,
                may_end: false,
                read_only: false,
                rows: _,
                change: None
            }
        )
    }

    /// This one, and then the other.
    fn then(self, next: Self) -> Self {
        let opens = next.opens_if_none && self.open == Some(false);
        Self {
            open: if opens { Some(true) } else { next.open.or(self.open) },
            // What ends a transaction that the text itself has begun ends no other.
            ends: self.ends || next.ends && self.open != Some(true),
            opens_if_none: next.open.is_none()
                && (self.opens_if_none || next.opens_if_none && self.open.is_none()),
            may_end: self.may_end || next.may_end,
            read_only: self.read_only || next.read_only,
            rows: self.rows || next.rows,
            change: self.change.or(next.change),
        }
    }
}

/// The tokens of one statement: up to its semicolon.
pub(super) struct Tokens<'l, 's> {
    lexer: &'l mut Lexer<'s>,
    ended: bool,
}

impl<'s> Tokens<'_, 's> {
    /// The next keyword, in capitals, where that is what comes next.
    pub(super) fn keyword(&mut self) -> Keyword {
        match self.next() {
            Some(Token::Word(word)) => Keyword::of(word),
            _ => Keyword::default(),
        }
    }

    /// What comes next, without going there.
    pub(super) fn peek(&self) -> Option<Token<'s>> {
        if self.ended { None } else { self.lexer.clone().next() }.filter(|token| !ends(*token))
    }

    /// Whether one of these words is among what is left.
    pub(super) fn any(&mut self, words: &[&str]) -> bool {
        Iterator::any(self, |token| matches!(token, Token::Word(word) if is_one_of(word, words)))
    }

    /// Goes to the end of the whole text; whether there was another statement, or what looks like one.
    pub(super) fn finish_text(&mut self) -> bool {
        self.ended = true;
        self.lexer.by_ref().any(|token| !ends(token))
    }

    /// Goes on past a semicolon that ends no statement, where the text does.
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
    pub(super) fn of(word: &str) -> Self {
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

/// What a text does, by what this says of each statement: its first word and what follows.
pub(super) fn effect(
    text: &str,
    dialect: Dialect,
    of_one: impl Fn(Keyword, &mut Tokens<'_, '_>) -> Effect,
) -> Effect {
    let mut lexer = Lexer::new(text, dialect);
    let mut effect = Effect::NONE;
    let mut first = true;
    while let Some(token) = lexer.next() {
        let one = match token {
            // (SELECT 1) UNION (SELECT 2)
            Token::Symbol(b';' | b'(') => continue,
            Token::Word(word) => {
                let mut tokens = Tokens { lexer: &mut lexer, ended: false };
                let one = of_one(Keyword::of(word), &mut tokens);
                for _ in tokens {}
                one
            }
            _ => Effect::unknown(Change::Other),
        };
        effect = if first { one } else { effect.then(one) };
        first = false;
    }
    effect
}

/// `COMMIT`, `END`: it may go on with a transaction like the last.
pub(super) fn commit(tokens: &mut Tokens<'_, '_>) -> Effect {
    match Ending::of(tokens) {
        Ending::Prepared => Effect::NONE,
        Ending::Chain => Effect::CHAINS,
        Ending::Plain | Ending::ToSavepoint => Effect::ENDS,
    }
}

/// `ROLLBACK`, `ABORT`: it may go back to a savepoint.
pub(super) fn rollback(tokens: &mut Tokens<'_, '_>) -> Effect {
    match Ending::of(tokens) {
        Ending::Prepared | Ending::ToSavepoint => Effect::NONE,
        Ending::Chain => Effect::CHAINS,
        Ending::Plain => Effect::ENDS,
    }
}

enum Ending {
    Plain,
    Chain,
    ToSavepoint,
    Prepared,
}

impl Ending {
    fn of(tokens: &mut Tokens<'_, '_>) -> Self {
        let mut refused = false;
        loop {
            match tokens.keyword().as_bytes() {
                b"PREPARED" => return Self::Prepared,
                b"TO" => return Self::ToSavepoint,
                b"NO" => refused = true,
                b"CHAIN" if !refused => return Self::Chain,
                b"WORK" | b"TRANSACTION" | b"AND" => {}
                _ => return Self::Plain,
            }
        }
    }
}

/// Whether what is left asks for a transaction that may not write: `READ ONLY`.
pub(super) fn asks_read_only(tokens: &mut Tokens<'_, '_>) -> bool {
    let mut read = false;
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) if read && word.eq_ignore_ascii_case("only") => return true,
            Token::Word(word) => read = word.eq_ignore_ascii_case("read"),
            _ => read = false,
        }
    }
    false
}

/// A function, a procedure or a trigger, whose body may hold semicolons: it ends where each `BEGIN`, `CASE`, `IF` and
/// loop of it has met its `END`. Where that cannot be told, what follows might be anything.
pub(super) fn routine(tokens: &mut Tokens<'_, '_>) -> Effect {
    let mut depth = 0_usize;
    let mut before = Keyword::default();
    // Where a statement may begin: IF and REPEAT are functions elsewhere.
    let mut begins = false;
    loop {
        while let Some(token) = tokens.next() {
            let Token::Word(word) = token else {
                begins = token == Token::Symbol(b':');
                before = Keyword::default();
                continue;
            };
            let word = Keyword::of(word);
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
            return Effect::NONE;
        }
        // The semicolon stood inside the body.
        if !tokens.go_on() {
            return Effect::unknown(Change::Other);
        }
        (before, begins) = (Keyword::default(), true);
    }
}
