//! A body in chunks (RFC 9112 §7.1), every deviation of which is refused, because two servers could read it differently.
//!
//! hyper checks the names, the values and the length of trailers, that a chunk has a size, and that its data is as long.

/// The most bytes of the first line of a chunk: extensions have no bound of their own.
const MAX_LINE: usize = 4 * 1024;

/// The most digits of a size: those of 64 bits.
const MAX_DIGITS: usize = 16;

/// What is known of a body that is being read.
#[derive(Debug, Default)]
pub(in crate::connection) struct Chunks {
    state: State,
    /// The size of the chunk, then how much of it is missing.
    size: u64,
    /// The bytes of the first line of the chunk so far.
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
    /// The beginning of a trailer, or of the line that ends the body.
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
}

impl Chunks {
    /// Returns how many of the bytes are valid, and whether the last one ends the body.
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
            match self.next(bytes[at]) {
                Ok(State::Size) if matches!(self.state, State::LastEnd) => {
                    return (at + 1, Ok(true));
                }
                Ok(state) => self.state = state,
                Err(why) => return (at, Err(why)),
            }
            at += 1;
        }
        (at, Ok(false))
    }

    /// Returns the state behind one byte that is not data.
    fn next(&mut self, byte: u8) -> Result<State, &'static str> {
        self.count += 1;
        if matches!(self.state, State::Size | State::Space | State::Extension)
            && self.count > MAX_LINE
        {
            return Err("the first line of a chunk is too long");
        }
        Ok(match (self.state, byte) {
            (State::Size, _) if byte.is_ascii_hexdigit() => {
                if self.count > MAX_DIGITS {
                    return Err("a chunk size of more than 64 bits");
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.size = self.size << 4 | u64::from(digit);
                State::Size
            }
            (State::Size | State::Space, b' ' | b'\t') => State::Space,
            (State::Size | State::Space, b';') => State::Extension,
            (State::Size | State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => State::Extension,
            (State::SizeEnd, b'\n') if self.size == 0 => State::TrailerStart,
            (State::SizeEnd, b'\n') => State::Data,
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => {
                self.count = 0;
                State::Size
            }
            (State::TrailerStart, b'\r') => State::LastEnd,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::TrailerStart | State::Trailer, _) if byte != b'\n' => State::Trailer,
            (State::LastEnd, b'\n') => State::Size,
            (State::TrailerStart | State::Trailer | State::TrailerEnd | State::LastEnd, _) => {
                return Err("a trailer with a bare line feed or carriage return");
            }
            (_, _) => return Err("a malformed chunk"),
        })
    }
}
