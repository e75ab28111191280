//! The headers of the last request of a connection, for the next one: mostly they are the same.
//!
//! A client that keeps its connection says who it is and what it accepts with every request. What was
//! checked and copied once is taken again as long as not one byte of any header differs.

use actix_http::header as old;
use bytes::Bytes;
use http::HeaderMap;

/// Headers that take more bytes than this are not kept while a connection is idle.
const MOST_BYTES: usize = 2048;

/// After so many different heads in a row a connection is taken for one that serves many clients, and
/// nothing more is kept.
const MOST_MISSES: u8 = 4;

/// The last headers of one connection.
#[derive(Debug, Default)]
pub(crate) struct Repeat {
    /// As actix had them, in the order it gives them.
    sent: Vec<(old::HeaderName, Bytes)>,
    headers: HeaderMap,
    misses: u8,
}

impl Repeat {
    /// The headers made of the last head, where this one is the same.
    pub(super) fn recall(&mut self, from: &old::HeaderMap) -> Option<HeaderMap> {
        let same = self.sent.len() == from.len()
            && !self.sent.is_empty()
            && from.iter().zip(&self.sent).all(|((name, value), (last, bytes))| {
                // The bytes first: they differ sooner.
                value.as_bytes() == bytes && name == last
            });
        if same {
            self.misses = 0;
            return Some(self.headers.clone());
        }
        self.sent.clear();
        None
    }

    /// Keeps the headers that were made of a head.
    pub(super) fn remember(
        &mut self,
        sent: impl Iterator<Item = (old::HeaderName, Bytes)>,
        length: usize,
        headers: &HeaderMap,
    ) {
        if self.misses < MOST_MISSES && length <= MOST_BYTES {
            self.misses += 1;
            self.sent.extend(sent);
            self.headers = headers.clone();
        } else if !self.headers.is_empty() {
            *self = Self { misses: self.misses, ..Self::default() };
        }
    }
}
