//! Integration tests of dinoscope live in `tests/`; this library is empty on purpose.
