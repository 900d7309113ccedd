#![no_main]

#[path = "../bodies/frame_guard.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
