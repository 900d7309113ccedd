//! What stays of a run, in the target directory.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::plot::Plot;
use crate::{Outcome, SCRATCH};

/// Where everything goes.
fn directory() -> Outcome<PathBuf> {
    // The directory of temporary files lies in the target directory.
    let target = Path::new(SCRATCH).parent().ok_or("no target directory")?;
    let directory = target.join("bench");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Every repetition.
pub fn results(all: &Value) -> Outcome<()> {
    let path = directory()?.join("load.json");
    fs::write(&path, serde_json::to_string_pretty(all)?)?;
    eprintln!("every repetition is in {}", path.display());
    Ok(())
}

/// A picture.
pub fn plot(name: &str, plot: Plot<'_>) -> Outcome<()> {
    let path = directory()?.join(format!("{name}.svg"));
    plot.write(&path)?;
    eprintln!("a picture is in {}", path.display());
    Ok(())
}
