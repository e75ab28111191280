//! A request that is being answered, as its connection and the counts know it.

use std::rc::Rc;
use std::time::Instant;

use anyhost_core::{InFlight, Life};

use crate::connection::Conn;
use crate::metrics::Method;

/// A request that is being answered, from its head to the last byte of its response.
pub(super) struct Active {
    conn: Rc<Conn>,
    /// Counts the request as work where its connection does not.
    _guard: Option<InFlight>,
    /// What is counted of it once it has a status, where somebody reads the counts.
    counted: Option<(Method, Option<Instant>)>,
}

impl Active {
    pub(super) fn begin(conn: &Rc<Conn>, life: &Life, method: &str) -> Self {
        conn.begin(|| life.enter());
        Self { conn: Rc::clone(conn), _guard: None, counted: counted(conn, method) }
    }

    /// The same for one of the requests that a connection of HTTP/2 carries at once.
    pub(super) fn begin_stream(conn: &Rc<Conn>, life: &Life, method: &str) -> Self {
        conn.begin_stream();
        let guard = Some(life.enter());
        Self { conn: Rc::clone(conn), _guard: guard, counted: counted(conn, method) }
    }

    /// Nothing that follows on the connection is answered.
    pub(super) fn is_last(&self) {
        self.conn.refuse();
    }

    /// It is a platform's and no work: it is not counted.
    pub(super) fn is_probe(&mut self) {
        self.counted = None;
    }

    /// The App is asked from here on.
    pub(super) fn asks(&mut self) {
        if let Some((_, asked)) = &mut self.counted {
            *asked = Some(Instant::now());
        }
    }

    /// It has a response.
    pub(super) fn has_status(&mut self, status: u16) {
        self.count(Some(status));
    }

    fn count(&mut self, status: Option<u16>) {
        if let (Some((method, asked)), Some(counts)) = (self.counted.take(), self.conn.counts()) {
            counts.answered(method, status);
            if let (Some(asked), Some(_)) = (asked, status) {
                counts.took(asked.elapsed());
            }
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.count(None);
        self.conn.end();
    }
}

fn counted(conn: &Conn, method: &str) -> Option<(Method, Option<Instant>)> {
    conn.counts().map(|_| (Method::of(method), None))
}
