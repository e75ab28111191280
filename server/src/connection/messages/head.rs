//! The head of a request: whether its lines end as they must, and what body it announces.

use memchr::{memchr, memchr_iter};

/// Follows one head from line to line.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The first line has been read, or a part of it.
    begun: bool,
    /// The last byte was the carriage return of an empty line before the head.
    carriage_return: bool,
    end: End,
}

/// What is known at the end of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// The target is an absolute one without a path.
    pub(super) whole_server: bool,
}

/// How far a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Partial,
    Complete(End),
    Invalid(&'static str),
}

impl Head {
    /// Whether nothing of it has come.
    pub(super) fn is_at_start(&self) -> bool {
        !self.begun && self.partial.is_empty()
    }

    /// Reads one byte of an empty line; false if the line feed stands alone.
    pub(super) fn skip_empty_line(&mut self, byte: u8) -> bool {
        let complete = byte == b'\n';
        let valid = complete == self.carriage_return;
        self.carriage_return = !complete;
        valid
    }

    /// Reads lines, at most to the end of the head. Returns how many bytes were read. A line that is refused has a
    /// zero byte in place of its line feed, which no parser takes.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> (usize, Progress) {
        if std::mem::take(&mut self.carriage_return) {
            bytes[0] = 0;
            return (1, Progress::Invalid("a bare carriage return"));
        }
        let mut start = 0;
        let mut outcome = None;
        for end in memchr_iter(b'\n', bytes) {
            let read = if self.partial.is_empty() {
                self.line(&bytes[start..end])
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(&bytes[start..end]);
                self.line(&line)
            };
            start = end + 1;
            match read {
                Ok(false) => {}
                Ok(true) => {
                    outcome = Some(Progress::Complete(self.end));
                    break;
                }
                Err(why) => {
                    outcome = Some(Progress::Invalid(why));
                    break;
                }
            }
        }
        match outcome {
            Some(Progress::Invalid(why)) => {
                bytes[start - 1] = 0;
                (start, Progress::Invalid(why))
            }
            Some(complete) => {
                self.mend_version(bytes);
                (start, complete)
            }
            None => {
                self.mend_version(bytes);
                // hyper refuses a head that is longer than its buffer, so this ends too.
                self.partial.extend_from_slice(&bytes[start..]);
                (bytes.len(), Progress::Partial)
            }
        }
    }

    /// Reads one line without its line feed; true for the last one of the head.
    fn line(&mut self, line: &[u8]) -> Result<bool, &'static str> {
        let Some(line) = line.strip_suffix(b"\r") else { return Err("a bare line feed") };
        if !self.begun {
            self.begun = true;
            return self.first_line(line).map(|()| false);
        }
        if line.is_empty() {
            return match self.end {
                End { length: Some(_), chunked: true, .. } => Err("a length beside chunks"),
                _ => Ok(true),
            };
        }
        // Most names begin with another letter.
        if matches!(line[0], b'c' | b'C' | b't' | b'T') {
            self.header(line)?;
        }
        Ok(false)
    }

    fn first_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if memchr(b'#', line).is_some() {
            return Err("a fragment in the target");
        }
        if let Some(target) = line.strip_prefix(b"OPTIONS http") {
            let target = target.split(|byte| *byte == b' ').next().unwrap_or_default();
            let target = target.strip_prefix(b"s").unwrap_or(target);
            let authority = target.strip_prefix(b"://").unwrap_or(b"/");
            self.end.whole_server = !authority.iter().any(|byte| b"/?".contains(byte));
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let Some(colon) = memchr(b':', line) else { return Ok(()) };
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.end.length.is_some() {
                return Err("two lengths");
            }
            self.end.length = Some(number(value).ok_or("a length that is no number")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.end.chunked {
                return Err("two transfer codings");
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("a transfer coding that is not chunked");
            }
            self.end.chunked = true;
        }
        Ok(())
    }

    /// A later minor version is served as the one we know (RFC 9110 §2.5). Only a first line in one piece is mended.
    fn mend_version(&self, bytes: &mut [u8]) {
        let Some(end) = memchr(b'\n', bytes) else { return };
        if let Some([.., b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9', b'\r']) =
            bytes.get_mut(..end)
        {
            *minor = b'1';
        }
    }
}

/// A value without the white space around it (RFC 9110 §5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Digits alone: no sign, no list.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
