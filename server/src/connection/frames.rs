//! How far the head of a request has come in the bytes of an HTTP/2 connection.
//!
//! hyper shows a request when its head is complete, and has no timeout for one that is not: a frame that is cut, or headers
//! without END_HEADERS (RFC 9113 §4.1, §6.2, §6.10).

/// What a connection of HTTP/2 begins with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows the bytes of one connection from frame to frame.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes of the preface, or of the frame that is being read, that are to come.
    left: usize,
    /// The beginning of a frame's own head.
    header: [u8; 9],
    have: usize,
    kind: u8,
    /// Headers have begun and not ended.
    open: bool,
}

/// How far the head of a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadProgress {
    /// Every head that has begun is complete.
    Complete,
    /// A head that had begun before is incomplete.
    Continued,
    /// A head has begun and is incomplete.
    Begun,
}

impl Frames {
    /// `preface` is how many bytes come before the first frame.
    pub(super) fn new(preface: usize) -> Self {
        Self { left: preface, header: [0; 9], have: 0, kind: DATA, open: false }
    }

    /// Watches bytes that have come.
    pub(super) fn watch(&mut self, mut bytes: &[u8]) -> HeadProgress {
        let mut settled = !self.waits();
        while !bytes.is_empty() {
            if self.left > 0 {
                let now = self.left.min(bytes.len());
                self.left -= now;
                bytes = &bytes[now..];
            } else {
                let now = (self.header.len() - self.have).min(bytes.len());
                self.header[self.have..self.have + now].copy_from_slice(&bytes[..now]);
                self.have += now;
                bytes = &bytes[now..];
                if self.have == self.header.len() {
                    self.begin();
                }
            }
            settled |= !self.waits();
        }
        match (self.waits(), settled) {
            (false, _) => HeadProgress::Complete,
            (true, false) => HeadProgress::Continued,
            (true, true) => HeadProgress::Begun,
        }
    }

    fn begin(&mut self) {
        let [a, b, c, kind, flags, ..] = self.header;
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.have = 0;
        self.kind = kind;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.open = flags & END_HEADERS == 0;
        }
    }

    /// Whether more must come before anything can be made of it. The bytes of a body have a time of
    /// their own.
    fn waits(&self) -> bool {
        self.have > 0 || self.open || (self.left > 0 && self.kind != DATA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, body.len() as u8, kind, flags, 0, 0, 0, 1];
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn whole_frames_wait_for_nothing() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(4, 0, &[]));
        bytes.extend(frame(HEADERS, END_HEADERS, b"head"));
        bytes.extend(frame(DATA, 0, b"body"));
        assert_eq!(Frames::new(PREFACE.len()).watch(&bytes), HeadProgress::Complete);
        let mut frames = Frames::new(PREFACE.len());
        for byte in bytes.chunks(1) {
            frames.watch(byte);
        }
        assert!(!frames.waits());
    }

    #[test]
    fn a_cut_head_waits_and_a_cut_body_does_not() {
        let head = frame(HEADERS, END_HEADERS, b"head");
        let mut frames = Frames::new(0);
        assert_eq!(frames.watch(&head[..11]), HeadProgress::Begun);
        assert_eq!(frames.watch(&head[11..12]), HeadProgress::Continued);
        assert_eq!(frames.watch(&head[12..]), HeadProgress::Complete);
        assert_eq!(frames.watch(&frame(DATA, 0, b"body")[..11]), HeadProgress::Complete);
    }

    #[test]
    fn headers_without_an_end_wait_however_many_frames_come() {
        let mut frames = Frames::new(0);
        assert_eq!(frames.watch(&frame(HEADERS, 0, b"head")), HeadProgress::Begun);
        for _ in 0..3 {
            assert_eq!(frames.watch(&frame(CONTINUATION, 0, b"more")), HeadProgress::Continued);
        }
        assert_eq!(frames.watch(&frame(CONTINUATION, END_HEADERS, b"end")), HeadProgress::Complete);
        let mut two = frame(HEADERS, END_HEADERS, b"whole");
        two.extend(frame(HEADERS, 0, b"begun"));
        assert_eq!(frames.watch(&two), HeadProgress::Begun);
    }
}
