//! The kernel against a plain, dense implementation.
