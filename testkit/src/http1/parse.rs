//! Parses HTTP/1.1 responses, as strictly as a client may (RFC 9112).

use super::Chunk;
use crate::{Ending, Response};

/// The one response of a connection to a request with this method.
///
/// # Errors
/// What a strict client would not have understood.
pub fn one(method: &str, chunks: &[Chunk]) -> Result<Response, String> {
    let bytes: Vec<u8> = chunks.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let mut reader = Reader { bytes: &bytes, at: 0 };
    let (mut response, body_at) = reader.response(method == "HEAD")?;
    if reader.at < bytes.len() {
        let left = String::from_utf8_lossy(&bytes[reader.at..]);
        return Err(format!("bytes after the response: {left:?}"));
    }
    let mut end = 0;
    let mut arrivals = chunks.iter().filter(|(_, bytes)| {
        end += bytes.len();
        end > body_at
    });
    if let Some((first, _)) = arrivals.next() {
        response.spread = arrivals.last().map_or(*first, |(last, _)| *last) - *first;
    }
    Ok(response)
}

/// All responses of a connection, none of them to HEAD.
///
/// # Errors
/// What a strict client would not have understood.
pub fn all(chunks: &[Chunk]) -> Result<Vec<Response>, String> {
    let bytes: Vec<u8> = chunks.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let mut reader = Reader { bytes: &bytes, at: 0 };
    let mut responses = Vec::new();
    while reader.at < bytes.len() {
        responses.push(reader.response(false)?.0);
    }
    Ok(responses)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next final response, and where its body begins.
    fn response(&mut self, to_head: bool) -> Result<(Response, usize), String> {
        loop {
            let status = self.status_line()?;
            let mut response = Response::new(status);
            response.headers = self.fields()?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let body_at = self.at;
            if status == 101 {
                // What follows is another protocol.
                response.body = self.bytes[body_at..].to_vec();
                self.at = self.bytes.len();
                return Ok((response, body_at));
            }
            if to_head || [204, 304].contains(&status) {
                return Ok((response, body_at));
            }
            self.body(&mut response)?;
            return Ok((response, body_at));
        }
    }

    fn status_line(&mut self) -> Result<u16, String> {
        let line = text(self.line()?)?;
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| line.strip_prefix("HTTP/1.0 "))
            .filter(|rest| rest.len() >= 4 && rest.as_bytes()[3] == b' ')
            .and_then(|rest| rest[..3].parse().ok());
        status.ok_or_else(|| format!("no status line: {line:?}"))
    }

    fn fields(&mut self) -> Result<Vec<(String, Vec<u8>)>, String> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let colon = line.iter().position(|byte| *byte == b':');
            let colon = colon.ok_or_else(|| format!("a header without a colon: {line:?}"))?;
            let name = text(&line[..colon])?;
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(format!("no header name: {name:?}"));
            }
            let value = line[colon + 1..].trim_ascii();
            if value.iter().any(|byte| *byte < b' ' && *byte != b'\t' || *byte == 0x7f) {
                return Err(format!("a control character in the value of {name}"));
            }
            fields.push((name.to_owned(), value.to_vec()));
        }
    }

    fn body(&mut self, response: &mut Response) -> Result<(), String> {
        let lengths = response.all("content-length");
        let codings = response.all("transfer-encoding");
        match (lengths.as_slice(), codings.as_slice()) {
            ([], [coding]) if coding == "chunked" => self.chunks(response),
            ([length], []) => {
                let length: usize = length.parse().map_err(|_| format!("length {length:?}"))?;
                self.data(response, length);
                Ok(())
            }
            // Without a length the body ends with the connection, so a truncated body looks complete:
            // a server of HTTP/1.1 must not send one.
            ([], []) if self.at == self.bytes.len() => {
                Err("neither a length nor a transfer coding".into())
            }
            _ => Err(format!("lengths {lengths:?} and codings {codings:?}")),
        }
    }

    fn chunks(&mut self, response: &mut Response) -> Result<(), String> {
        loop {
            let Ok(line) = self.line() else {
                response.ending = Ending::BrokenOff;
                return Ok(());
            };
            let line = text(line)?;
            let size = usize::from_str_radix(line, 16).map_err(|_| format!("chunk {line:?}"))?;
            if size == 0 {
                response.trailers = self.fields()?;
                return Ok(());
            }
            self.data(response, size);
            match self.line() {
                Ok([]) => {}
                Ok(_) => return Err("a chunk is longer than it said".into()),
                Err(_) => response.ending = Ending::BrokenOff,
            }
            if response.ending == Ending::BrokenOff {
                return Ok(());
            }
        }
    }

    fn data(&mut self, response: &mut Response, length: usize) {
        let end = (self.at + length).min(self.bytes.len());
        response.body.extend_from_slice(&self.bytes[self.at..end]);
        if end - self.at < length {
            response.ending = Ending::BrokenOff;
        }
        self.at = end;
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                self.at += end + 2;
                Ok(&rest[..end])
            }
            None => Err(format!("the connection ended in a line: {:?}", text(rest))),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("not text: {bytes:?}"))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn parse(text: &str) -> Result<Response, String> {
        one("GET", &[(Instant::now(), text.as_bytes().to_vec())])
    }

    #[test]
    fn what_a_strict_client_refuses_is_refused() {
        for (text, why) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "neither a length"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", "lengths"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
                "lengths",
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!", "bytes after"),
            ("HTTP/1.1 204 No Content\r\n\r\nx", "bytes after"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n", "longer"),
            ("HTTP/1.1 200 OK\nx: y\n\n", "ended in a line"),
            ("HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", "no header name"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{error}, for {text:?}");
        }
    }

    #[test]
    fn a_body_that_is_cut_is_broken_off() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\npart",
        ] {
            let response = parse(text).expect(text);
            assert_eq!(
                (response.ending, response.body.as_slice()),
                (Ending::BrokenOff, &b"part"[..])
            );
        }
    }
}
