//! A response as a client gets it.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::difference::lines;

/// How a response came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its last byte, and the client could tell.
    Whole,
    /// Before its last byte, and the client could tell.
    BrokenOff,
}

/// A response: what a client reads, down to the byte.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names as they came, and the bytes of the values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, after any transfer coding.
    pub body: Vec<u8>,
    /// The trailers after the body.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// How it came to its end.
    pub ending: Ending,
    /// The time between the first byte of the body and the last.
    pub spread: Duration,
}

impl Response {
    /// A response that has no more than a status yet.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
            ending: Ending::Whole,
            spread: Duration::ZERO,
        }
    }

    /// The values of a header as bytes, one for each line, in order.
    #[must_use]
    pub fn bytes_of(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// The values of a header as text, one for each line, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.bytes_of(name).into_iter();
        values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The values of a header whether it came as several lines or as one with commas.
    #[must_use]
    pub fn listed(&self, name: &str) -> Vec<String> {
        let lines = self.all(name);
        lines.iter().flat_map(|line| line.split(',')).map(|value| value.trim().into()).collect()
    }

    /// The one value of a header.
    #[track_caller]
    #[must_use]
    pub fn one(&self, name: &str) -> String {
        let mut values = self.all(name);
        assert_eq!(values.len(), 1, "`{name}` must be there once, in\n{self}");
        values.remove(0)
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert!(self.status == status, "expected status {status}, found\n{self}");
        assert!(self.ending == Ending::Whole, "the body broke off, in\n{self}");
        self
    }

    /// The body as text.
    #[track_caller]
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(json) => json,
            Err(error) => panic!("the body is no JSON ({error}), in\n{self}"),
        }
    }

    /// Fails unless the status and the body, as JSON, are these; with the lines that differ.
    #[track_caller]
    pub fn expect_json(self, status: u16, body: &Value) -> Self {
        let response = self.expect(status);
        let found = response.json();
        if found != *body {
            let pretty = |json: &Value| format!("{json:#}\n");
            let lines = lines("expected", &pretty(body), "found", &pretty(&found));
            panic!("the body is another:\n{lines}");
        }
        response
    }

    /// The problem of an error's answer, after checking what all problems have.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        let response = self.expect(status);
        assert_eq!(response.one("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_slice(&response.body).expect("a problem is JSON");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        let id = problem["request_id"].as_str().unwrap_or_default();
        assert!(!id.is_empty(), "a problem names its request: {problem}");
        problem
    }
}

/// As it stands on the wire of HTTP/1.1, more or less: for a reader.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "HTTP {}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value))?;
        }
        writeln!(f, "\n{}", String::from_utf8_lossy(&self.body))?;
        if self.ending == Ending::BrokenOff {
            writeln!(f, "(the body broke off)")?;
        }
        Ok(())
    }
}
