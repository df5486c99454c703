//! From the engine's errors to what the window shows.

use super::{Failure, ModelChoice, Outcome, Remedy};
use crate::backend::DeviceChoice;
use crate::checkpoint::CheckpointError;
use crate::hub::HubError;
use crate::retrieval::RetrievalError;
use crate::text::{TextError, WEIGHTS_FILE, WEIGHTS_MODEL};
use crate::{Error, Result};

/// The last event of a command that gave `result`.
pub fn outcome(result: Result<Outcome>) -> Outcome {
    outcome_or(result, |error| Failure { message: message(error), remedy: None })
}

/// As [`outcome`], with a failure that knows what would help.
pub fn outcome_or(result: Result<Outcome>, failure: impl FnOnce(&Error) -> Failure) -> Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(Error::Cancelled) => Outcome::Cancelled,
        Err(error) => Outcome::Failed(failure(&error)),
    }
}

/// One line. Where the engine's sentence speaks of the command line, the window's own.
pub fn message(error: &Error) -> String {
    let text = match error {
        Error::Hub(HubError::NotPresent { name }) => format!("{name} is not on this machine: download it first"),
        Error::Tensor(reason) => format!("the model could not run ({reason}): try a smaller size, or the processor"),
        Error::Checkpoint(CheckpointError::Dinotxt { path }) => {
            format!("{} holds dino.txt and no backbone: drop it on the window, or choose it in Words", path.display())
        }
        Error::Retrieval(reason) if matches!(**reason, RetrievalError::NoIndex { .. }) => {
            let RetrievalError::NoIndex { path, reason } = &**reason else { unreachable!("it was matched") };
            format!("{} is no index of pictures ({reason}): index the pictures again", path.display())
        }
        Error::Text(TextError::NoWeights { .. }) => {
            format!("dino.txt's weights are not on this machine: choose Meta's {WEIGHTS_FILE}")
        }
        Error::Text(TextError::NoTransformer) => {
            format!(
                "dino.txt's vision head needs a vision transformer, and this model is a ConvNeXt: use {WEIGHTS_MODEL}"
            )
        }
        Error::Text(TextError::Tokens { path, tokens, known }) => format!(
            "the text tower of {} knows {known} tokens, but CLIP's published vocabulary has {tokens}: only the command \
             line takes another vocabulary",
            path.display()
        ),
        error => error.to_string(),
    };
    text.replace(['\n', '\r'], " ")
}

/// Of loading a model.
pub fn of_loading(error: &Error, choice: &ModelChoice) -> Failure {
    let remedy = match error {
        Error::Hub(HubError::NotPresent { name }) => Some(Remedy::Download(name.clone())),
        Error::Device { .. } | Error::Gpu(_) | Error::Tensor(_) if may_be_gpu(&choice.device) => Some(Remedy::UseCpu),
        _ => None,
    };
    Failure { message: message(error), remedy }
}

/// Of downloading the model `name`.
pub fn of_download(error: &Error, name: &str) -> Failure {
    let remedy = match error {
        Error::Hub(HubError::Unauthorized { .. } | HubError::Gated { .. }) => Some(Remedy::GiveToken(name.to_owned())),
        _ => None,
    };
    Failure { message: message(error), remedy }
}

fn may_be_gpu(device: &DeviceChoice) -> bool {
    match device {
        DeviceChoice::Cpu => false,
        DeviceChoice::Auto | DeviceChoice::Cuda(_) | DeviceChoice::Metal | DeviceChoice::Wgpu(_) => true,
    }
}
