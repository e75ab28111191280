//! The framing of HTTP/1.1 requests: a message that two servers may read differently is refused (RFC 9112).

use crate::cases::{cases, still_answers, tail};
use crate::doors::Door;
use crate::wire::EchoAnswer as _;

const NEXT: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// Expects one 400 and the end of the connection; the bytes behind the request are not served.
#[track_caller]
fn refused(door: &dyn Door, head: &str, rest: &str) {
    let sent = format!("POST /f HTTP/1.1\r\nHost: h\r\n{head}\r\n{rest}{NEXT}");
    match door.exchange(sent.as_bytes()) {
        Ok(responses) => {
            let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
            assert_eq!(statuses, [400], "{head:?} {rest:?}: {responses:?}");
            assert_eq!(responses[0].listed("connection"), ["close"], "{head:?} {rest:?}");
        }
        Err(error) => panic!("{head:?} {rest:?}: {error}\nlog: {}", tail(&door.log())),
    }
}

#[track_caller]
fn refused_chunks(door: &dyn Door, bodies: &[&str]) {
    for body in bodies {
        refused(door, "Transfer-Encoding: chunked\r\n", body);
    }
    still_answers(door);
}

/// The statuses of all answers to these requests, and the path of each.
#[track_caller]
fn paths(door: &dyn Door, sent: &str) -> Vec<String> {
    let responses = door.exchange(sent.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    responses.into_iter().map(|response| response.seen().path).collect()
}

cases! { "framing";

fn a_chunk_size_is_hexadecimal_digits_alone(door) [Wire] {
    // RFC 9112 §7.1: no sign, no prefix, no white space, not more than a number holds.
    refused_chunks(door, &[
        "+1\r\na\r\n0\r\n\r\n", "-1\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", "1_0\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n", "1 \r\na\r\n0\r\n\r\n", "\r\n1\r\na\r\n0\r\n\r\n", "g\r\na\r\n0\r\n\r\n", ";x\r\n\r\n",
        "10000000000000000\r\n", "fffffffffffffffff\r\n", "00000000000000000001\r\na\r\n0\r\n\r\n", "1\u{0660}\r\na\r\n",
    ]);
}

fn every_line_around_chunks_ends_with_crlf(door) [Wire] {
    // RFC 9112 §2.2 lets a recipient take a bare line feed for a line end in a head; nothing lets it do so here.
    refused_chunks(door, &[
        "1\na\r\n0\r\n\r\n", "1;x\na\r\n0\r\n\r\n", "1;x=\"\n\"\r\na\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\na\r0\r\n\r\n",
        "1\r\na\r\n0\n\r\n", "1\r\na\r\n0\r\n\n", "1\ra\r\n0\r\n\r\n", "1;\0\r\na\r\n0\r\n\r\n", "1;x\ry\r\na\r\n0\r\n\r\n",
    ]);
}

fn a_target_has_no_fragment(door) [Wire] {
    // RFC 9112 §3.2: a proxy in front may route by what a server takes for a fragment and drops.
    for target in ["/a#b", "/#", "/a?b#c", "/a#/../b", "http://h/a#b"] {
        let sent = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n{NEXT}");
        let responses = door.exchange(sent.as_bytes()).unwrap_or_else(|error| panic!("{target}: {error}"));
        let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [400], "{target}");
    }
    still_answers(door);
}

fn data_is_as_long_as_its_size(door) [Wire] {
    refused_chunks(door, &[
        "1\r\nab\r\n0\r\n\r\n", "2\r\na\r\n0\r\n\r\n", "0\r\na\r\n\r\n", "1\r\na0\r\n\r\n", "1\r\na\r\n\r\n0\r\n\r\n",
    ]);
}

fn trailers_are_header_lines(door) [Wire] {
    // A request behind the last chunk must not be taken for a trailer of it.
    refused_chunks(door, &[
        "0\r\nx: 1\n\r\n", "0\r\nx\r\n\r\n", "0\r\n: 1\r\n\r\n", "0\r\nx : 1\r\n\r\n", "0\r\n x: 1\r\n\r\n", "0\r\n",
        "0\r\nx: \0\r\n\r\n", "0\r\nx: 1\r\n y\r\n\r\n",
    ]);
}

fn extensions_and_trailers_have_a_bound(door) [Wire] {
    let (extension, value) = ("a".repeat(5_000), "a".repeat(17_000));
    refused_chunks(door, &[
        &format!("1;{extension}\r\na\r\n0\r\n\r\n"), &format!("0\r\nx: {value}\r\n\r\n"),
        &format!("0\r\n{}\r\n", "x: 0123456789\r\n".repeat(2_000)),
    ]);
}

fn chunks_with_extensions_and_trailers_are_read(door) [Wire] {
    let body = "3 ; a=\"b\" ;c\r\nabc\r\n0A\r\n0123456789\r\n00;x\r\nX-T: 1\r\n\r\n";
    let sent = format!("POST /f HTTP/1.1\r\nHost: h\r\ntransfer-encoding:\tChunked \r\n\r\n{body}{NEXT}");
    let responses = door.exchange(sent.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(responses.len(), 2, "{responses:?}");
    assert_eq!(responses[0].clone().seen().body, b"abc0123456789");
}

fn a_length_is_digits_alone_and_there_is_one(door) [Wire] {
    for length in ["+1", "-1", "1, 1", "1,1", "0x1", "1 1", "", "1_0", "99999999999999999999", "1;", "\u{0661}"] {
        refused(door, &format!("Content-Length: {length}\r\n"), "a");
    }
    for two in ["1\r\nContent-Length: 2", "1\r\nContent-Length: 1", "1\r\ncontent-length: 1"] {
        refused(door, &format!("Content-Length: {two}\r\n"), "ab");
    }
    still_answers(door);
}

fn chunked_is_the_one_transfer_coding(door) [Wire] {
    for coding in [
        "chunked, gzip", "gzip, chunked", "gzip", "identity", "xchunked", "chunked, chunked", "chunked;q=1", "\"chunked\"", "", "chunked,",
        "\u{b}chunked", "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: gzip", "gzip\r\nTransfer-Encoding: chunked",
        "chunked\r\nContent-Length: 5", "chunked\r\nContent-Length: 0", "\r\n chunked",
    ] {
        refused(door, &format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n");
    }
    refused(door, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n");
    still_answers(door);
}

fn a_line_of_a_head_ends_with_crlf(door) [Wire] {
    for lines in [
        "X-A: 1\nX-B: 2\r\n", "X-A: 1\rX-B: 2\r\n", "X-A: 1\r\r\n", "\n", "X-A: 1\r\n\n", "X-A: \0\r\n", "X-A: 1\r\n\tfolded\r\n",
        "X-A : 1\r\n", "X A: 1\r\n", ": 1\r\n", "nonsense\r\n", "X-A\0: 1\r\n", "\u{b}X-A: 1\r\n",
    ] {
        refused(door, lines, "");
    }
    still_answers(door);
}

fn empty_lines_before_a_request_are_no_request(door) [Wire] {
    let length = "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(paths(door, &format!("\r\n{length}\r\n\r\n{NEXT}")), ["/1", "/smuggled"]);
}

fn nothing_is_answered_behind_a_close(door) [Wire] {
    // RFC 9112 §9.6.
    for close in ["HTTP/1.1\r\nHost: h\r\nConnection: close\r\n", "HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n", "HTTP/1.0\r\nHost: h\r\n"] {
        let sent = format!("GET /first {close}\r\n{NEXT}{NEXT}");
        assert_eq!(paths(door, &sent), ["/first"], "{close}");
    }
}

fn an_answer_has_the_flags_of_its_own_request(door) [Wire] {
    // RFC 9112 §9.3: keep-alive of HTTP/1.0, a later close, and a later version say nothing about those before.
    let kept = "GET /r/slow HTTP/1.1\r\nHost: h\r\n\r\nGET /r/slow HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let sent = format!("{kept}{NEXT}");
    let responses = door.exchange(sent.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(responses.len(), 3, "{responses:?}");
    assert!(responses[0].all("connection").is_empty(), "{responses:?}");
    assert_eq!(responses[1].listed("connection"), ["keep-alive"]);
    assert_eq!(responses[2].listed("connection"), ["close"]);
}

}
