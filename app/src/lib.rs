//! A desktop microscope for DINOv3 vision models: its window and its command line.

#![allow(rustdoc::broken_intra_doc_links, reason = "doc comments of arguments are help texts, where [N] is optional")]

pub mod cli;
pub mod gui;
mod metadata;
