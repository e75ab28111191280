//! A client that sends the bytes it is given and reads what comes, as it comes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything a test waits for; a test that hangs fails here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// A response as it stood on the wire, its body without chunks.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Sends a GET and reads the answer.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        self.answer().await
    }

    /// The next response.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("a whole response")
    }

    /// The next response, or what came of one whose connection ended early.
    pub(crate) async fn try_answer(&mut self) -> Result<Answer, Vec<u8>> {
        timeout(PATIENCE, self.response(false)).await.expect("an answer in time")
    }

    /// The next response to HEAD.
    pub(crate) async fn head_answer(&mut self) -> Answer {
        let answer = timeout(PATIENCE, self.response(true)).await.expect("an answer in time");
        answer.expect("a whole response")
    }

    async fn response(&mut self, bodyless: bool) -> Result<Answer, Vec<u8>> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !self.more().await {
                return Err(std::mem::take(&mut self.read));
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end + 4);
        let status = head[9..12].parse().expect("a status line");
        let mut answer = Answer { status, head, body: Vec::new() };
        if bodyless || status == 204 || status == 304 || status < 200 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let line = self.line().await?;
                let size = usize::from_str_radix(line.trim(), 16).expect("a chunk size");
                let chunk = self.exactly(size + 2).await?;
                answer.body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    return Ok(answer);
                }
            }
        }
        match answer.header("content-length") {
            Some(length) => {
                let length = length.parse().expect("a length");
                answer.body = self.exactly(length).await?;
            }
            None => {
                while self.more().await {}
                answer.body = std::mem::take(&mut self.read);
            }
        }
        Ok(answer)
    }

    async fn line(&mut self) -> Result<String, Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.drain(..at + 2).collect();
                return Ok(String::from_utf8(line).expect("ASCII"));
            }
            if !self.more().await {
                return Err(std::mem::take(&mut self.read));
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Vec<u8>> {
        while self.read.len() < length {
            if !self.more().await {
                return Err(std::mem::take(&mut self.read));
            }
        }
        Ok(self.read.drain(..length).collect())
    }

    /// Reads what has come; false at the end of the connection, however it ended.
    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(read) if read > 0)
    }

    /// Whether more comes, or the connection ends, within this time.
    pub(crate) async fn has_more_within(&mut self, time: Duration) -> bool {
        timeout(time, self.more()).await.is_ok()
    }

    /// Whether the server has closed the connection without another byte.
    pub(crate) async fn closed(&mut self) -> bool {
        let more = timeout(PATIENCE, self.more()).await.expect("the connection ends in time");
        !more && self.read.is_empty()
    }
}
