//! The part of the Runtime API that a measurement needs: one thread for each connection,
//! with no other work.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The text by which a valid answer is recognised.
const FINE: &[u8] = b"\"statusCode\":200";

/// How long a function may take for any step.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Runtime API for one function.
pub(super) struct RuntimeApi {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    /// When the function asked for an event, and the connection it asked on.
    polls: Receiver<(Instant, TcpStream)>,
    /// The poll that waits for its event.
    waiting: Option<(Instant, TcpStream)>,
}

impl RuntimeApi {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let over = Arc::new(AtomicBool::new(false));
        let (sender, polls) = channel();
        let ends = Arc::clone(&over);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Acquire) {
                    return;
                }
                let sender = sender.clone();
                thread::spawn(move || greet(stream, &sender));
            }
        });
        Self { address, over, polls, waiting: None }
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until the function polls for an event, and returns when it began to.
    pub(super) fn polled(&mut self) -> Instant {
        if self.waiting.is_none() {
            self.waiting = self.polls.recv_timeout(PATIENCE).ok();
        }
        self.waiting.as_ref().expect("the function asks for an event within 20 seconds").0
    }

    /// Gives the function an event, and waits for the answer and the next poll: from the event's first byte
    /// to the answer's last.
    pub(super) fn invoke(&mut self, event: &str) -> Duration {
        let (_, mut stream) = self.waiting.take().expect("it has asked for an event");
        let deadline = 4_000_000_000_000_u64;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
             lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
             lambda-runtime-deadline-ms: {deadline}\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:123456789012:function:bench\r\n\
             lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n\
             content-length: {}\r\n\r\n",
            event.len()
        );
        let begun = Instant::now();
        stream.write_all(head.as_bytes()).expect("the function listens");
        stream.write_all(event.as_bytes()).expect("the function listens");
        // A client may answer on the connection it polled on, or on another.
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        let (head, body) = request(&mut stream).expect("it answers on the same connection");
        let took = begun.elapsed();
        assert!(head.starts_with("POST ") && head.contains("/response "), "{head}");
        let fine = body.windows(FINE.len()).any(|part| part == FINE);
        assert!(fine, "{}", String::from_utf8_lossy(&body));
        write!(stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").expect("it listens");
        let (poll, _) = request(&mut stream).expect("the function polls on the same connection");
        assert!(poll.contains("/invocation/next "), "{poll}");
        self.waiting = Some((Instant::now(), stream));
        took
    }
}

/// The listener ends with its function: a run starts hundreds.
impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // Wakes the thread that is blocked in `accept`.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers what comes before the first poll of a connection: the registration of an extension.
fn greet(mut stream: TcpStream, polls: &Sender<(Instant, TcpStream)>) {
    let _ = stream.set_nodelay(true);
    while let Ok((head, _)) = request(&mut stream) {
        if head.contains("/invocation/next ") {
            // Fails if the measurement is over.
            let _ = polls.send((Instant::now(), stream));
            return;
        }
        if head.contains("/extension/event/next ") {
            // An extension waits for its events until it is stopped.
            let _ = request(&mut stream);
            return;
        }
        let registered = "HTTP/1.1 200 OK\r\nlambda-extension-identifier: \
            4b2ba8d3-5e4c-4d05-9b2e-3d3c1d9e0a11\r\ncontent-type: application/json\r\n\
            content-length: 2\r\n\r\n{}";
        if stream.write_all(registered.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one request to its end; its head and its body.
fn request(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(4096);
    let mut piece = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let lower = head.to_ascii_lowercase();
        let body = &bytes[end + 4..];
        if let Some((_, rest)) = lower.split_once("content-length:") {
            let digits = rest.trim_start().split(|c: char| !c.is_ascii_digit()).next();
            let length: usize = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok((head, bytes.split_off(end + 4)));
            }
        } else if !lower.contains("transfer-encoding:") || body.ends_with(b"0\r\n\r\n") {
            return Ok((head, bytes.split_off(end + 4)));
        }
    }
}
