//! Where a request of HTTP/1.1 begins and ends in the bytes of its connection.
//!
//! hyper is stricter than most servers, but RFC 9112 allows it to take a bare line feed for the end of a line and a length
//! beside chunks, and it does. A proxy that does not would see other requests than this server. So hyper is shown one request
//! at a time, and none that two servers could read differently.

mod chunks;
mod head;

use chunks::Chunks;
use head::Head;

/// A request as far as its bytes have come.
#[derive(Debug)]
pub(super) enum Message {
    Head(Head),
    /// A body with a length, of which this many bytes are missing.
    Length(u64),
    Chunks(Chunks),
    Complete,
}

impl Default for Message {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// Whether a head asks about the whole server: OPTIONS for an absolute target without a path (RFC 9112 §3.2.4). A `Uri`
/// shows such a path as `/`.
pub(super) fn names_whole_server(head: &[u8]) -> bool {
    let Some(target) = head.strip_prefix(b"OPTIONS ") else { return false };
    let target = target.split(|byte| *byte == b' ').next().unwrap_or_default();
    // The case of a scheme means nothing (RFC 9110 §4.2.3).
    let name = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (begin, name) = target.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(name)
    });
    name.is_some_and(|name| !name.iter().any(|byte| b"/?".contains(byte)))
}

impl Message {
    /// Returns how many of the bytes belong to this request: 0 if its head is incomplete. The bytes of a head that was
    /// incomplete must be given again, with those that followed.
    ///
    /// # Errors
    /// Why the first of the bytes, or the head that they begin, is refused.
    pub(super) fn follow(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        let mut count = 0;
        while count < bytes.len() {
            let rest = &mut bytes[count..];
            count += match self {
                Self::Head(head) => match head.read(rest)? {
                    Some((length, body)) => {
                        *self = body;
                        length
                    }
                    None => break,
                },
                Self::Length(missing) => {
                    let now = usize::try_from(*missing).unwrap_or(usize::MAX).min(rest.len());
                    *missing -= now as u64;
                    if *missing == 0 {
                        *self = Self::Complete;
                    }
                    now
                }
                Self::Chunks(chunks) => match chunks.read(rest) {
                    // The bytes before the wrong one are the request's.
                    (0, Err(why)) if count == 0 => return Err(why),
                    (valid, Err(_)) => return Ok(count + valid),
                    (valid, Ok(last)) => {
                        if last {
                            *self = Self::Complete;
                        }
                        valid
                    }
                },
                Self::Complete => break,
            };
        }
        Ok(count)
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    pub(super) fn is_head(&self) -> bool {
        matches!(self, Self::Head(_))
    }
}
