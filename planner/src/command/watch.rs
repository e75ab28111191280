//! Progress bars, one for each host, on a terminal alone.

use std::io::{IsTerminal, stderr};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::hosts::Host;
use crate::simulation::Progress;

/// Progress bars that are gone when it is.
#[derive(Debug)]
pub(crate) struct Watch(Option<MultiProgress>);

impl Watch {
    pub(crate) fn new() -> Self {
        Self(stderr().is_terminal().then(MultiProgress::new))
    }

    pub(crate) fn host(&self, host: &Host) -> Progress {
        let Some(bars) = &self.0 else { return Progress::default() };
        let style =
            ProgressStyle::with_template("{prefix:>16} {wide_bar} {percent:>3} % {elapsed:>4}")
                .expect("the template is sound");
        let bar = bars.add(ProgressBar::new(1000)).with_style(style);
        bar.set_prefix(host.name.clone());
        Progress::bar(bar)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(bars) = &self.0 {
            // A terminal that is gone shows nothing anyway.
            let _ = bars.clear();
        }
    }
}
