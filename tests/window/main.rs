//! The window, driven headless by the labels of its controls on whatever graphics adapter there is; without one (lavapipe
//! counts) these tests fail.

mod access;
mod camera;
mod canvas;
mod drawing;
mod fake;
mod heads;
mod hover_time;
mod matching;
mod models;
mod pca;
mod probe;
mod retrieve;
mod robust;
mod shell;
mod similarity;
mod start;
mod support;
mod tracking;
mod words;
