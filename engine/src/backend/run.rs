//! How a forward pass is stopped and watched from outside.

use crate::{Cancel, Result};

/// What stops a forward pass, and who is told how far it is.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    cancel: &'a Cancel,
    on_block: Option<&'a dyn Fn(usize)>,
}

impl<'a> Run<'a> {
    /// Before each block, `on_block` is told how many are done.
    pub fn watched(cancel: &'a Cancel, on_block: &'a dyn Fn(usize)) -> Self {
        Self { cancel, on_block: Some(on_block) }
    }

    /// Called wherever a device is waited for.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] once the work was stopped.
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }

    /// Called before each block with the number of blocks that are done.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] once the work was stopped.
    pub fn enter_block(&self, done: usize) -> Result<()> {
        self.cancel.check()?;
        if let Some(on_block) = self.on_block {
            on_block(done);
        }
        Ok(())
    }
}

impl<'a> From<&'a Cancel> for Run<'a> {
    fn from(cancel: &'a Cancel) -> Self {
        Self { cancel, on_block: None }
    }
}
