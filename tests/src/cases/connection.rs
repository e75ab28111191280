//! The HTTP/1.1 connection itself: invalid requests are refused, and requests never mix.

use crate::cases::{ask, cases, still_answers, tail};
use crate::doors::Door;
use crate::wire::{EchoAnswer as _, Request, Response, SeenRequest, get};

#[track_caller]
fn exchange(door: &dyn Door, bytes: &[u8]) -> Vec<Response> {
    match door.exchange(bytes) {
        Ok(responses) => responses,
        Err(error) => panic!("{error}\nlog: {}", tail(&door.log())),
    }
}

/// Expects one 400 and the end of the connection; nothing reaches the App.
#[track_caller]
fn refused(door: &dyn Door, bytes: &[u8]) {
    let responses = exchange(door, bytes);
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [400], "{responses:?}");
    still_answers(door);
}

#[track_caller]
fn seen(responses: Vec<Response>) -> Vec<SeenRequest> {
    responses.into_iter().map(Response::seen).collect()
}

/// A browser's request for a WebSocket.
fn websocket(path: &str) -> Request {
    get(path)
        .header("Connection", "Upgrade, close")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

cases! { "connection";

fn a_raw_space_in_the_target_is_400(door) [Wire] { refused(door, b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n") }
fn a_quote_in_the_target_is_400(door) [Wire] { refused(door, b"GET /a<b HTTP/1.1\r\nHost: h\r\n\r\n") }
fn a_space_in_a_header_name_is_400(door) [Wire] { refused(door, b"GET / HTTP/1.1\r\nHost: h\r\nX Y: 1\r\n\r\n") }
fn a_space_before_the_colon_is_400(door) [Wire] { refused(door, b"GET / HTTP/1.1\r\nHost: h\r\nX-Y : 1\r\n\r\n") }
fn a_folded_header_is_400(door) [Wire] { refused(door, b"GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\n 2\r\n\r\n") }
fn an_unknown_version_is_400(door) [Wire] { refused(door, b"GET / HTTP/3.7\r\nHost: h\r\n\r\n") }
fn a_nul_in_a_header_is_400(door) [Wire] { refused(door, b"GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n") }
fn a_host_for_a_target_is_400(door) [Wire] { refused(door, b"GET a.example:80 HTTP/1.1\r\nHost: h\r\n\r\n") }
fn an_asterisk_is_for_options_alone(door) [Wire] { refused(door, b"GET * HTTP/1.1\r\nHost: h\r\n\r\n") }
fn two_different_lengths_are_400(door) [Wire] {
    refused(door, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
}
fn a_length_that_is_no_number_is_400(door) [Wire] {
    refused(door, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na")
}
fn a_length_beside_chunks_is_400(door) [Wire] {
    refused(door, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
}

fn a_chunk_that_is_none_is_400(door) [Wire] {
    let responses = exchange(door, b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n");
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [400], "{responses:?}");
    still_answers(door);
}

fn an_endless_chunk_line_is_400(door) [Wire] {
    let begun = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3";
    for more in [";a".repeat(10_000), "0".repeat(20_000)] {
        refused(door, format!("{begun}{more}").as_bytes());
    }
}

fn endless_trailers_are_400(door) [Wire] {
    let begun = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    refused(door, format!("{begun}{}", "x-t: 0123456789\r\n".repeat(2000)).as_bytes());
}

fn a_body_that_breaks_off_never_reaches_the_app_whole(door) [Wire] {
    // The client disconnects in the middle: the request is dropped, and the next client is served.
    let request = b"POST /cut HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf";
    let answer = door.exchange_cut(request).unwrap_or_default();
    assert!(answer.iter().all(|response| response.status >= 400), "{answer:?}");
    still_answers(door);
}

fn a_chunk_longer_than_announced_is_400(door) [Wire] {
    refused(door, b"POST /long HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n");
}

fn a_wrong_chunk_behind_right_ones_is_400(door) [Wire] {
    refused(door, b"POST /later HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\nzz\r\n0\r\n\r\n");
}

fn a_websocket_is_501_where_there_is_none(door) [Upgrades, NoWebSockets] {
    ask(door, &websocket("/r/websocket")).problem(501);
    still_answers(door);
}

fn a_websocket_is_taken_up(door) [Wire, WebSockets] {
    // Behind the handshake a close frame, masked as a client's are; its answer has neither mask nor status.
    let head = "GET /r/websocket HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let response = exchange(door, &[head.as_bytes(), b"\x88\x80\0\0\0\0"].concat()).remove(0).expect(101);
    assert_eq!(response.body, b"\x88\0");
    assert_eq!(response.one("upgrade"), "websocket");
    assert_eq!(response.one("connection"), "upgrade");
    // RFC 6455 §1.3 has this pair.
    assert_eq!(response.one("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    still_answers(door);
}

fn an_app_may_refuse_a_websocket(door) [Upgrades, WebSockets] {
    assert_eq!(ask(door, &websocket("/plain")).expect(200).seen().path, "/plain");
    ask(door, &websocket("/r/missing")).problem(404);
    still_answers(door);
}

fn an_upgrade_that_connection_does_not_name_is_none(door) [Wire] {
    // RFC 9110 §7.8; with a body, since an upgrade would make one unreadable.
    for head in ["GET /u HTTP/1.1\r\nHost: h\r\n", "POST /u HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"] {
        let rest = "Upgrade: websocket\r\nContent-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let responses = exchange(door, format!("{head}{rest}").as_bytes());
        assert_eq!(responses.len(), 2, "{responses:?}");
        let seen = seen(responses);
        assert_eq!((seen[0].body.as_slice(), seen[1].path.as_str()), (&b"abc"[..], "/next"));
    }
}

fn what_follows_a_websocket_that_is_refused_is_no_request(door) [Wire] {
    let responses = exchange(
        door,
        b"GET /r/missing HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\
          GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [404], "{responses:?}");
    still_answers(door);
}

fn an_offer_of_http_2_is_answered_in_http_1(door) [Upgrades] {
    let offer = get("/h2c")
        .header("Connection", "Upgrade, HTTP2-Settings, close")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA");
    let response = ask(door, &offer).expect(200);
    assert!(response.all("upgrade").is_empty(), "{response:?}");
    assert!(!response.listed("connection").contains(&"upgrade".to_owned()), "{response:?}");
    assert_eq!(response.seen().path, "/h2c");
}

fn requests_on_one_connection_are_answered_in_order(door) [Wire] {
    let responses = exchange(
        door,
        b"GET /r/slow HTTP/1.1\r\nHost: h\r\n\r\n\
          POST /second HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc\
          POST /third HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n\
          GET /fourth HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(responses.len(), 4, "{responses:?}");
    let mut rest = responses;
    assert_eq!(rest.remove(0).body, b"slow");
    let rest = seen(rest);
    let expected = [("/second", &b"abc"[..]), ("/third", b"def"), ("/fourth", b"")];
    for (seen, (path, body)) in rest.iter().zip(expected) {
        assert_eq!((seen.path.as_str(), seen.body.as_slice()), (path, body));
    }
}

fn a_target_in_absolute_form_means_its_path(door) [Wire] {
    let responses =
        exchange(door, b"GET http://shop.example/a/b?c=d HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    let seen = seen(responses).remove(0);
    assert_eq!((seen.path.as_str(), seen.query.as_deref()), ("/a/b", Some("c=d")));
    assert_eq!(seen.host.as_deref(), Some("shop.example"));
}

fn the_host_of_a_target_in_absolute_form_replaces_the_headers(door) [Wire] {
    // RFC 9112 §3.2.2.
    let responses =
        exchange(door, b"GET http://shop.example:81/a HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n");
    let seen = seen(responses).remove(0);
    assert_eq!((seen.one("host"), seen.host.as_deref()), ("shop.example:81", Some("shop.example:81")));
}

fn a_target_in_absolute_form_without_a_path_means_the_whole_server_to_options(door) [Wire] {
    // RFC 9112 §3.2.4.
    for (target, path) in [("http://shop.example", "*"), ("HTTP://shop.example", "*"), ("http://shop.example/", "/")] {
        let request = format!("OPTIONS {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
        assert_eq!(seen(exchange(door, request.as_bytes())).remove(0).path, path, "{target}");
    }
}

fn a_later_minor_version_is_served_as_1_1(door) [Wire] {
    // RFC 9110 §2.5.
    let responses = exchange(door, b"GET /minor HTTP/1.2\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(seen(responses).remove(0).path, "/minor");
}

fn a_target_beyond_all_is_414(door) [Wire] {
    let request = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(66_000));
    let statuses: Vec<u16> = exchange(door, request.as_bytes()).iter().map(|one| one.status).collect();
    assert_eq!(statuses, [414]);
}

fn a_header_name_beyond_all_is_431(door) [Wire] {
    let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{}: 1\r\n\r\n", "a".repeat(70_000));
    let statuses: Vec<u16> = exchange(door, request.as_bytes()).iter().map(|one| one.status).collect();
    assert_eq!(statuses, [431]);
    still_answers(door);
}

fn what_is_refused_unread_is_a_problem_with_a_date(door) [Wire] {
    let response = exchange(door, b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n").remove(0).expect(400);
    assert_eq!(response.one("content-type"), "application/problem+json");
    assert!(!response.one("date").is_empty());
}

fn a_probe_checks_the_host_as_any_request(door) [Wire] {
    for path in ["/livez", "/readyz", "/startupz"] {
        for host in ["", "Host: a b\r\n", "Host: a\r\nHost: b\r\n", "Host: a/b\r\n"] {
            refused(door, format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes());
        }
    }
}

fn options_may_ask_about_the_whole_server(door) [Wire] {
    let responses = exchange(door, b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(seen(responses).remove(0).path, "*");
}

fn spaces_around_a_value_are_not_part_of_it(door) [Wire] {
    let responses =
        exchange(door, b"GET / HTTP/1.1\r\nHost: h\r\nX-Pad: \t v w \t\r\nConnection: close\r\n\r\n");
    assert_eq!(seen(responses).remove(0).one("x-pad"), "v w");
}

fn a_client_that_waits_for_100_is_told_to_continue(door) [Wire] {
    let request =
        b"POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody";
    assert_eq!(seen(exchange(door, request)).remove(0).body, b"body");
}

fn a_body_over_the_limit_is_not_asked_for(door) [Wire] {
    // RFC 9110 §10.1.1: the status is known from the head, so no 100 comes before it.
    let bytes = b"POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n";
    let response = exchange(door, bytes).remove(0).expect(413);
    assert_eq!(response.listed("connection"), ["close"]);
}

fn http_1_0_is_answered_and_closed(door) [Wire] {
    let responses = exchange(door, b"GET /old HTTP/1.0\r\nHost: h\r\n\r\n");
    assert_eq!(seen(responses).remove(0).path, "/old");
}

}
