//! A desktop microscope for DINOv3 vision models.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
