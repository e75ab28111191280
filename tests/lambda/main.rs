//! The life of a Lambda process on a Runtime API that fails in every way.
