//! A raw connection under the control of a test, which writes and reads bytes at any time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::process::PATIENCE;

/// One connection.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    unread: Vec<u8>,
}

/// A response with a `Content-Length`.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its status line and headers.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// Whether its head has this line, in any case.
    #[must_use]
    pub fn says(&self, line: &str) -> bool {
        self.head.lines().any(|own| own.eq_ignore_ascii_case(line))
    }
}

impl Wire {
    /// Connects to a port of this machine.
    #[track_caller]
    #[must_use]
    pub fn to(port: u16) -> Self {
        Self::try_to(([127, 0, 0, 1], port).into()).expect("somebody listens")
    }

    /// Connects to an address that may have no listener.
    ///
    /// # Errors
    /// If nothing listens there.
    pub fn try_to(address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, unread: Vec::new() })
    }

    /// Writes bytes.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).expect("the other side reads");
    }

    /// Writes bytes; an error is ignored, because the server may refuse the request early.
    pub fn offer(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.socket.write_all(bytes.as_ref());
    }

    /// Closes the sending half.
    pub fn end(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Returns whether bytes or the end of the connection arrive within this time.
    pub fn has_more_within(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).expect("a timeout");
        let more = self.more();
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The error of a read timeout: no bytes have arrived yet.
        more.map_or_else(|error| !error.contains("temporarily unavailable"), |()| true)
    }

    /// Sends a GET and waits for the response.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> Answer {
        self.write(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n"));
        self.answer()
    }

    /// Begins to send a body of this length and returns when the App waits for it.
    #[track_caller]
    pub fn begin_upload(&mut self, length: usize) {
        self.write(format!(
            "POST /upload HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        ));
        let interim = self.head();
        assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    }

    /// Waits for an answer.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// Waits for an answer, or for the end.
    ///
    /// # Errors
    /// If the connection ends before the answer does.
    pub fn try_answer(&mut self) -> Result<Answer, String> {
        let head = self.try_head()?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| format!("no status: {head}"))?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let length: usize = length.unwrap_or(0);
        while self.unread.len() < length {
            self.more()?;
        }
        let body = self.unread.drain(..length).collect::<Vec<_>>();
        Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads until the bytes contain this text, and returns everything up to it.
    #[track_caller]
    pub fn until(&mut self, words: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.unread).into_owned();
            if let Some(at) = text.find(words) {
                let end = at + words.len();
                self.unread.drain(..end);
                return text[..end].to_owned();
            }
            self.more().unwrap_or_else(|error| panic!("{error} before {words:?}, after {text:?}"));
        }
    }

    /// Reads until this text or the end of the connection.
    pub fn until_or_end(&mut self, words: &str) -> bool {
        loop {
            if String::from_utf8_lossy(&self.unread).contains(words) {
                return true;
            }
            if self.more().is_err() {
                return false;
            }
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> String {
        while self.more().is_ok() {}
        String::from_utf8_lossy(&self.unread).into_owned()
    }

    /// Returns whether the server closes the connection without sending more.
    pub fn is_closed(&mut self) -> bool {
        if !self.unread.is_empty() {
            return false;
        }
        let mut byte = [0];
        match self.socket.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    #[track_caller]
    fn head(&mut self) -> String {
        self.try_head().unwrap_or_else(|error| panic!("no head: {error}"))
    }

    fn try_head(&mut self) -> Result<String, String> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..at + 4).collect();
                return Ok(String::from_utf8_lossy(&head).trim_end().to_owned());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), String> {
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => Err("the connection ended".into()),
            Ok(read) => {
                self.unread.extend_from_slice(&buffer[..read]);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
