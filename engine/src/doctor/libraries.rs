//! System libraries that the window opens at run time on Linux.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde::Serialize;

/// Library file and the Debian package that brings it.
const NEEDED: [(&str, &str); 9] = [
    ("libvulkan.so.1", "libvulkan1"),
    ("libEGL.so.1", "libegl1"),
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    ("libdbus-1.so.3", "libdbus-1-3"),
];

/// Package with drivers for Vulkan, a software one among them, and the name under which a missing driver is reported.
const VULKAN_DRIVER: (&str, &str) = ("a Vulkan driver", "mesa-vulkan-drivers");

/// Libraries that the window needs and this machine lacks; none on systems other than Linux.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Libraries {
    /// What is missing.
    pub missing: Vec<MissingLibrary>,
    /// The one command that mends it on Debian and Ubuntu.
    pub install: Option<String>,
}

/// A library that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingLibrary {
    /// "libvulkan.so.1".
    pub name: &'static str,
    /// Debian package that brings it.
    pub package: &'static str,
}

impl Libraries {
    pub(super) fn find() -> Self {
        if !cfg!(target_os = "linux") {
            return Self::default();
        }
        let (listed, folders) = (listed_by_ldconfig(), library_folders());
        let is_there = |name: &str| listed.contains(name) || folders.iter().any(|folder| folder.join(name).exists());
        Self::from_presence(is_there, has_vulkan_driver())
    }

    fn from_presence(is_there: impl Fn(&str) -> bool, has_vulkan_driver: bool) -> Self {
        let driver = (!has_vulkan_driver).then_some(VULKAN_DRIVER);
        let missing = NEEDED.into_iter().filter(|(name, _)| !is_there(name)).chain(driver);
        let missing: Vec<_> = missing.map(|(name, package)| MissingLibrary { name, package }).collect();
        let packages: Vec<_> = missing.iter().map(|library| library.package).collect();
        let install = (!packages.is_empty()).then(|| format!("sudo apt-get install {}", packages.join(" ")));
        Self { missing, install }
    }
}

/// Names in the loader's cache that fit this program's word size.
fn listed_by_ldconfig() -> HashSet<String> {
    // Ordinary users do not have /sbin on their PATH.
    let output = ["/sbin/ldconfig", "/usr/sbin/ldconfig", "ldconfig"]
        .iter()
        .find_map(|program| Command::new(program).arg("-p").output().ok().filter(|output| output.status.success()));
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    names_in_listing(&text, env::consts::ARCH)
}

/// Lines look like `libEGL.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libEGL.so.1`.
fn names_in_listing(text: &str, arch: &str) -> HashSet<String> {
    let fits = |line: &str| match arch {
        "x86_64" => line.contains("x86-64"),
        "aarch64" => line.contains("AArch64"),
        _ => true,
    };
    let lines = text.lines().filter(|line| line.contains("=>") && fits(line));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Where the loader looks besides, and where distributions without `ldconfig` keep libraries.
fn library_folders() -> Vec<PathBuf> {
    let own = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let triplet = format!("{}-linux-gnu", env::consts::ARCH);
    let known = [
        format!("/lib/{triplet}"),
        format!("/usr/lib/{triplet}"),
        "/lib64".to_owned(),
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
        "/usr/local/lib".to_owned(),
        "/run/opengl-driver/lib".to_owned(),
    ];
    env::split_paths(&own).filter(|path| !path.as_os_str().is_empty()).chain(known.map(PathBuf::from)).collect()
}

fn has_vulkan_driver() -> bool {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| env::var_os(name).is_some());
    let folders = [
        "/usr/share/vulkan/icd.d",
        "/usr/local/share/vulkan/icd.d",
        "/etc/vulkan/icd.d",
        "/run/opengl-driver/share/vulkan/icd.d",
    ];
    let has_entries = |folder: &&str| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    named || folders.iter().any(has_entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_installs_what_is_missing() {
        let all = Libraries::from_presence(|_| true, true);
        assert_eq!(all, Libraries::default());
        let some = Libraries::from_presence(|name| !["libEGL.so.1", "libXi.so.6"].contains(&name), false);
        assert_eq!(some.install.as_deref(), Some("sudo apt-get install libegl1 libxi6 mesa-vulkan-drivers"));
        assert_eq!(some.missing[0], MissingLibrary { name: "libEGL.so.1", package: "libegl1" });
    }

    #[test]
    fn libraries_of_another_architecture_do_not_count() {
        let text = "2 libs found in cache `/etc/ld.so.cache'\n\
                    \tlibEGL.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libEGL.so.1\n\
                    \tlibXi.so.6 (libc6) => /lib/i386-linux-gnu/libXi.so.6\n";
        assert_eq!(names_in_listing(text, "x86_64"), HashSet::from(["libEGL.so.1".to_owned()]));
    }
}
