//! Where requests begin and end in the bytes of an HTTP/1.1 connection.
//!
//! actix's parser takes a bare line feed for the end of a line. A server in front that does not sees other
//! headers than we do, and what two servers read differently is how requests are smuggled. So the bytes
//! are watched on their way to the parser: a bare line feed in a head becomes a zero byte, which the parser
//! refuses with 400, as it does what follows an endless line among chunks. Knowing where requests end also tells
//! how far a client is ahead of its answers.
//!
//! Long because one state machine says all of it.

use memchr::{memchr, memchr_iter};

/// Follows the bytes of one connection from request to request.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The line is the first of its head.
    begun: bool,
    follows: Follows,
    ahead: usize,
    /// Bytes of the trailers that have come.
    trailers: usize,
    last: Block,
}

/// The header lines of the last head that came in one piece, to know them again.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    follows: Follows,
    /// Tells this block from those before it.
    number: u64,
}

/// What was read of the heads of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Heads {
    /// No head has ended.
    #[default]
    None,
    /// One head, whose header lines are known by this number; the same number means the same bytes.
    One(u64),
    /// One that is not known again, or several.
    Other,
}

/// What a line was.
enum Line {
    Read,
    /// The last of its head.
    Head,
    /// The last of something else.
    Last,
    /// One in a head whose line feed stands alone.
    Bare,
}

/// Why no more lines are read.
enum End {
    /// There are no more, or something follows that has none.
    None,
    /// A head ended; the number that its header lines are known by, where they are.
    Head(Option<u64>),
    /// The last byte is a bare line feed.
    Bare,
    /// The lines around chunks are longer than anybody needs.
    Long,
}

/// Header lines that take more bytes than this are not kept.
const MOST_KEPT: usize = 2048;

/// The most bytes of a line that begins a chunk, whose extensions have no bound of their own.
const LONGEST_CHUNK_LINE: usize = 4 * 1024;

/// The most bytes of all trailers of a request, which nobody is given.
const MOST_TRAILERS: usize = 16 * 1024;

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    /// Bytes of a body with a length that are to come.
    Body(u64),
    ChunkSize,
    /// Bytes of a chunk and its line end that are to come.
    Chunk(u64),
    Trailer,
    /// From here on nothing is a request: the connection was handed over or is about to be closed.
    Through,
    /// From here on nothing is anything: the parser gets zero bytes, which it refuses.
    Spoilt,
}

/// What follows the head that is being read.
#[derive(Clone, Copy, Debug, Default)]
enum Follows {
    #[default]
    Nothing,
    Body(u64),
    Chunks,
    Through,
}

