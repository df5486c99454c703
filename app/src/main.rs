//! A desktop microscope for DINOv3 vision models.

fn main() -> std::process::ExitCode {
    dinoscope::cli::run()
}
