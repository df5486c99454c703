//! A desktop microscope for DINOv3 vision models.

#![allow(rustdoc::broken_intra_doc_links, reason = "doc comments of arguments are help texts, where [N] is optional")]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
