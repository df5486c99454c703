//! Backbones on candle: CPU, CUDA and Metal.
