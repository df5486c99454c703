//! dinoscope
fn main() {}
