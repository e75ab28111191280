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
                Some(b'c' | b'C') => self.length(line)?,
                Some(b't' | b'T') => self.coding(line)?,
                Some(_) => {}
            }
            self.line = end + 1;
        }
        Ok(None)
    }

    fn length(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let Some(value) = value(line, b"content-length") else { return Ok(()) };
        let length = number(value).ok_or("a length that is no number")?;
        self.length.replace(length).map_or(Ok(()), |_| Err("two lengths"))
    }

    fn coding(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let Some(value) = value(line, b"transfer-encoding") else { return Ok(()) };
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err("a transfer coding that is not chunked");
        }
        let before = std::mem::replace(&mut self.chunked, true);
        if before { Err("two transfer codings") } else { Ok(()) }
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

/// Returns the value of a header of this name. hyper refuses white space in it that is no space or tab.
fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (begin, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    begin.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// Reads a length. hyper refuses the sign that this would take.
fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
