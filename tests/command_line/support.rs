//! A folder to work in, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(unix)]
use std::process::{Child, Stdio};
#[cfg(unix)]
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own for a test; relative paths of the program's arguments are in it.
pub struct Workplace(TempDir);

/// What a run of the program gave.
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Workplace {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// A picture with smooth gradients and a bright square, which tells patches apart.
    pub fn picture(&self, name: &str, width: u32, height: u32) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder");
        let square = (width / 4..width / 2, height / 4..height / 2);
        image::RgbImage::from_fn(width, height, |x, y| {
            if square.0.contains(&x) && square.1.contains(&y) {
                image::Rgb([250, 240, 20])
            } else {
                image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])
            }
        })
        .save(path)
        .expect("a picture");
    }

    /// Runs the program on the small demo model's usual 64 pixels.
    pub fn run_small(&self, arguments: &[&str]) -> Ran {
        self.run(&[arguments, &["--size", "64", "--device", "cpu"]].concat())
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(&[], &[], arguments)
    }

    /// Without some variables of the environment.
    pub fn run_without(&self, arguments: &[&str], variables: &[&str]) -> Ran {
        self.run_in(&[], variables, arguments)
    }

    /// With these environment variables.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
        self.run_in(variables, &[], arguments)
    }

    fn run_in(&self, with: &[(&str, &str)], without: &[&str], arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dinoscope"));
        // What one test searches is not what another finds.
        command.env("XDG_CACHE_HOME", self.path("cache"));
        without.iter().for_each(|variable| {
            command.env_remove(variable);
        });
        let command = command.args(arguments).envs(with.iter().copied()).current_dir(self.0.path());
        let output = command.output().expect("the program starts");
        Ran {
            status: output.status.code().expect("an exit status"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// A run that goes on, once `is_under_way`: to be interrupted.
    #[cfg(unix)]
    pub fn start_until(&self, arguments: &[&str], is_under_way: impl Fn() -> bool) -> Child {
        let child = Command::new(env!("CARGO_BIN_EXE_dinoscope"))
            .args(arguments)
            .current_dir(self.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let start = Instant::now();
        while !is_under_way() {
            assert!(start.elapsed().as_secs() < 120, "nothing came of it");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    /// The most memory that a run had at once, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self, arguments: &[&str]) -> u64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dinoscope"));
        command.args(arguments).arg("--quiet").env("XDG_CACHE_HOME", self.path("cache")).current_dir(self.0.path());
        let mut child = command.spawn().expect("the program starts");
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
            peak = line.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).map_or(peak, |kilobytes| kilobytes << 10);
            match child.try_wait().expect("a child") {
                Some(status) => {
                    assert!(status.success() && peak > 0);
                    return peak;
                }
                None => std::thread::sleep(std::time::Duration::from_millis(5)),
            }
        }
    }

    /// Names in a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn picture_size(&self, name: &str) -> (u32, u32) {
        image::image_dimensions(self.path(name)).expect("a picture")
    }
}

impl Ran {
    /// Status 0 and nothing on stderr.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""));
        self
    }

    /// This status, and one line on stderr with all these words.
    #[track_caller]
    pub fn failed(self, status: i32, words: &[&str]) -> Self {
        assert_eq!(self.status, status, "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("dinoscope: "), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word} is not in: {}", self.stderr);
        }
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("one JSON object on stdout")
    }
}
