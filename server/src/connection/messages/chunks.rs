//! A body in chunks (RFC 9112 §7.1), as strictly as it is defined: everything else is where two servers differ.

/// The most bytes of a line that begins a chunk, whose extensions have no bound of their own.
const LONGEST_LINE: usize = 4 * 1024;

/// The most bytes of all trailers of a request.
const MOST_TRAILERS: usize = 16 * 1024;

/// Follows one body from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// The size of the chunk that begins.
    size: u64,
    /// Digits of the size, bytes of the line, or bytes of the trailers, that have come.
    count: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Size,
    /// White space behind the size, which only an extension may follow.
    Space,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    /// The beginning of a trailer line, or of the line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastEnd,
}

impl Chunks {
    /// Reads bytes; returns how many are valid, and whether the body is complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Result<bool, &'static str>) {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data = self.state {
                let now = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.size -= now as u64;
                at += now;
                if self.size == 0 {
                    self.state = State::DataReturn;
                }
                continue;
            }
            match self.byte(bytes[at]) {
                Ok(false) => at += 1,
                Ok(true) => return (at + 1, Ok(true)),
                Err(why) => return (at, Err(why)),
            }
        }
        (at, Ok(false))
    }

    /// Reads one byte outside of the data; true for the last one of the body.
    fn byte(&mut self, byte: u8) -> Result<bool, &'static str> {
        self.state = match (self.state, byte) {
            (State::Size, _) if byte.is_ascii_hexdigit() => {
                self.count += 1;
                if self.count > 16 {
                    return Err("a chunk size of more than 64 bits");
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.size = self.size << 4 | u64::from(digit);
                State::Size
            }
            (State::Size, _) if self.count == 0 => return Err("a chunk without a size"),
            (State::Size | State::Space, b' ' | b'\t') => self.within_line(State::Space)?,
            (State::Size | State::Space, b';') => self.within_line(State::Extension)?,
            (State::Size | State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.within_line(State::Extension)?
            }
            (State::SizeEnd, b'\n') if self.size == 0 => {
                self.count = 0;
                State::TrailerStart
            }
            (State::SizeEnd, b'\n') => State::Data,
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => {
                self.count = 0;
                State::Size
            }
            (State::TrailerStart, b'\r') => State::LastEnd,
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => {
                self.within_trailers(State::TrailerName)?
            }
            (State::TrailerName, b':') => self.within_trailers(State::TrailerValue)?,
            (State::TrailerValue, b'\r') => self.within_trailers(State::TrailerEnd)?,
            (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => {
                self.within_trailers(State::TrailerValue)?
            }
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::LastEnd, b'\n') => return Ok(true),
            (State::Size | State::Space | State::Extension | State::SizeEnd, _) => {
                return Err("a chunk size that is none");
            }
            (State::DataReturn | State::DataEnd | State::Data, _) => {
                return Err("a chunk longer than its size");
            }
            (_, _) => return Err("a trailer that is none"),
        };
        Ok(false)
    }

    fn within_line(&mut self, state: State) -> Result<State, &'static str> {
        self.count += 1;
        if self.count > LONGEST_LINE { Err("an endless chunk line") } else { Ok(state) }
    }

    fn within_trailers(&mut self, state: State) -> Result<State, &'static str> {
        self.count += 1;
        if self.count > MOST_TRAILERS { Err("endless trailers") } else { Ok(state) }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
