//! How large the server is.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::report::{header, row, shown};
use crate::{Bench, Outcome, scratch};

const MIB: f64 = 1024.0 * 1024.0;

/// The release binary as it is, and stripped of its symbols.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Value> {
    let binary = &bench.plan.binaries.present;
    let directory = scratch()?;
    let copy = directory.path().join("yanshu");
    let strip = Command::new("strip")
        .arg("-o")
        .arg(&copy)
        .arg(binary)
        .status();
    let whole = fs::metadata(binary)?.len() as f64 / MIB;
    let stripped = match strip {
        Ok(status) if status.success() => fs::metadata(&copy)?.len() as f64 / MIB,
        _ => {
            println!("\nstrip (of binutils) cannot be run: the stripped size is missing.");
            f64::NAN
        }
    };
    header("The release binary", &["MiB", "MiB, stripped"]);
    row(&[shown(1, whole), shown(1, stripped)]);
    Ok(json!({"mib": whole, "mib_stripped": stripped}))
}
