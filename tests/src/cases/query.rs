//! Queries arrive with the client's bytes if the source's events have them, and always with the same meaning.

use crate::cases::{cases, seen};
use crate::doors::Door;
use crate::wire::{get, pairs};

#[track_caller]
fn kept(door: &dyn Door, query: &str) {
    let seen = seen(door, &get(&format!("/q?{query}")));
    assert_eq!((seen.path.as_str(), seen.query.as_deref()), ("/q", Some(query)));
}

#[track_caller]
fn means(door: &dyn Door, query: &str, expected: &[(&str, &str)]) {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let expected: Vec<_> = expected.iter().map(own).collect();
    assert_eq!(pairs(query), expected, "the case contradicts itself");
    let seen = seen(door, &get(&format!("/q?{query}")));
    assert_eq!((seen.path.as_str(), seen.pairs()), ("/q", expected), "{:?}", seen.query);
}

cases! { "query";

fn no_query_is_none(door) {
    assert_eq!(seen(door, &get("/q")).query, None);
}

fn one_field_arrives(door) { means(door, "a=1", &[("a", "1")]) }
fn fields_stay_in_order(door) {
    means(door, "zeta=1&alpha=2&mid=3&beta=4", &[("zeta", "1"), ("alpha", "2"), ("mid", "3"), ("beta", "4")])
}
fn a_plus_sign_means_a_space(door) { means(door, "sum=a+b", &[("sum", "a b")]) }
fn an_escaped_plus_sign_means_a_plus_sign(door) { means(door, "sign=a%2Bb", &[("sign", "a+b")]) }
fn an_escaped_space_means_a_space(door) { means(door, "q=a%20b", &[("q", "a b")]) }
fn an_escaped_ampersand_splits_no_field(door) { means(door, "q=a%26b%3Dc", &[("q", "a&b=c")]) }
fn an_escaped_name_is_one_name(door) { means(door, "a%26b%3D=1", &[("a&b=", "1")]) }
fn an_equals_sign_in_a_value_stays_there(door) { means(door, "q=a=b==", &[("q", "a=b==")]) }
fn an_escaped_percent_sign_is_decoded_once(door) { means(door, "q=100%25&r=%2541", &[("q", "100%"), ("r", "%41")]) }
fn a_value_may_be_empty(door) { means(door, "a=&b=2", &[("a", ""), ("b", "2")]) }
fn utf_8_means_the_same(door) { means(door, "q=%CE%BB&%C3%A9=1", &[("q", "λ"), ("é", "1")]) }
fn a_url_may_be_a_value(door) {
    means(door, "back=https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%23d", &[("back", "https://example.com/a?b=c#d")])
}
fn brackets_are_part_of_a_name(door) { means(door, "a%5B0%5D=x&b%5Bk%5D=y", &[("a[0]", "x"), ("b[k]", "y")]) }
fn a_semicolon_splits_no_field(door) { means(door, "a=1;b=2", &[("a", "1;b=2")]) }
fn a_question_mark_and_a_slash_are_part_of_a_value(door) { means(door, "q=/a/b?c", &[("q", "/a/b?c")]) }
fn names_are_case_sensitive(door) { means(door, "a=1&A=2", &[("a", "1"), ("A", "2")]) }
fn quotes_and_backslashes_mean_the_same(door) { means(door, "q=%22a%5Cb%22", &[("q", "\"a\\b\"")]) }
fn line_breaks_mean_the_same(door) { means(door, "q=a%0D%0Ab%09c", &[("q", "a\r\nb\tc")]) }
fn a_value_of_4000_bytes_arrives(door) {
    let value = "x".repeat(4000);
    means(door, &format!("q={value}"), &[("q", &value)])
}

fn repeated_names_keep_all_values_in_order(door) [QueryRepeats] {
    means(door, "a=1&a=2&a=3", &[("a", "1"), ("a", "2"), ("a", "3")])
}
fn the_same_value_twice_is_twice(door) [QueryRepeats] { means(door, "a=1&a=1", &[("a", "1"), ("a", "1")]) }
fn repeated_names_with_others_between_keep_their_places(door) [QueryRepeats, QueryOrder] {
    means(door, "a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")])
}

fn escapes_keep_their_case(door) [QueryEscapes] { kept(door, "q=%2f%2F&r=%c3%A9") }
fn escaped_letters_stay_escaped(door) [QueryEscapes] { kept(door, "q=%41%2D%7E&r=a+b&s=a%20b") }
fn raw_and_escaped_separators_stay_apart(door) [QueryEscapes] { kept(door, "q=/a/b?c:d@e&r=%2Fa%3F%3A") }
fn escaped_bytes_that_are_not_utf_8_stay(door) [QueryEscapes] { kept(door, "q=caf%E9&r=%FF") }
fn sub_delimiters_stay(door) [QueryEscapes] { kept(door, "q=!$'()*,;:@-._~&r=1") }

fn a_name_without_an_equals_sign_stays_so(door) [QueryFlags] { kept(door, "debug&a=&b") }
fn an_empty_query_is_no_missing_query(door) [QueryFlags, QueryEscapes] {
    assert_eq!(seen(door, &get("/q?")).query.as_deref(), Some(""));
}
fn a_stray_percent_sign_stays(door) [IllegalTargets] { kept(door, "q=100%&r=%zz") }
fn illegal_characters_stay(door) [IllegalTargets] { kept(door, "q={a}|b^c`d&r=[1]") }

}
