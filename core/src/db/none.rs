//! No database errors: what `db` is without the feature of the same name.

use std::fmt;

use crate::Exit;

/// No error of a database can happen.
#[derive(Debug)]
pub(crate) enum Error {}

impl Error {
    pub(crate) fn exit(&self) -> Option<Exit> {
        match *self {}
    }

    pub(crate) fn to_response(&self) -> crate::Error {
        match *self {}
    }

    pub(crate) fn quotes_its_cause(&self) -> bool {
        match *self {}
    }
}

impl fmt::Display for Error {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for Error {}
