//! Paths arrive as the client wrote them, if the source's events allow that.

use crate::cases::{cases, seen};
use crate::doors::Door;
use crate::wire::get;

#[track_caller]
fn kept(door: &dyn Door, path: &str) {
    let seen = seen(door, &get(path));
    assert_eq!((seen.path.as_str(), seen.query), (path, None));
}

cases! { "path";

fn the_root_is_a_slash(door) { kept(door, "/") }
fn a_plain_path_stays(door) { kept(door, "/notes/42/edit") }
fn a_slash_at_the_end_stays(door) { kept(door, "/notes/") }
fn double_slashes_stay(door) { kept(door, "/a//b///c//") }
fn a_path_may_begin_with_two_slashes(door) { kept(door, "//a.example/b") }
fn dot_segments_stay(door) { kept(door, "/a/../b/./c/..") }
fn an_escaped_space_stays_escaped(door) { kept(door, "/tall%20glass/%20") }
fn escaped_utf_8_stays_escaped(door) { kept(door, "/caf%C3%A9/%CE%BB/%F0%9F%98%80") }
fn an_escaped_percent_sign_is_not_decoded(door) { kept(door, "/100%25/of") }
fn what_looks_escaped_twice_is_not_decoded_twice(door) { kept(door, "/a%2520b%252Fc%253F") }
fn a_plus_sign_is_no_space(door) { kept(door, "/a+b/c%20+d") }
fn sub_delimiters_stay(door) { kept(door, "/a!$&'()*+,;=:@b") }
fn unreserved_characters_stay(door) { kept(door, "/AZaz09-._~") }
fn matrix_parameters_stay(door) { kept(door, "/cars;colour=red;doors=4/list") }
fn escaped_quotes_and_brackets_stay(door) { kept(door, "/%22a%22/%3Cb%3E/%5Bc%5D/%7Bd%7D") }
fn escaped_controls_stay(door) { kept(door, "/a%0D%0Ab%00c%7F") }
fn escaped_backslash_caret_and_bar_stay(door) { kept(door, "/a%5Cb%5Ec%7Cd%60e") }
fn a_colon_in_the_first_segment_stays(door) { kept(door, "/urn:isbn:0451450523") }
fn a_path_of_3000_bytes_stays(door) { kept(door, &format!("/{}", "abcdefghi/".repeat(300))) }
fn a_path_that_begins_with_the_stages_name_stays(door) { kept(door, "/live/a") }
fn a_path_that_is_the_stages_name_stays(door) { kept(door, "/live") }
fn a_path_that_begins_like_the_stages_name_stays(door) { kept(door, "/liver/a") }

fn escapes_keep_their_case(door) [PathEscapes] { kept(door, "/caf%c3%a9/%2f") }
fn an_escaped_slash_is_no_slash(door) [PathEscapes] { kept(door, "/a%2Fb%2f..%2Fc") }
fn an_escaped_question_mark_begins_no_query(door) [PathEscapes] { kept(door, "/a%3Fb=c") }
fn an_escaped_hash_stays(door) [PathEscapes] { kept(door, "/a%23b") }
fn escaped_letters_stay_escaped(door) [PathEscapes] { kept(door, "/%41%2D%7E") }
fn escaped_dots_stay_escaped(door) [PathEscapes] { kept(door, "/a/%2e%2E/b") }
fn escaped_sub_delimiters_stay_escaped(door) [PathEscapes] { kept(door, "/a%3Bb%26c%3Dd%2Be") }
fn escaped_bytes_that_are_not_utf_8_stay(door) [PathEscapes] { kept(door, "/caf%E9/%FF%FE") }

fn a_stray_percent_sign_stays(door) [IllegalTargets] { kept(door, "/100%/x%2/%zz") }
fn a_backslash_is_no_slash(door) [IllegalTargets] { kept(door, "/a\\b\\..\\c") }
fn a_bar_and_a_caret_stay(door) [IllegalTargets] { kept(door, "/a|b^c") }

}
