//! The head of a request: whether its lines end as they must, and which body it announces.

use memchr::{memchr, memchr_iter};

use super::Message;
use super::chunks::Chunks;

/// What is known of a head that is being read.
#[derive(Debug, Default)]
pub(in crate::connection) struct Head {
    /// Where the first line begins that is incomplete.
    line: usize,
    length: Option<u64>,
    chunked: bool,
}

impl Head {
    /// Returns the length of the head and what follows it; `None` if it is incomplete.
    ///
    /// # Errors
    /// If two servers could read the head differently.
    pub(super) fn read(
        &mut self,
        bytes: &mut [u8],
    ) -> Result<Option<(usize, Message)>, &'static str> {
        if self.line == 0 {
            let Some(end) = memchr(b'\n', bytes) else { return Ok(None) };
            request_line(&mut bytes[..end])?;
            self.line = end + 1;
        }
        let begin = self.line;
        for end in memchr_iter(b'\n', &bytes[begin..]).map(|end| begin + end) {
            let line = without_return(&bytes[self.line..end])?;
            match line.first() {
                None => return Ok(Some((end + 1, self.body()?))),
                // Most names begin with another letter.
                Some(b'c' | b'C' | b't' | b'T') => self.header(line)?,
                Some(_) => {}
            }
            self.line = end + 1;
        }
        Ok(None)
    }

    fn header(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let Some(colon) = memchr(b':', line) else { return Ok(()) };
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = number(value).ok_or("a length that is no number")?;
            if self.length.replace(length).is_some() {
                return Err("two lengths");
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("a transfer coding that is not chunked");
            }
            if std::mem::replace(&mut self.chunked, true) {
                return Err("two transfer codings");
            }
        }
        Ok(())
    }

    fn body(&self) -> Result<Message, &'static str> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err("a length beside chunks"),
            (true, None) => Ok(Message::Chunks(Chunks::default())),
            (false, None | Some(0)) => Ok(Message::Complete),
            (false, Some(length)) => Ok(Message::Length(length)),
        }
    }
}

/// Checks the first line of a head, up to its line feed.
fn request_line(line: &mut [u8]) -> Result<(), &'static str> {
    if memchr(b'#', without_return(line)?).is_some() {
        return Err("a fragment in the target");
    }
    // A later minor version is served as the one that is known (RFC 9110 §2.5).
    if let [.., b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9', b'\r'] = line {
        *minor = b'1';
    }
    Ok(())
}

fn without_return(line: &[u8]) -> Result<&[u8], &'static str> {
    line.strip_suffix(b"\r").ok_or("a bare line feed")
}

/// Returns a value without the white space around it (RFC 9110 §5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Reads a length. hyper refuses the sign that this would take.
fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