impl Framing {
    /// Watches bytes that have come, and spoils the line end that nobody should send. `busy` says that a
    /// request was being answered when they came.
    pub(super) fn watch(&mut self, bytes: &mut [u8], busy: bool) -> Heads {
        let mut at = 0;
        let mut heads = Heads::None;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            let length = rest.len();
            let in_head = matches!(self.state, State::Head);
            let now = match self.state {
                State::Through => length,
                State::Spoilt => {
                    rest.fill(0);
                    length
                }
                State::Body(left) => {
                    let now = left.min(length as u64);
                    self.state = if left == now { State::Head } else { State::Body(left - now) };
                    now as usize
                }
                State::Chunk(left) => {
                    let now = left.min(length as u64);
                    self.state =
                        if left == now { State::ChunkSize } else { State::Chunk(left - now) };
                    now as usize
                }
                State::Head | State::ChunkSize | State::Trailer => {
                    let whole = in_head && !self.begun && self.partial.is_empty();
                    let (read, end) = if whole { self.head(rest) } else { self.lines(rest) };
                    match end {
                        End::None => {}
                        End::Bare => rest[read - 1] = 0,
                        End::Long => {
                            // A line that ends without its line feed is refused wherever it stands.
                            rest.fill(0);
                            rest[0] = b'\r';
                            self.partial = Vec::new();
                            self.state = State::Spoilt;
                            self.ahead = 0;
                            return heads;
                        }
                        End::Head(number) => {
                            heads = match (number, heads) {
                                (Some(number), Heads::None) => Heads::One(number),
                                _ => Heads::Other,
                            };
                        }
                    }
                    read
                }
            };
            at += now;
            self.ahead = if in_head && busy { self.ahead + now } else { 0 };
        }
        heads
    }

    /// How many bytes of coming requests have been read while one was being answered.
    pub(super) fn ahead(&self) -> usize {
        self.ahead
    }

    /// Reads a head from its beginning. A client that keeps its connection mostly sends the same header
    /// lines again: those are compared and not read.
    fn head(&mut self, bytes: &[u8]) -> (usize, End) {
        let first = memchr(b'\n', bytes).map_or(0, |end| end + 1);
        let plain = bytes[..first].ends_with(b"\r\n")
            && !bytes.starts_with(b"\r")
            && !bytes.starts_with(b"CONNECT ");
        if plain && !self.last.bytes.is_empty() && bytes[first..].starts_with(&self.last.bytes) {
            self.follows = self.last.follows;
            self.follow();
            return (first + self.last.bytes.len(), End::Head(Some(self.last.number)));
        }
        match self.lines(bytes) {
            (read, End::Head(_)) if plain && read - first <= MOST_KEPT => {
                self.last.bytes.clear();
                self.last.bytes.extend_from_slice(&bytes[first..read]);
                self.last.follows = self.follows;
                self.last.number += 1;
                (read, End::Head(Some(self.last.number)))
            }
            other => other,
        }
    }

    /// Reads lines as long as there are any, at most to the end of a head or of what has lines.
    fn lines(&mut self, bytes: &[u8]) -> (usize, End) {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            if self.is_too_long(end + 1 - start) {
                return (0, End::Long);
            }
            let line = if self.partial.is_empty() {
                self.line(&bytes[start..end])
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(&bytes[start..end]);
                self.line(&whole)
            };
            start = end + 1;
            match line {
                Line::Read => {}
                Line::Head => return (start, End::Head(None)),
                Line::Last => return (start, End::None),
                Line::Bare => {
                    self.state = State::Through;
                    return (start, End::Bare);
                }
            }
        }
        // The parser refuses a head that is longer than its buffer, so this ends too. It takes any other line.
        if self.is_too_long(bytes.len() - start) {
            return (0, End::Long);
        }
        self.partial.extend_from_slice(&bytes[start..]);
        (bytes.len(), End::None)
    }

    /// Whether the line that goes on with so many bytes is longer than anybody needs.
    fn is_too_long(&self, more: usize) -> bool {
        let line = self.partial.len() + more;
        match self.state {
            State::ChunkSize => line > LONGEST_CHUNK_LINE,
            State::Trailer => self.trailers + line > MOST_TRAILERS,
            State::Head | State::Body(_) | State::Chunk(_) | State::Through | State::Spoilt => {
                false
            }
        }
    }

    /// Reads one line, its line feed left off.
    fn line(&mut self, line: &[u8]) -> Line {
        let (line, clean) = match line {
            [line @ .., b'\r'] => (line, true),
            line => (line, false),
        };
        match self.state {
            State::ChunkSize => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                self.state = match number(digits.trim_ascii(), 16) {
                    Some(0) => {
                        self.trailers = 0;
                        State::Trailer
                    }
                    Some(size) => State::Chunk(size.saturating_add(2)),
                    // The parser refuses it, as it does a bare line feed here.
                    None => State::Through,
                };
                Line::Last
            }
            State::Trailer if line.is_empty() => {
                self.state = State::Head;
                Line::Last
            }
            State::Trailer => {
                self.trailers += line.len() + 2;
                Line::Read
            }
            _ if !clean => Line::Bare,
            _ if !self.begun => {
                // Empty lines before a request are skipped.
                self.begun = !line.is_empty();
                self.follows =
                    if line.starts_with(b"CONNECT ") { Follows::Through } else { Follows::Nothing };
                Line::Read
            }
            _ if line.is_empty() => {
                self.begun = false;
                self.follow();
                Line::Head
            }
            _ => {
                self.header(line);
                Line::Read
            }
        }
    }

    /// Goes on with what the head that has ended announced.
    fn follow(&mut self) {
        self.state = match self.follows {
            Follows::Nothing | Follows::Body(0) => State::Head,
            Follows::Body(length) => State::Body(length),
            Follows::Chunks => State::ChunkSize,
            Follows::Through => State::Through,
        };
    }

    fn header(&mut self, line: &[u8]) {
        // Most names begin with another letter.
        if !matches!(line[0], b'c' | b'C' | b't' | b'T' | b'u' | b'U') {
            return;
        }
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if let (Follows::Nothing, Some(length)) = (self.follows, number(value, 10)) {
                self.follows = Follows::Body(length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.follows = Follows::Chunks;
        } else if name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket")
        {
            self.follows = Follows::Through;
        }
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the parser gets, fed in one piece and byte by byte.
    #[track_caller]
    fn check(sent: &str, expected: &str) {
        let mut bytes = sent.as_bytes().to_vec();
        Framing::default().watch(&mut bytes, false);
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        let mut framing = Framing::default();
        let mut bytes = sent.as_bytes().to_vec();
        for byte in bytes.chunks_mut(1) {
            framing.watch(byte, false);
        }
        assert_eq!(String::from_utf8_lossy(&bytes), expected, "byte by byte");
    }

    #[test]
    fn a_bare_line_feed_in_a_head_is_spoilt() {
        check("GET / HTTP/1.1\nhost: t\r\n\r\n", "GET / HTTP/1.1\0host: t\r\n\r\n");
        check("GET / HTTP/1.1\r\nhost: t\n\r\n", "GET / HTTP/1.1\r\nhost: t\0\r\n");
        check("GET / HTTP/1.1\r\nhost: t\r\n\n", "GET / HTTP/1.1\r\nhost: t\r\n\0");
        check("\nGET / HTTP/1.1\r\n\r\n", "\0GET / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn a_body_is_left_alone_and_the_next_head_is_not() {
        let next = "GET /2 HTTP/1.1\nh: t\r\n\r\n";
        let spoilt = next.replacen('\n', "\0", 1);
        for request in [
            "GET / HTTP/1.1\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n\na\nb\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=1\r\n\na\n\r\nA\r\n0123\n56789\r\n0\r\nx-t: 1\r\n\r\n",
        ] {
            check(&format!("{request}{next}"), &format!("{request}{spoilt}"));
        }
    }

    #[test]
    fn endless_lines_around_chunks_are_spoilt_and_not_kept() {
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for (begun, more) in
            [("3;a", "a"), ("0", "0"), ("0\r\nx-t: ", "a"), ("0\r\n", "x-t: a\r\n")]
        {
            let mut framing = Framing::default();
            framing.watch(&mut format!("{head}{begun}").into_bytes(), false);
            let mut come = Vec::new();
            for _ in 0..1000 {
                come = more.repeat(100).into_bytes();
                framing.watch(&mut come, false);
            }
            assert!(come.iter().all(|byte| *byte == 0), "{begun:?}");
            assert!(framing.partial.capacity() <= 2 * MOST_TRAILERS, "{begun:?}");
        }
        let fits = format!(
            "{head}3;a={}\r\nabc\r\n0\r\nx-t: {}\r\n\r\n",
            "b".repeat(4000),
            "c".repeat(16_000)
        );
        check(&fits, &fits);
    }

    #[test]
    fn what_is_handed_over_is_no_head() {
        for request in
            ["CONNECT a:1 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n"]
        {
            check(&format!("{request}\n\n"), &format!("{request}\n\n"));
        }
    }

    #[test]
    fn header_lines_that_are_repeated_are_known_again() {
        let mut framing = Framing::default();
        let mut watch = |head: &str| framing.watch(&mut head.as_bytes().to_vec(), false);
        let lines = "host: t\r\nx-a: 1\r\n\r\n";
        assert_eq!(watch(&format!("GET /1 HTTP/1.1\r\n{lines}")), Heads::One(1));
        assert_eq!(watch(&format!("GET /2 HTTP/1.1\r\n{lines}")), Heads::One(1));
        assert_eq!(watch("GET /3 HTTP/1.1\r\nhost: t\r\nx-a: 2\r\n\r\n"), Heads::One(2));
        assert_eq!(watch("GET /3 HTTP/1.1\r\nhost: t\r\nx-a: 2\r\nx-b: 1\r\n\r\n"), Heads::One(3));
        assert_eq!(watch("GET /3 HTTP/1.1\r\nhost: t\r\nx-a: 2\r\n\r\n"), Heads::One(4));
        assert_eq!(watch("GET /4 HTTP/1.1\r\nhost"), Heads::None);
        assert_eq!(watch(": t\r\nx-a: 2\r\n\r\n"), Heads::Other);
        let two = "GET /5 HTTP/1.1\r\nhost: t\r\n\r\n".repeat(2);
        assert_eq!(watch(&two), Heads::Other);
        assert_eq!(watch("POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nG"), Heads::One(6));
        assert_eq!(watch("POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nG"), Heads::One(6));
        assert_eq!(watch("GET / HTTP/1.1\nhost: t\r\n\r\n"), Heads::None);
    }

    #[test]
    fn only_bytes_of_coming_requests_are_ahead() {
        let mut framing = Framing::default();
        framing.watch(&mut b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n12".to_vec(), false);
        assert_eq!(framing.ahead(), 0);
        framing.watch(&mut b"34".to_vec(), true);
        assert_eq!(framing.ahead(), 0);
        framing.watch(&mut b"GET / HTTP/1.1\r\n".to_vec(), true);
        assert_eq!(framing.ahead(), 16);
        framing.watch(&mut b"\r\n".to_vec(), false);
        assert_eq!(framing.ahead(), 0);
    }
}
