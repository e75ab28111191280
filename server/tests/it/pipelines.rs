//! Random valid pipelines, however their bytes are cut: every request is answered once, in order, as itself.

use crate::running::Running;

/// One request of a pipeline, and what answers it.
#[derive(Clone, Debug)]
struct Piece {
    sent: String,
    head: bool,
    body: String,
    /// Nothing is answered behind it.
    last: bool,
}

fn piece(random: &mut fastrand::Rng, number: usize) -> Piece {
    let size = [0, 1, 5, 300, 20_000][random.usize(..5)];
    let body = "b".repeat(size);
    let (version, connection, last) = match random.u8(..12) {
        0 => ("HTTP/1.1", "connection: close\r\n", true),
        1 => ("HTTP/1.0", "", true),
        2 => ("HTTP/1.0", "connection: keep-alive\r\n", false),
        3 => ("HTTP/1.1", "connection: keep-alive\r\n", false),
        _ => ("HTTP/1.1", "", false),
    };
    let host = if version == "HTTP/1.0" { "" } else { "host: test\r\n" };
    let blank = if random.u8(..5) == 0 { "\r\n" } else { "" };
    let (sent, head, body) = match random.u8(..7) {
        0 => (
            format!("HEAD /status/{number} {version}\r\n{host}{connection}\r\n"),
            true,
            String::new(),
        ),
        1 => (format!("GET /slow/5 {version}\r\n{host}{connection}\r\n"), false, "slow".into()),
        2 | 3 => (
            format!(
                "POST /count {version}\r\n{host}{connection}content-length: {size}\r\n\r\n{body}"
            ),
            false,
            size.to_string(),
        ),
        4 if version == "HTTP/1.1" => {
            let mut chunks = String::new();
            let mut left = size;
            while left > 0 {
                let now = random.usize(1..=left);
                chunks.push_str(&format!("{now:x}\r\n{}\r\n", "b".repeat(now)));
                left -= now;
            }
            let trailer = if random.bool() { "x-t: 1\r\n" } else { "" };
            let head = format!(
                "POST /count {version}\r\n{host}{connection}transfer-encoding: chunked\r\n\r\n"
            );
            (format!("{head}{chunks}0\r\n{trailer}\r\n"), false, size.to_string())
        }
        5 => (
            format!("POST /ignore {version}\r\n{host}{connection}content-length: 5\r\n\r\nhello"),
            false,
            "ignored".into(),
        ),
        _ => {
            (format!("GET /ten/10 {version}\r\n{host}{connection}\r\n"), false, "0000000000".into())
        }
    };
    Piece { sent: format!("{blank}{sent}"), head, body, last }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_a_random_pipeline_is_answered_as_itself() {
    let server = Running::with(&[]).await;
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(2..12);
        let pieces: Vec<Piece> =
            (0..count).map(|number| piece(&mut random, 200 + number)).collect();
        let sent: String = pieces.iter().map(|piece| piece.sent.as_str()).collect();
        let mut client = server.connect().await;
        // After its last response a server may close the connection before it has read everything.
        let mut rest = sent.as_bytes();
        while !rest.is_empty() {
            let now = if random.bool() { rest.len() } else { random.usize(1..=rest.len()) };
            if tokio::io::AsyncWriteExt::write_all(&mut client.stream, &rest[..now]).await.is_err()
            {
                break;
            }
            rest = &rest[now..];
            tokio::task::yield_now().await;
        }
        let mut over = false;
        for (number, piece) in pieces.iter().enumerate() {
            if over {
                break;
            }
            let what = format!("seed {seed}, request {number}: {:.60?}", piece.sent);
            if piece.head {
                let answer = client.head_answer().await;
                assert_eq!(answer.status, 200 + number as u16, "{what}");
            } else {
                let answer =
                    client.try_answer().await.unwrap_or_else(|read| panic!("{what}: {read:?}"));
                assert_eq!((answer.status, answer.text()), (200, piece.body.as_str()), "{what}");
                assert_eq!(
                    answer.header("connection") == Some("close"),
                    piece.last && piece.sent.contains("1.1"),
                    "{what}"
                );
            }
            over = piece.last;
        }
        if over {
            assert!(
                client.closed().await,
                "seed {seed}: something is answered behind the last request"
            );
        } else {
            assert_eq!(client.get("/count").await.text(), "0", "seed {seed}");
        }
    }
}
