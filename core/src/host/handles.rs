//! The methods of a host for its adapter, which an App does not call.

use std::sync::PoisonError;

use super::Host;
use crate::databases::Databases;
use crate::{Epoch, Phase};

/// The handles of a host that its adapter holds: they change the process, and an App has no use for them.
pub trait HostHandles {
    /// Moves the process on to a later phase. An earlier one than the current is ignored: a process that has begun to
    /// drain never becomes ready again.
    fn advance(&self, phase: Phase);

    /// Returns the counter of moments at which this process may have been frozen.
    fn epoch(&self) -> &Epoch;

    /// Returns the databases that were opened through this host so far.
    fn databases(&self) -> Databases;
}

impl HostHandles for Host {
    fn advance(&self, phase: Phase) {
        self.0.lifecycle.advance(phase);
    }

    fn epoch(&self) -> &Epoch {
        &self.0.epoch
    }

    fn databases(&self) -> Databases {
        self.0.databases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
