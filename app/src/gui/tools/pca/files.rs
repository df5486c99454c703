//! Bases in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use dinoscope_engine::analysis::pca::Basis;
use dinoscope_engine::dispatch::{Command, Export};
use egui::Context;

use super::components::{Components, FixedBasis};
use crate::gui::shared::{ModelState, Shared};

/// What a person has chosen in a dialog.
enum Chosen {
    /// A basis that was read, or why not.
    Load { name: String, basis: Result<Basis, String> },
    /// Where one is to be written.
    Save { path: PathBuf, basis: Arc<Basis> },
}

/// Dialogs that are open beside the window.
pub struct BasisFiles {
    chosen: (Sender<Chosen>, Receiver<Chosen>),
}

impl Default for BasisFiles {
    fn default() -> Self {
        Self { chosen: mpsc::channel() }
    }
}

impl BasisFiles {
    /// Asks for a file to read.
    pub fn load(&self, context: &Context) {
        self.ask(context, || {
            let path = dialog().set_title("Open a PCA basis").pick_file()?;
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            Some(Chosen::Load { name, basis: read(&path) })
        });
    }

    /// Asks for a file to write.
    pub fn save(&self, context: &Context, basis: Arc<Basis>) {
        self.ask(context, || {
            let path = dialog().set_title("Save the PCA basis").set_file_name("basis.json").save_file()?;
            Some(Chosen::Save { path, basis })
        });
    }

    fn ask(&self, context: &Context, choose: impl FnOnce() -> Option<Chosen> + Send + 'static) {
        let (sender, context) = (self.chosen.0.clone(), context.clone());
        std::thread::spawn(move || {
            // The window may have closed meanwhile; then nobody waits for the file.
            if let Some(chosen) = choose()
                && sender.send(chosen).is_ok()
            {
                context.request_repaint();
            }
        });
    }

    /// Does what was chosen since the last time.
    pub fn receive(&self, shared: &mut Shared, components: &mut Components) {
        while let Ok(chosen) = self.chosen.1.try_recv() {
            match chosen {
                Chosen::Save { path, basis } => {
                    let label = format!("writing {}", path.display());
                    shared.send(Command::Export { what: Export::Basis(basis), path, metadata: Vec::new() }, label);
                }
                Chosen::Load { basis: Err(message), .. } => shared.notices.error(&message, None),
                Chosen::Load { name, basis: Ok(basis) } => match misfit(&basis, shared) {
                    Some(problem) => shared.notices.error(&format!("{name}: {problem}"), None),
                    None => components.fixed = Some(FixedBasis { basis: Arc::new(basis), origin: name }),
                },
            }
        }
    }
}

/// Why a basis does not suit the model, where it does not.
pub fn misfit(basis: &Basis, shared: &Shared) -> Option<String> {
    let ModelState::Ready(info) = &shared.model.state else { return None };
    let (got, expected) = (basis.mean.len(), info.dim);
    (got != expected).then(|| {
        format!(
            "this basis is for features of {got} numbers, the model gives {expected}; load the model it was made with"
        )
    })
}

fn dialog() -> rfd::FileDialog {
    rfd::FileDialog::new().add_filter("PCA basis (JSON)", &["json"])
}

fn read(path: &Path) -> Result<Basis, String> {
    let describe = |problem: &dyn std::fmt::Display| format!("cannot read {}: {problem}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| describe(&error))?;
    Basis::from_json(&text).map_err(|error| describe(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_basis_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.json");
        std::fs::write(&path, "[1, 2]").unwrap();
        let message = read(&path).unwrap_err();
        assert!(message.contains("other.json") && message.contains("basis"), "{message}");
        assert!(read(&folder.path().join("missing.json")).unwrap_err().contains("missing.json"));
    }
}
