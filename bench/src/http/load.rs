//! Clients that send a request over and over, or many that differ in turn, as cheaply as possible: they share the
//! machine with the server they measure.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::LocalOptions;

use crate::histogram::Histogram;
use crate::results::Turn;

/// The requests that every client sends in turn; each client begins at another one.
#[derive(Clone, Debug)]
pub struct Request(Rc<[Box<[u8]>]>);

/// Requests that differ before the first comes again.
const VARIANTS: usize = 512;

impl Request {
    /// A GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::one(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").into_bytes())
    }

    /// The request with heads that vary as those of browsers behind a proxy do: another path below this one and another
    /// query each time, cookies, and what the proxy says about the client.
    #[must_use]
    pub fn varied(method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Self {
        // Large bodies would fill the memory, and their cost would hide that of the heads.
        let variants = if body.len() > 64 << 10 { 8 } else { VARIANTS };
        let all = (0..variants).map(|number| {
            let own = number.wrapping_mul(2_654_435_761) % 1_000_003;
            let mut bytes = format!(
                "{method} {path}/{own} HTTP/1.1\r\nhost: shop{a}.example\r\nuser-agent: Mozilla/5.0 (X11; Linux x86_64; rv:{b}.0) \
                 Gecko/20100101 Firefox/{b}.0\r\naccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.{a}\r\n\
                 accept-language: en-US,en;q=0.{a}\r\naccept-encoding: gzip, deflate, br, zstd\r\n\
                 referer: https://shop{a}.example/list?page={own}\r\ncookie: session={own:032x}; theme=dark; seen={number}\r\n\
                 x-forwarded-for: 203.0.113.{b}, 10.0.0.{a}\r\nx-forwarded-proto: https\r\nx-request-id: {own:016x}{number:016x}\r\n\
                 traceparent: 00-{own:032x}-{number:016x}-01\r\nif-none-match: \"{own:x}\"\r\n",
                a = number % 10,
                b = number % 200 + 1,
            );
            if let Some(kind) = kind {
                let length = body.len();
                bytes.push_str(&format!("content-type: {kind}\r\ncontent-length: {length}\r\n"));
            }
            bytes.push_str("\r\n");
            [bytes.as_bytes(), body].concat().into_boxed_slice()
        });
        Self(all.collect())
    }

    fn one(bytes: Vec<u8>) -> Self {
        Self(Rc::new([bytes.into_boxed_slice()]))
    }

    /// A POST with a body.
    #[must_use]
    pub fn post(path: &str, kind: &str, body: &[u8]) -> Self {
        let length = body.len();
        let mut bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self::one(bytes)
    }
}

/// Sends requests on this many connections, each as soon as the last is answered. `begin` is called when all
/// connections are open and have been answered once, `end` when the time is over.
///
/// # Panics
/// If the server cannot be reached, or never answers with 200.
pub fn drive<T>(
    address: SocketAddr,
    connections: usize,
    request: &Request,
    time: Duration,
    begin: impl FnOnce() -> T,
    end: impl FnOnce(T, &mut Turn),
) -> Turn {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .expect("a runtime can be made");
    runtime.block_on(async {
        let mut clients = Vec::with_capacity(connections);
        for number in 0..connections {
            let mut client = Client::connect(address).await.expect("the server listens");
            client.next = number * 7;
            client.ask(request).await.expect("the server answers");
            clients.push(client);
        }
        let state = begin();
        let begun = Instant::now();
        let until = begun + time;
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|client| tokio::task::spawn_local(client.work(request.clone(), until)))
            .collect();
        let mut all = Histogram::default();
        let mut failed = 0;
        for task in tasks {
            let (histogram, failures) = task.await.expect("a client does not panic");
            all.merge(&histogram);
            failed += failures;
        }
        let mut turn = all.turn(begun.elapsed());
        turn.failed = failed;
        end(state, &mut turn);
        turn
    })
}

struct Client {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The index of the next request.
    next: usize,
}

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, buffer: vec![0; 16 * 1024], next: 0 })
    }

    async fn work(mut self, request: Request, until: Instant) -> (Histogram, u64) {
        let mut histogram = Histogram::default();
        let mut failed = 0;
        let mut now = Instant::now();
        loop {
            let outcome = self.ask(&request).await;
            let then = std::mem::replace(&mut now, Instant::now());
            match outcome {
                Ok(()) => histogram.add(now - then),
                Err(_) => {
                    failed += 1;
                    // Without the server nothing can be measured.
                    match Self::connect(self.address).await {
                        Ok(client) => self = client,
                        Err(_) => break,
                    }
                }
            }
            // Check at the end of the loop: even on an overloaded machine each client sends one request.
            if now >= until {
                break;
            }
        }
        (histogram, failed)
    }

    async fn ask(&mut self, Request(requests): &Request) -> io::Result<()> {
        let request = &requests[self.next % requests.len()];
        self.next += 1;
        self.stream.write_all(request).await?;
        let mut read = 0;
        let (head, mut left) = loop {
            let now = self.stream.read(&mut self.buffer[read..]).await?;
            read += now;
            if let Some(head) = head(&self.buffer[..read]) {
                let body = read - head;
                break (head, length(&self.buffer[..head])?.saturating_sub(body));
            }
            if now == 0 || read == self.buffer.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        if !self.buffer[..head].starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other("not answered with 200"));
        }
        while left > 0 {
            match self.stream.read(&mut self.buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                now => left = left.saturating_sub(now),
            }
        }
        Ok(())
    }
}

/// The length of the head; `None` until it is complete.
fn head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// The length of the body that a head announces.
fn length(head: &[u8]) -> io::Result<usize> {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .and_then(|line| std::str::from_utf8(&line[NAME.len()..]).ok()?.trim().parse().ok())
        .ok_or_else(|| io::Error::other("no content-length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line_and_announces_its_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello";
        let head = head(answer).expect("whole");
        assert_eq!(head, answer.len() - 5);
        assert_eq!(length(&answer[..head]).expect("announced"), 12);
    }
}
