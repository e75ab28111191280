//! The effects of statements on their session, derived from their text, by the kind of database.

mod effect;
mod forms;
mod keyword;
mod known_effects;
mod lexer;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use super::settings::Kind;
pub(super) use effect::{Change, SessionEffect, effect, statements};
use keyword::Keyword;
pub(super) use known_effects::KnownEffects;
use lexer::Lexer;

/// The effect of one statement, derived from its first word and the rest.
fn of_one(kind: Kind, first: Keyword, rest: &mut Lexer<'_>) -> SessionEffect {
    match kind {
        #[cfg(feature = "postgres")]
        Kind::Postgres => postgres::of_one(first, rest),
        #[cfg(feature = "mysql")]
        Kind::MySql => mysql::of_one(first, rest),
        #[cfg(feature = "sqlite")]
        Kind::Sqlite => sqlite::of_one(first, rest),
        #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
        _ => unreachable!("no driver of this kind is there to run it"),
    }
}
