//! Cookies in both directions.

use crate::cases::{ask, cases, seen};
use crate::wire::get;

cases! { "cookies";

fn a_cookie_arrives_exactly_once(door) {
    assert_eq!(seen(door, &get("/c").header("Cookie", "sid=1")).one("cookie"), "sid=1");
}

fn several_cookies_arrive_in_one_header(door) {
    let cookies = "sid=1; mode=dark; lang=en";
    assert_eq!(seen(door, &get("/c").header("Cookie", cookies)).one("cookie"), cookies);
}

fn no_cookie_is_no_header(door) {
    assert!(seen(door, &get("/c")).all("cookie").is_empty());
}

fn values_keep_equals_signs_quotes_and_commas(door) {
    let cookies = "a=x=y==; b=\"q,r\"; C=%3B%20";
    assert_eq!(seen(door, &get("/c").header("Cookie", cookies)).one("cookie"), cookies);
}

fn a_cookie_may_be_empty(door) {
    assert_eq!(seen(door, &get("/c").header("Cookie", "a=; b=2")).one("cookie"), "a=; b=2");
}

fn names_that_are_repeated_are_kept(door) {
    assert_eq!(seen(door, &get("/c").header("Cookie", "a=1; a=2; A=3")).one("cookie"), "a=1; a=2; A=3");
}

fn fifty_cookies_arrive(door) {
    let cookies: Vec<String> = (0..50).map(|n| format!("c{n}={n}")).collect();
    let cookies = cookies.join("; ");
    assert_eq!(seen(door, &get("/c").header("Cookie", &cookies)).one("cookie"), cookies);
}

fn two_cookies_are_set_by_two_headers(door) {
    let response = ask(door, &get("/r/twocookies")).expect(200);
    assert_eq!(
        response.all("set-cookie"),
        ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/"]
    );
}

}
