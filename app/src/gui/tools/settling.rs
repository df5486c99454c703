//! Questions that are asked once they have stayed the same for a moment: nobody wants the answer to half a word, or those on
//! the way of a slider.

use std::time::Duration;

use egui::Ui;

/// What is to be asked, and since when it is the same.
pub struct Settling<T>(Option<(T, f64)>);

impl<T> Default for Settling<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone + PartialEq> Settling<T> {
    /// Whether `question` has stayed the same for that long. Called in every frame in which it waits; the next frame comes in
    /// time.
    pub fn is_settled(&mut self, ui: &Ui, question: &T, delay_secs: f64) -> bool {
        let now_secs = ui.input(|input| input.time);
        let since_secs = match &self.0 {
            Some((waiting, since_secs)) if waiting == question => *since_secs,
            _ => now_secs,
        };
        let left_secs = delay_secs - (now_secs - since_secs);
        if left_secs <= 0.0 {
            return true;
        }
        self.0 = Some((question.clone(), since_secs));
        ui.ctx().request_repaint_after(Duration::from_secs_f64(left_secs));
        false
    }

    /// Nothing waits any more.
    pub fn clear(&mut self) {
        self.0 = None;
    }
}
