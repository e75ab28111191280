//! A body of any size passes through a process that does not grow with it.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http2::{H2, read};
use crate::process::Process;

const GIB: u64 = 1 << 30;
const ALLOWED: u64 = 16 << 20;

/// The resident memory of a process: now, and the most it ever was.
fn memory(process: &Process) -> (u64, u64) {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let kilobytes = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of /proc");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    };
    (kilobytes("VmRSS:") << 10, kilobytes("VmHWM:") << 10)
}

async fn warm(pairs: &[(&str, &str)]) -> (Process, u64) {
    let process = Process::with(pairs).await;
    assert_eq!(process.connect().await.get("/send/1").await.body.len(), 1 << 20);
    let (now, _) = memory(&process);
    (process, now)
}

#[tokio::test]
async fn a_download_of_1_gib_grows_the_process_by_less_than_16_mib() {
    let (process, before) = warm(&[]).await;
    let mut client = process.connect().await;
    client.send("GET /send/1024 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
    let mut buffer = vec![0; 1 << 16];
    let mut read = 0;
    loop {
        match client.stream.read(&mut buffer).await.expect("readable") {
            0 => break,
            now => read += now as u64,
        }
    }
    assert!(read > GIB);
    let (_, most) = memory(&process);
    assert!(most - before < ALLOWED, "{} MiB", (most - before) >> 20);
}

#[tokio::test]
async fn an_upload_of_1_gib_grows_the_process_by_less_than_16_mib() {
    let (process, before) = warm(&[("MAX_BODY", "1G")]).await;
    let mut client = process.connect().await;
    client.send(format!("POST /count HTTP/1.1\r\nhost: t\r\ncontent-length: {GIB}\r\n\r\n")).await;
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..1024 {
        client.stream.write_all(&chunk).await.expect("the server reads");
    }
    assert_eq!(client.answer().await.text(), GIB.to_string());
    let (_, most) = memory(&process);
    assert!(most - before < ALLOWED, "{} MiB", (most - before) >> 20);
}

#[tokio::test]
async fn an_upload_that_nobody_reads_stays_with_its_client() {
    let (process, before) = warm(&[("MAX_BODY", "1G")]).await;
    let mut client = process.connect().await;
    // The App sends back what it reads, and this client reads nothing: both directions come to a halt.
    client.send(format!("POST /back HTTP/1.1\r\nhost: t\r\ncontent-length: {GIB}\r\n\r\n")).await;
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while let Ok(written) =
        tokio::time::timeout(std::time::Duration::from_secs(2), client.stream.write(&chunk)).await
    {
        sent += written.expect("the server lives");
        assert!((sent as u64) < GIB / 4, "the server swallows what nobody reads");
    }
    let (_, most) = memory(&process);
    assert!(most - before < ALLOWED, "{} MiB", (most - before) >> 20);
}

/// A client asks for 100 responses of 1 MiB and takes none of them, and then all.
///
/// The control is 8 clients of HTTP/1.1, of which none waits for another.
#[tokio::test]
async fn responses_that_a_client_of_http_2_does_not_take_are_bounded() {
    let (process, before) = warm(&[]).await;
    let mut client = H2::to(process.address).await;
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(client.begin("/whole/1", true).await.0);
    }
    // A response behind all of them in the connection, and time for those that could be made meanwhile.
    client.ping().await;
    let mut other = process.connect().await;
    for _ in 0..200 {
        assert_eq!(other.get("/").await.status, 200);
    }
    let (_, most) = memory(&process);
    assert!(most - before < 60 << 20, "{} MiB", (most - before) >> 20);
    for (status, _, body) in join_all(answers.into_iter().map(read)).await {
        assert_eq!((status.as_u16(), body.map(|body| body.len()).ok()), (200, Some(1 << 20)));
    }
    let (_, most) = memory(&process);
    assert!(most - before < 60 << 20, "{} MiB", (most - before) >> 20);

    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = process.connect().await;
        client.send("GET /whole/32 HTTP/1.1\r\nhost: t\r\n\r\n").await;
        client.stream.readable().await.expect("an answer has begun");
        clients.push(client);
    }
    let (_, most) = memory(&process);
    assert!(most - before > 64 << 20, "the measure does not see what is held");
}
