//! The effects of statements on their session, derived from their text, by the kind of database.

mod effect;
mod forms;
mod known_effects;
mod lexer;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tokens;

pub(super) use effect::{Change, Effect};
pub(super) use known_effects::KnownEffects;
#[cfg(feature = "mysql")]
pub(super) use mysql::of_mysql;
#[cfg(feature = "postgres")]
pub(super) use postgres::{of_postgres, statements_of_postgres};
#[cfg(feature = "sqlite")]
pub(super) use sqlite::{of_sqlite, statements_of_sqlite};
