//! Behind SAM's API Gateway on AWS's emulator: REST APIs and HTTP APIs over plain HTTP.

use anyhost_tests::servers::Postgres;
use anyhost_tests::wire::{EchoAnswer as _, SeenRequest, get, head, post, request};

use crate::emulator::Emulator;
use crate::gateway::{Api, Gateway};
use crate::notes;

/// The same through both kinds of API, each on an emulator of its own.
macro_rules! through_both {
    ($($name:ident => $check:path;)*) => {
        mod rest {
            $(#[test] fn $name() { $check(super::Api::Rest); })*
        }
        mod http {
            $(#[test] fn $name() { $check(super::Api::Http); })*
        }
    };
}

through_both! {
    notes_are_created_listed_changed_and_deleted => super::notes_live;
    what_a_client_sends_reaches_the_app_and_what_the_app_answers_the_client => super::echo;
}

fn notes_live(api: Api) {
    let database = notes::database(Postgres::shared());
    let emulator = Emulator::start("notes-lambda", &[("DATABASE_URL", &database)]);
    let gateway = Gateway::start(api, &emulator);
    notes::live(|request| gateway.send(request));
}

/// One emulator for all of it: starting the front takes longer than everything that goes through it.
fn echo(api: Api) {
    let emulator = Emulator::start("echo-lambda", &[]);
    let gateway = Gateway::start(api, &emulator);

    let seen = gateway.send(&get("/a%20b/caf%C3%A9?q=1%202&q=3&empty")).seen();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/a%20b/caf%C3%A9"));
    let expected = [("q", "1 2"), ("q", "3"), ("empty", "")].map(|(n, v)| (n.into(), v.into()));
    assert_eq!(sorted(seen.pairs()), sorted(expected.into()));

    let repeated = get("/x").header("X-Dup", "1").header("X-Dup", "2").header("Cookie", "a=1; b=2");
    let seen = gateway.send(&repeated).seen();
    assert_eq!(seen.listed("x-dup"), ["1", "2"]);
    assert_eq!(seen.one("cookie"), "a=1; b=2");

    let bytes: Vec<u8> = (0..=255).collect();
    let binary = post("/upload", bytes.clone()).header("Content-Type", "application/octet-stream");
    let seen = gateway.send(&binary).seen();
    assert_eq!((&seen.body, seen.method.as_str()), (&bytes, "POST"));
    assert_eq!(seen.one("content-length"), "256");

    let text = post("/upload", "grün").header("Content-Type", "text/plain; charset=utf-8");
    assert_eq!(gateway.send(&text).seen().body, "grün".as_bytes());

    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(gateway.send(&request(method, "/x")).seen().method, method);
    }

    let cookies = gateway.send(&get("/r/twocookies")).expect(200).all("set-cookie");
    assert_eq!(cookies, ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/"]);

    let repeated = gateway.send(&get("/r/duphdr")).expect(200);
    assert_eq!(repeated.listed("x-dup"), ["1", "2"]);
    assert_eq!(repeated.listed("vary"), ["origin", "accept"]);

    let binary = gateway.send(&get("/r/bin").header("Accept", "image/png")).expect(200);
    assert_eq!(binary.body, [0x89, 0x50, 0xff, 0x00]);
    assert_eq!(gateway.send(&get("/r/text")).expect(200).body, "héllo".as_bytes());

    let nothing = gateway.send(&get("/r/204")).expect(204);
    assert_eq!(nothing.body, b"");
    let headers_alone = gateway.send(&head("/r/text")).expect(200);
    assert_eq!(headers_alone.body, b"");
    assert_eq!(headers_alone.one("content-type"), "text/plain; charset=utf-8");

    let redirect = gateway.send(&get("/r/redirect")).expect(302);
    assert_eq!(redirect.one("location"), "/x?y=1");

    gateway.send(&get("/r/panic")).problem(500);
    gateway.send(&get("/r/big7mb")).problem(500);
    let after: SeenRequest = gateway.send(&get("/still")).seen();
    assert_eq!(after.path, "/still");
}

/// API Gateway gives the parameters of a REST API in no order between names.
fn sorted(mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs
}
