//! Finds the ends of frames in what an App sends on a WebSocket (RFC 6455 §5.2), so that the server can send the
//! closing frame between two of them.

use std::io::IoSlice;

/// A close frame with status 1001, going away (RFC 6455 §7.4.1).
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// Follows the bytes that are sent after an upgrade, the response's head first.
#[derive(Debug)]
pub(super) struct Outgoing {
    state: State,
    /// A close frame was sent: nothing may follow it.
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The head of the response; so many bytes of its empty line have come.
    Head(usize),
    /// Between two frames.
    Boundary,
    Length,
    /// So many bytes of an extended length are to come, of which those so far make this number.
    Extended(u8, u64),
    Payload(u64),
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { state: State::Head(0), closed: false }
    }
}

impl Outgoing {
    /// Watches the first bytes of the slices, which were sent. A server's frames have no mask.
    pub(super) fn sent(&mut self, slices: &[IoSlice<'_>], mut count: usize) {
        for slice in slices {
            let mut bytes = &slice[..slice.len().min(count)];
            count -= bytes.len();
            while let Some((byte, rest)) = bytes.split_first() {
                if let State::Payload(left) = self.state {
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    self.state = payload(left - now as u64);
                    bytes = &bytes[now..];
                } else {
                    self.header(*byte);
                    bytes = rest;
                }
            }
        }
    }

    /// Reads a byte that is no payload.
    fn header(&mut self, byte: u8) {
        self.state = match self.state {
            State::Head(matched) if byte == b"\r\n\r\n"[matched] => match matched {
                3 => State::Boundary,
                _ => State::Head(matched + 1),
            },
            State::Head(_) => State::Head(usize::from(byte == b'\r')),
            State::Boundary => {
                self.closed |= byte & 0x0f == 8;
                State::Length
            }
            State::Length => match byte & 0x7f {
                126 => State::Extended(2, 0),
                127 => State::Extended(8, 0),
                length => payload(length.into()),
            },
            State::Extended(left, length) => {
                let length = length << 8 | u64::from(byte);
                if left == 1 { payload(length) } else { State::Extended(left - 1, length) }
            }
            payload @ State::Payload(_) => payload,
        };
    }

    /// The frame that closes the connection, once, if one may be sent now.
    pub(super) fn goodbye(&mut self) -> Option<[u8; 4]> {
        let may = matches!(self.state, State::Boundary) && !self.closed;
        self.closed = true;
        may.then_some(GOING_AWAY)
    }
}

fn payload(left: u64) -> State {
    if left == 0 { State::Boundary } else { State::Payload(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";

    #[test]
    fn a_goodbye_goes_between_frames_and_never_into_one() {
        let short = [&[0x81, 3][..], b"abc"].concat();
        let medium = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
        let long = [&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0][..], &[7; 65536]].concat();
        for frame in [&short, &medium, &long] {
            let all = [HEAD, frame].concat();
            let mut outgoing = Outgoing::default();
            for end in 0..=all.len() {
                let mut now = Outgoing { state: outgoing.state, closed: outgoing.closed };
                let boundary = end == HEAD.len() || end == all.len();
                assert_eq!(now.goodbye().is_some(), boundary, "{end}");
                assert_eq!(now.goodbye(), None, "it is said once");
                let next = &all[end..all.len().min(end + 1)];
                outgoing.sent(&[IoSlice::new(next)], next.len());
            }
        }
        let mut outgoing = Outgoing::default();
        outgoing.sent(&[IoSlice::new(HEAD), IoSlice::new(&[0x88, 0, 7])], HEAD.len() + 2);
        assert_eq!(outgoing.goodbye(), None, "the App has closed it");
    }
}
