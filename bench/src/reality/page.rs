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
    let Reality { machine, runs } = reality;
    let figures = || runs.iter().flat_map(|run| &run.figures);
    let close = figures().filter(|figure| figure.close()).count();
    let mut text = format!(
        "{close} of {} figures within {:.0} %. Measured on {} × {} with a load of {:.1} before, in {:.0} minutes.\n\n\
         | traffic | program | requests (without answer) | figure | predicted | measured | off by | |\n\
         |---|---|---|---|---|---|---|---|\n",
        figures().count(),
        CLOSE * 1e2,
        machine.cpus,
        machine.processor,
        machine.load_before,
        (machine.seconds / 60.0).ceil(),
    );
    for Run { traffic, requests, failed, program, figures } in runs {
        for figure in figures {
            let Figure { what, unit, predicted, measured } = figure;
            let word = if figure.close() { "close" } else { "**missed**" };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {traffic} | {program} | {requests} ({failed}) | {what} | {predicted:.1} {unit} | {measured:.1} {unit} | {:+.0} % | {word} |",
                figure.off() * 1e2,
            );
        }
    }
    text
}
