//! What the workspace promises about itself.
