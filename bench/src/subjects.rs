//! The servers that are compared: the same responses, written as each framework's own guide does.
//!
//! All of them lie in one program, built by one profile; a process runs one of them.

mod actix;
mod axum;
mod hosted;
mod notes;
mod ours;
mod process;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use process::Subject;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An App on `anyhost-server`, with an axum Router for the routes that use the database.
    Ours,
    /// An actix-web application on `anyhost-server`, which has only `/hello`.
    Hosted,
    /// actix-web alone; deadpool-postgres for the database.
    Actix,
    /// axum; `sqlx::PgPool` with its defaults for the database.
    Axum,
}

impl Kind {
    /// The name on a command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Hosted => "hosted",
            Self::Actix => "actix",
            Self::Axum => "axum",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ours => "anyhost",
            Self::Hosted => "anyhost-actix",
            Self::Actix => "actix-web",
            Self::Axum => "axum",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Ours, Self::Hosted, Self::Actix, Self::Axum]
            .into_iter()
            .find(|kind| kind.word() == text)
            .ok_or_else(|| format!("{text:?} is not one of ours, hosted, actix and axum"))
    }
}

/// Serves on a free port until the process is killed; the address goes to stdout. With a database the
/// paths that ask it are there too.
///
/// # Errors
/// What went wrong, in a line.
pub fn serve(kind: Kind, database: Option<&str>) -> Result<(), String> {
    match kind {
        Kind::Ours => ours::serve(database),
        Kind::Hosted => hosted::serve(),
        Kind::Actix => actix::serve(database),
        Kind::Axum => axum::serve(database),
    }
}

/// The answer to `/hello`.
const HELLO: &str = "Hello, World!";

/// The body that `/json` reads and returns.
#[derive(Debug, Deserialize, Serialize)]
struct Message {
    text: String,
    numbers: Vec<u32>,
}

/// A note, as `/note` gives one, `/twenty` the same twenty times and `/list` a page of them.
#[derive(Debug, Serialize, sqlx::FromRow)]
struct Note {
    id: i64,
    title: String,
    body: String,
}

/// Asks for one note.
const ONE: &str = "SELECT id, title, body FROM notes WHERE id = $1";

/// Asks for a page of notes.
const PAGE: &str = "SELECT id, title, body FROM notes WHERE id > $1 ORDER BY id LIMIT 100";

/// The queries of one request to `/twenty`.
const TWENTY: i64 = 20;

/// The id of the note that all requests read.
const ID: i64 = 7;

/// Prints the listening address, for the process that started this one.
fn announce(address: impl fmt::Display) -> Result<(), String> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{address}").and_then(|()| stdout.flush()).map_err(|error| error.to_string())
}
