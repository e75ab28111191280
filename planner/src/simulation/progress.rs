//! The progress of a simulation, for its display.

use indicatif::ProgressBar;

/// Where a simulation tells how far it is. It costs nothing without a watcher.
#[derive(Clone, Debug, Default)]
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Told to a bar, in thousandths.
    #[must_use]
    pub fn bar(bar: ProgressBar) -> Self {
        bar.set_length(1000);
        Self(Some(bar))
    }

    /// Shows that this share of the virtual time is done.
    pub(crate) fn at(&self, share: f64) {
        if let Some(bar) = &self.0 {
            bar.set_position((share * 1000.0) as u64);
        }
    }

    pub(crate) fn done(&self) {
        if let Some(bar) = &self.0 {
            bar.finish();
        }
    }
}
