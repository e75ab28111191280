//! The page that holds predictions and measurements side by side.

use std::fmt::Write as _;
use std::path::Path;

use super::{CLOSE, Figure, Reality, Run};
use crate::page::fill;

/// Writes the table between its markers.
pub(super) fn write(reality: &Reality, root: &Path) -> Result<(), String> {
    fill(&root.join("planner/docs/reality.md"), "reality", &table(reality))
}

fn table(reality: &Reality) -> String {
    let Reality { machine, runs, without_shares } = reality;
    let figures = || runs.iter().flat_map(|run| &run.figures);
    let close = figures().filter(|figure| figure.close()).count();
    let mut text = format!(
        "{close} of {} figures within {:.0} %. Measured on {} × {} with a load of {:.1} before, in {:.0} minutes.\n\n\
         | traffic | program | requests (failed) | figure | predicted | measured | off by | |\n\
         |---|---|---|---|---|---|---|---|\n",
        figures().count(),
        CLOSE * 1e2,
        machine.cpus,
        machine.processor,
        machine.load_before,
        (machine.seconds / 60.0).ceil(),
    );
    for Run { traffic, requests, failed, program, set, figures } in runs {
        let program =
            if set.is_empty() { program.to_string() } else { format!("{program}: {set}") };
        for figure in figures {
            let Figure { what, unit, predicted, range: (low, high), measured } = figure;
            let [predicted, low, high, measured] =
                [predicted, low, high, measured].map(|of| unit.show(*of));
            let off = figure.off_in_words();
            let word = if figure.close() { "close" } else { "**missed**" };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {traffic} | {program} | {requests} ({failed}) | {what} | {predicted} ({low} to {high}) | {measured} | {off} | {word} |",
            );
        }
    }
    if let Some(why) = without_shares {
        let _ = writeln!(text, "\nNothing was run with a share of a processor: {why}.");
    }
    text
}
