//! The suite: every case through every door, as named tests, with a table at the end.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use anyhost_test::Lack;

use crate::capabilities::{ACTIX_SKIPS, SKIPS, costs, differences, skipped_for};
use crate::cases::{self, Case};
use crate::doors::{Doors, Entry, Example, Kind};

thread_local! {
    /// What the last panic of this thread said.
    static WORDS: Cell<String> = const { Cell::new(String::new()) };
}

/// Runs the suite through the doors of this workspace, with the arguments of the command line, as libtest would, and
/// prints the table.
#[must_use]
pub fn main() -> ExitCode {
    let own = vec![
        Trial::test("suite::the_written_number_of_skips_is_the_real_one", count_skips),
        Trial::test("suite::the_written_number_of_actix_skips_is_the_real_one", count_actix_skips),
        Trial::test("suite::no_two_cases_have_one_name", unique_names),
    ];
    run_with(Kind::ALL.map(Entry::from).into(), own)
}

/// Runs the suite through other doors, for an adapter that is not of this workspace.
#[must_use]
pub fn run(doors: Vec<Entry>) -> ExitCode {
    run_with(doors, Vec::new())
}

fn run_with(entries: Vec<Entry>, mut trials: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of a case is waiting for a process: more threads than processors keep them busy.
    arguments.test_threads.get_or_insert(8);
    // A failing case is reported by name at the end; until then its words are kept, place and all.
    panic::set_hook(Box::new(|info| WORDS.set(info.to_string())));
    let doors = Arc::new(Doors::new(entries));
    let results = Arc::new(Results::default());
    for door in 0..doors.entries().len() {
        for case in cases::all() {
            let variants = case.example.variants().iter();
            let variants = variants.filter(|example| doors.entries()[door].leads_to(**example));
            trials.extend(variants.map(|example| trial(case, *example, door, &doors, &results)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        show(&results.table(doors.entries()));
    }
    // The processes behind the doors end here; leaving through `exit` would leave them behind.
    drop(doors);
    conclusion.exit_code()
}

fn trial(
    case: &'static Case,
    example: Example,
    door: usize,
    doors: &Arc<Doors>,
    results: &Arc<Results>,
) -> Trial {
    let (doors, results) = (Arc::clone(doors), Arc::clone(results));
    let variant = if example == Example::EchoActix { "actix_" } else { "" };
    let name = doors.entries()[door].name();
    Trial::ignorable_test(format!("{variant}{name}::{}::{}", case.group, case.name), move || {
        let key = Key { case: (case.group, case.name), door, actix: example == Example::EchoActix };
        let cost = || case.needs.iter().find_map(|capability| costs(example, *capability));
        if let Some(reason) = skipped(case, doors.entries()[door].lacks()).or_else(cost) {
            results.record(key, Outcome::Skipped);
            return Ok(Completion::ignored_with(reason));
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| (case.check)(doors.door(door, example))));
        let right = outcome.is_ok();
        results.record(key, if right { Outcome::Right } else { Outcome::Wrong });
        outcome.map(|()| Completion::Completed).map_err(|_| Failed::from(WORDS.take()))
    })
}

/// The reason why a case skips a door; `None` if it does not.
fn skipped(case: &Case, lacks: &[Lack]) -> Option<&'static str> {
    let lack = lacks.iter().find(|(capability, _)| case.needs.contains(capability));
    lack.map(|(_, reason)| *reason)
}

fn count_skips() -> Result<(), Failed> {
    let counted = Kind::ALL
        .map(crate::capabilities::lacks)
        .map(|lacks| cases::all().filter(|case| skipped(case, lacks).is_some()).count());
    if counted == SKIPS {
        Ok(())
    } else {
        Err(format!("{SKIPS:?} is written, {counted:?} is so").into())
    }
}

fn count_actix_skips() -> Result<(), Failed> {
    let counted = skipped_for(Example::EchoActix);
    if counted == ACTIX_SKIPS {
        Ok(())
    } else {
        Err(format!("{ACTIX_SKIPS} is written, {counted} is so").into())
    }
}

fn unique_names() -> Result<(), Failed> {
    let mut seen = std::collections::HashSet::new();
    match cases::all().find(|case| !seen.insert((case.group, case.name))) {
        Some(twice) => Err(format!("{}::{} is there twice", twice.group, twice.name).into()),
        None => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Right,
    Wrong,
    Skipped,
}

/// A case through a door, to the App itself or to its variant in actix-web.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    case: (&'static str, &'static str),
    /// Its place among the doors.
    door: usize,
    actix: bool,
}

#[derive(Default)]
struct Results(Mutex<HashMap<Key, Outcome>>);

impl Results {
    fn record(&self, key: Key, outcome: Outcome) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, outcome);
    }

    /// Writes the table of results of the Apps, and a second one of their actix-web variants.
    fn table(&self, doors: &[Entry]) -> String {
        let results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = String::new();
        for actix in [false, true] {
            if results.keys().any(|key| key.actix == actix) {
                table.push_str(&one_table(&results, doors, actix));
            }
        }
        table
    }
}

