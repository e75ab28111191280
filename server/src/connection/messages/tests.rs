//! Every way in which bytes fall into pieces gives the same requests, and what is refused is refused in each.

use super::*;

/// The requests that hyper would be shown, and why the rest is refused.
fn shown(sent: &[u8], piece: usize) -> (Vec<String>, Option<&'static str>) {
    let mut messages = Messages::default();
    let mut requests = vec![Vec::new()];
    for bytes in sent.chunks(piece) {
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while at < bytes.len() {
            if messages.is_complete() {
                messages.next();
                requests.push(Vec::new());
            }
            let step = messages.read(&mut bytes[at..]);
            at += step.skip;
            requests.last_mut().expect("one").extend_from_slice(&bytes[at..at + step.take]);
            at += step.take;
            if messages.invalid().is_some() {
                break;
            }
        }
    }
    if requests.last().is_some_and(Vec::is_empty) {
        requests.pop();
    }
    let requests = requests.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (requests.collect(), messages.invalid().map(|invalid| invalid.why))
}

#[track_caller]
fn check(sent: &str, expected: &[&str], invalid: Option<&str>) {
    for piece in [sent.len().max(1), 1, 2, 3, 7] {
        let (requests, why) = shown(sent.as_bytes(), piece);
        assert_eq!(requests, expected, "in pieces of {piece}");
        assert_eq!(why, invalid, "in pieces of {piece}");
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: t\r\n\r\n";

#[test]
fn requests_are_shown_one_by_one() {
    let length = "POST /1 HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\n\n";
    let chunks = "POST /2 HTTP/1.1\r\ntransfer-encoding: CHUNKED\r\n\r\n3 ;x=\"1\"\r\n\na\n\r\nA\r\n0123\n56789\r\n0\r\nx-t: 1\r\n\r\n";
    let none = "POST /3 HTTP/1.1\r\nContent-Length: \t0 \r\n\r\n";
    let sent = format!("\r\n{length}\r\n\r\n{chunks}{none}{GET}");
    check(&sent, &[length, chunks, none, GET], None);
}

#[test]
fn a_head_is_refused_where_two_servers_may_differ() {
    for (sent, expected, why) in [
        ("GET / HTTP/1.1\nhost: t\r\n\r\n", "GET / HTTP/1.1\0", "a bare line feed"),
        ("GET / HTTP/1.1\r\nhost: t\n\r\n", "GET / HTTP/1.1\r\nhost: t\0", "a bare line feed"),
        ("GET / HTTP/1.1\r\nhost: t\r\n\n", "GET / HTTP/1.1\r\nhost: t\r\n\0", "a bare line feed"),
        ("\nGET / HTTP/1.1\r\n\r\n", "\0", "a bare line feed"),
        ("\rGET / HTTP/1.1\r\n\r\n", "\0", "a bare carriage return"),
        ("GET /#a HTTP/1.1\r\n\r\n", "GET /#a HTTP/1.1\r\0", "a fragment in the target"),
        (
            "P / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            "P / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\0",
            "two lengths",
        ),
        (
            "P / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n",
            "P / HTTP/1.1\r\ncontent-length: 1, 1\r\0",
            "a length that is no number",
        ),
        (
            "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n",
            "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\0",
            "a length beside chunks",
        ),
        (
            "P / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "P / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\0",
            "a transfer coding that is not chunked",
        ),
        (
            "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\0",
            "two transfer codings",
        ),
    ] {
        check(&format!("{sent}{GET}"), &[expected], Some(why));
    }
}

#[test]
fn chunks_are_read_as_they_are_defined() {
    let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (body, valid) in [
        ("+1\r\na\r\n0\r\n\r\n", ""),
        ("-1\r\na\r\n0\r\n\r\n", ""),
        ("0x1\r\na\r\n0\r\n\r\n", "0"),
        ("\r\n0\r\n\r\n", ""),
        (" 1\r\na\r\n0\r\n\r\n", ""),
        ("1 \r\na\r\n0\r\n\r\n", "1 "),
        ("1_0\r\na\r\n0\r\n\r\n", "1"),
        ("11111111111111111\r\na", "1111111111111111"),
        ("1\na\r\n0\r\n\r\n", "1"),
        ("1;x\na\r\n0\r\n\r\n", "1;x"),
        ("1;x\0\r\na\r\n0\r\n\r\n", "1;x"),
        ("1\r\nab\r\n0\r\n\r\n", "1\r\na"),
        ("1\r\na\n0\r\n\r\n", "1\r\na"),
        ("1\r\na\r0\r\n\r\n", "1\r\na\r"),
        ("0\r\nx: 1\n\r\n", "0\r\nx: 1"),
        ("0\r\nx\r\n\r\n", "0\r\nx"),
        ("0\r\n: 1\r\n\r\n", "0\r\n"),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", "0\r\nGET"),
        ("0\r\n\n", "0\r\n"),
    ] {
        let sent = format!("{head}{body}{GET}");
        for piece in [sent.len(), 1, 5] {
            let (requests, why) = shown(sent.as_bytes(), piece);
            assert_eq!(requests, [format!("{head}{valid}")], "{body:?}");
            assert!(why.is_some(), "{body:?}");
        }
    }
    for (begun, more) in [("3;a", "a"), ("0\r\nx-t: ", "a"), ("0\r\n", "x-t: a\r\n")] {
        let sent = format!("{head}{begun}{}", more.repeat(20_000));
        assert!(shown(sent.as_bytes(), 1000).1.is_some(), "{begun:?}");
    }
    let fits = format!(
        "{head}3;a={}\r\nabc\r\n0\r\nx-t: {}\r\n\r\n",
        "b".repeat(4000),
        "c".repeat(16_000)
    );
    check(&fits, &[&fits], None);
}

#[test]
fn a_later_minor_version_is_served_as_1_1() {
    let sent = GET.replace("1.1", "1.7");
    assert_eq!(shown(sent.as_bytes(), sent.len()).0, [GET]);
}

#[test]
fn an_absolute_target_without_a_path_is_known() {
    for (target, expected) in [
        ("http://a", true),
        ("https://a:1", true),
        ("http://a/", false),
        ("http://a?b", false),
        ("*", false),
    ] {
        let mut messages = Messages::default();
        messages.read(&mut format!("OPTIONS {target} HTTP/1.1\r\n\r\n").into_bytes());
        assert_eq!(messages.whole_server, expected, "{target}");
    }
}
