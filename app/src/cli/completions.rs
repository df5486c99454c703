//! `dinoscope completions`: scripts that complete the command line in a shell.

use std::io::Write;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

/// Print a script that completes dinoscope's arguments in your shell
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  dinoscope completions bash > ~/.local/share/bash-completion/completions/dinoscope
  dinoscope completions zsh > ~/.zfunc/_dinoscope
  dinoscope completions fish > ~/.config/fish/completions/dinoscope.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the arguments in `command`.
pub fn run(args: &CompletionsArgs, command: &mut Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "dinoscope", &mut script);
    match std::io::stdout().lock().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("cannot write to stdout"),
        _ => Ok(()),
    }
}
