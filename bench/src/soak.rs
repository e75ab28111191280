//! A soak test: a long mixed load with clients that disconnect and thousands of slow clients; checks that nothing grows.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::contest::say;
use crate::subjects::{Kind, Subject};

/// Ordinary clients, half of whose requests are aborted.
const CLIENTS: usize = 16;

/// How long to wait for an answer: longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a client waits for an answer before it disconnects.
const MOMENT: Duration = Duration::from_millis(20);

/// How often a slow client sends a byte: more often than HEADER_TIMEOUT, which closes the connection nevertheless.
const SLOW: Duration = Duration::from_secs(3);

/// The growth that is tolerated: memory that the allocator keeps.
const FLAT: u64 = 8 << 20;

/// A preface, settings, `GET /` with its end and its reset.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
    \0\0\x09\x01\x05\0\0\0\x01\x82\x84\x86\x41\x04test\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08";

#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    aborted: AtomicU64,
    slow_closed: AtomicU64,
    slow_left: AtomicU64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} answered, {} failed, {} aborted; of the slow {} closed, {} not",
            read(&self.answered),
            read(&self.failed),
            read(&self.aborted),
            read(&self.slow_closed),
            read(&self.slow_left),
        )
    }
}

/// Runs the load; returns whether every request was answered, every slow client was let go and nothing grew.
///
/// # Errors
/// If the server does not start.
pub fn run(time: Duration, slow: usize) -> Result<bool, String> {
    let limit =
        Rlimit { current: getrlimit(Resource::Nofile).maximum, ..getrlimit(Resource::Nofile) };
    // Without it the slow clients may fail to connect, which is counted.
    let _ = setrlimit(Resource::Nofile, limit);
    let subject = Subject::start(Kind::Ours, None)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(soak(&subject, time, slow))
}

async fn soak(subject: &Subject, time: Duration, slow: usize) -> Result<bool, String> {
    let (address, end) = (subject.address(), Instant::now() + time);
    let counts = Arc::new(Counts::default());
    let before = descriptors(subject)?;
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let counts = Arc::clone(&counts);
        tasks.push(tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(number as u64);
            while Instant::now() < end {
                client(address, &mut random, &counts).await;
            }
        }));
    }
    for _ in 0..slow {
        let counts = Arc::clone(&counts);
        tasks.push(tokio::spawn(async move {
            while Instant::now() < end {
                slow_client(address, &counts).await;
            }
        }));
    }
    let mut memory = Vec::new();
    while Instant::now() < end {
        sleep(Duration::from_secs(1)).await;
        memory.push(subject.memory().ok_or("the server has ended")?);
        if memory.len() % 60 == 0 {
            let now = memory.last().copied().unwrap_or_default();
            say(&format!(
                "{} s: {} MiB, {} descriptors; {counts}",
                memory.len(),
                now >> 20,
                descriptors(subject)?
            ));
        }
    }
    for task in tasks {
        task.await.map_err(|error| error.to_string())?;
    }
    let mut after = descriptors(subject)?;
    let closed = Instant::now() + PATIENCE;
    while after > before && Instant::now() < closed {
        sleep(Duration::from_millis(100)).await;
        after = descriptors(subject)?;
    }
    // The first fifth warms up.
    let fifth = (memory.len() / 5).max(1);
    let median = |from: usize| {
        let mut part: Vec<u64> = memory.iter().skip(from).take(fifth).copied().collect();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or_default()
    };
    let (early, late) = (median(fifth), median(memory.len().saturating_sub(fifth)));
    let [failed, slow_left] =
        [&counts.failed, &counts.slow_left].map(|count| count.load(Ordering::Relaxed));
    let flat = late <= early + FLAT && after <= before;
    say(&format!(
        "{} s: {counts}; memory {:.1} MiB in the second fifth, {:.1} MiB in the last; descriptors {before} before, {after} after",
        time.as_secs(),
        early as f64 / f64::from(1 << 20),
        late as f64 / f64::from(1 << 20),
    ));
    Ok(flat && failed == 0 && slow_left == 0)
}

fn descriptors(subject: &Subject) -> Result<usize, String> {
    fs::read_dir(format!("/proc/{}/fd", subject.pid()))
        .map(Iterator::count)
        .map_err(|error| error.to_string())
}

/// One connection with ordinary requests, then one that is aborted somewhere.
async fn client(address: SocketAddr, random: &mut fastrand::Rng, counts: &Counts) {
    let work = ordinary(address, random);
    let outcome = timeout(PATIENCE, work).await;
    let count = if matches!(outcome, Ok(Ok(true))) { &counts.answered } else { &counts.failed };
    count.fetch_add(1, Ordering::Relaxed);
    // Aborted, whatever the outcome.
    let _ = aborted(address, random).await;
    counts.aborted.fetch_add(1, Ordering::Relaxed);
}

/// Whether every request of a connection gets its answer.
async fn ordinary(address: SocketAddr, random: &mut fastrand::Rng) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    for _ in 0..random.usize(1..8) {
        let (head, length) = match random.u8(..8) {
            0 => ("POST /upload", 1 << 20),
            1 => ("POST /upload", random.usize(..40_000)),
            _ => ("GET /hello", 0),
        };
        let head = format!(
            "{head}/{} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n\r\n",
            random.u32(..)
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![b'x'; length]).await?;
        let mut answer = Vec::new();
        loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Ok(false);
            }
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let announced = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ")
                    .and_then(|length| length.parse::<usize>().ok())
            });
            if announced.is_some_and(|length| body.len() >= length) {
                if !head.starts_with("HTTP/1.1 200 ") {
                    return Ok(false);
                }
                break;
            }
        }
    }
    Ok(true)
}

/// A connection that the client closes in the middle of a request, by a shutdown or a reset.
async fn aborted(address: SocketAddr, random: &mut fastrand::Rng) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let bytes = match random.u8(..5) {
        0 => b"GET /hello HTTP/1.1\r\nhost: ben".to_vec(),
        1 => b"GET /hello HTTP/1.1\r\nhost: bench\r\n\r\n".repeat(random.usize(1..20)),
        2 => HTTP2.to_vec(),
        3 => {
            b"POST /upload HTTP/1.1\r\nhost: bench\r\ntransfer-encoding: chunked\r\n\r\nffff\r\nabc"
                .to_vec()
        }
        _ => {
            let mut bytes =
                b"POST /upload HTTP/1.1\r\nhost: bench\r\ncontent-length: 1048576\r\n\r\n".to_vec();
            bytes.resize(random.usize(100..1_000_000), b'x');
            bytes
        }
    };
    stream.write_all(&bytes).await?;
    if random.bool() {
        stream.set_zero_linger()?;
    }
    if random.bool() {
        // It is there for a moment before it goes.
        let _ = timeout(MOMENT, stream.read(&mut [0; 64])).await;
    }
    Ok(())
}

/// A head that never ends, byte by byte, until the server closes the connection.
async fn slow_client(address: SocketAddr, counts: &Counts) {
    let work = async {
        let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
        write.write_all(b"GET /hello HTTP/1.1\r\nhost: bench\r\nx: ").await?;
        let mut space = [0; 1024];
        loop {
            match timeout(SLOW, read.read(&mut space)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return io::Result::Ok(()),
                // A reset of the connection shows in the next read.
                Err(_) => drop(write.write_all(b"x").await),
            }
        }
    };
    let closed = timeout(PATIENCE, work).await.is_ok_and(|outcome| outcome.is_ok());
    let count = if closed { &counts.slow_closed } else { &counts.slow_left };
    count.fetch_add(1, Ordering::Relaxed);
}
