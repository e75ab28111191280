//! The costs of a request: processor time, context switches, wake-ups and system calls of each server.

use std::fmt::Write as _;

use crate::process::Counters;
use crate::results::{Contest, Entry, Results};

/// Writes the table of the costs of one request for each server; nothing if they were not counted.
pub(super) fn table(text: &mut String, results: &Results) {
    let http = || results.contests.iter().filter(|contest| contest.id.starts_with("http/"));
    if !http().any(|contest| contest.entries.iter().any(|entry| each(entry).is_some())) {
        return;
    }
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n### HTTP: where a request's time goes\n\n\
         For each request, by the kernel's count of the server's process. Waiting is a thread that gives up \
         its processor; a wake is a write to what is no socket, mostly an eventfd, by which one thread wakes \
         another. System calls were counted by `strace -c -f` in a turn of their own, where it could; it \
         slows a server down, so that more is ready at each wait.\n\n\
         | | outside the kernel | in the kernel | waiting | wakes | new pages | system calls |\n|{}\n",
        "---|".repeat(7)
    );
    for contest in http() {
        rows(text, contest, results);
    }
}

fn rows(text: &mut String, contest: &Contest, results: &Results) {
    let _ = writeln!(text, "| **{}** | | | | | | |", contest.title);
    for entry in &contest.entries {
        let Some((done, all)) = each(entry) else { continue };
        let calls = results
            .calls
            .iter()
            .find(|calls| calls.contest == contest.id && calls.contender == entry.name)
            .map_or(String::new(), |calls| format!("{:.2}", calls.each));
        let _ = writeln!(
            text,
            "| {} | {:.1} µs | {:.1} µs | {:.2} | {:.2} | {:.2} | {calls} |",
            entry.name,
            all.user / done * 1e6,
            all.system / done * 1e6,
            all.waits as f64 / done,
            all.wakes as f64 / done,
            all.faults as f64 / done,
        );
    }
}

/// The number of iterations in all turns with counters, and the sum of the counters.
fn each(entry: &Entry) -> Option<(f64, Counters)> {
    let mut all = Counters::default();
    let mut done = 0;
    for turn in &entry.turns {
        all += turn.counters?;
        done += turn.done;
    }
    (done > 0).then_some((done as f64, all))
}