/// Cases down, doors across; what did not run is blank.
fn one_table(results: &HashMap<Key, Outcome>, doors: &[Entry], actix: bool) -> String {
    let mut table = String::new();
    let mut line = |text: &str| {
        table.push_str(text.trim_end());
        table.push('\n');
    };
    let letters = |door: usize| (b'A'..=b'Z').nth(door).map_or('?', char::from);
    let ran = |door: &usize| results.keys().any(|key| key.door == *door && key.actix == actix);
    let variant = if actix { "actix-web" } else { "" };
    for door in (0..doors.len()).filter(ran) {
        let count = |wanted| {
            let of_door = results.iter().filter(|(key, _)| key.door == door && key.actix == actix);
            of_door.filter(|(_, outcome)| **outcome == wanted).count()
        };
        let (right, wrong, skipped) =
            (count(Outcome::Right), count(Outcome::Wrong), count(Outcome::Skipped));
        line(&format!(
            "{} {door:<21} {right:>3} right {wrong:>3} wrong {skipped:>3} skipped  {variant}",
            letters(door),
            door = doors[door].name(),
        ));
    }
    line("");
    let header: String = (0..doors.len()).map(|door| format!(" {}", letters(door))).collect();
    line(&format!("{:<76}{header}", "case (+ right, ! wrong, - cannot be carried)"));
    for case in cases::all() {
        let key = |door| Key { case: (case.group, case.name), door, actix };
        let row: Vec<_> = (0..doors.len()).map(|door| results.get(&key(door))).collect();
        if row.iter().all(Option::is_none) {
            continue;
        }
        let mut cells = String::new();
        for outcome in row {
            let sign = match outcome {
                Some(Outcome::Right) => '+',
                Some(Outcome::Wrong) => '!',
                Some(Outcome::Skipped) => '-',
                None => ' ',
            };
            // Writing to a string cannot fail.
            let _ = write!(cells, " {sign}");
        }
        line(&format!("{:<76}{cells}", format!("{}: {}", case.group, case.sentence())));
    }
    line("");
    if actix {
        line("actix-web itself changes");
        for difference in differences(Example::EchoActix) {
            let costs =
                |case: &&Case| case.needs.iter().any(|need| difference.costs == Some(*need));
            let cases = cases::all().filter(costs).count();
            line(&format!("  {}: {} (cases: {cases})", difference.what, difference.reason));
        }
        return table;
    }
    for door in (0..doors.len()).filter(ran) {
        line(&format!("{} {} cannot carry", letters(door), doors[door].name()));
        for (capability, reason) in doors[door].lacks() {
            let cases = cases::all().filter(|case| case.needs.contains(capability)).count();
            line(&format!("  {capability:?}: {reason} (cases: {cases})"));
        }
    }
    table
}

#[expect(clippy::print_stdout, reason = "the table is what this program is run for")]
fn show(table: &str) {
    println!("{table}");
}
