//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for what is no client: listeners, databases, files, the runtimes themselves.
const RESERVED: u64 = 64;

/// Raises the soft limit to the hard one, which needs no privilege, and returns how many connections fit: at most
/// `wanted`.
///
/// The soft limit is 1024 by tradition, for the sake of `select`, which nothing here uses.
pub(crate) fn room_for(wanted: usize) -> usize {
    let mut limits = getrlimit(Resource::Nofile);
    // macOS says that there is no hard limit, and refuses a soft one above its OPEN_MAX.
    let most = if cfg!(target_os = "macos") { Some(10_240) } else { limits.maximum };
    let raised = Rlimit { current: most, maximum: limits.maximum };
    // Some sandboxes forbid it: then the soft limit is what there is.
    if limits.current != limits.maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        limits = raised;
    }
    let Some(limit) = limits.current else { return wanted };
    let fits = fits(limit);
    if fits >= wanted {
        return wanted;
    }
    tracing::warn!(
        "MAX_CONNECTIONS is {wanted}, and this process may open {limit} files (LimitNOFILE, ulimit -n): \
         {fits} connections at once are taken"
    );
    fits
}

/// The connections that a limit leaves room for: all but the reserve, at least half.
fn fits(limit: u64) -> usize {
    let left = limit.saturating_sub(RESERVED).max(limit / 2).max(1);
    usize::try_from(left).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_left_for_what_is_no_client() {
        assert_eq!(fits(1024), 960);
        assert_eq!(fits(100), 50);
        assert_eq!(fits(1), 1);
    }
}
