//! The planner against theory, arithmetic and recorded traffic.
