//! What the fuzzer has found worth keeping, through the same functions, without the fuzzer.
//!
//! `make fuzz` looks for more; `fuzz/bodies/` says what has to hold.

// In a test, a panic that says what was expected is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../fuzz/bodies/frame_guard.rs"]
mod frame_guard;
#[path = "../../fuzz/bodies/frame_parser.rs"]
mod frame_parser;
#[path = "../../fuzz/bodies/token_reader.rs"]
mod token_reader;

use std::path::Path;

/// Feeds every file of a corpus to what is fuzzed.
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files = std::fs::read_dir(corpus.join(target)).expect("there is a corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("it can be listed").path();
        // Shown where one fails.
        println!("{}", path.display());
        run(&std::fs::read(&path).expect("it can be read"));
        count += 1;
    }
    assert!(count > 0, "the corpus of {target} is empty");
}

#[test]
fn the_corpus_of_frames_keeps_its_meaning() {
    replay("frame_parser", frame_parser::run);
}

#[test]
fn the_corpus_of_bytes_passes_the_guard_however_it_is_cut() {
    replay("frame_guard", frame_guard::run);
}

#[test]
fn the_corpus_of_tokens_is_believed_only_where_it_is_signed() {
    replay("token_reader", token_reader::run);
}
