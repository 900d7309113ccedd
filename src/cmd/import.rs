//! `yanshu users import` and `yanshu contacts import`: CSV files, all rows or none.
//!
//! A file is read and checked as a whole before anything is written; every bad row is named by its
//! line.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::protocol::{UserId, display_name};
use crate::settings::ImportSettings;
use crate::store::{ContactRow, Imported, Store, StoreOptions, UserRow};

/// Bad rows are named up to so many.
const COMPLAINTS_MAX: usize = 20;

/// Creates or renames users.
pub fn users(settings: &ImportSettings) -> Result<(), String> {
    let rows = read(&settings.file, &["id", "name"], |fields| {
        Ok(UserRow {
            id: user(&fields[0], "id")?,
            name: name(&fields[1])?,
        })
    })?;
    let bar = progress(rows.len());
    let imported = open(settings)?.import_users(&rows, |rows| bar.inc(rows as u64));
    report(&bar, imported, "users")
}

/// Adds or renames contacts.
pub fn contacts(settings: &ImportSettings) -> Result<(), String> {
    let rows = read(&settings.file, &["owner", "contact", "name"], |fields| {
        Ok(ContactRow {
            owner: user(&fields[0], "owner")?,
            contact: user(&fields[1], "contact")?,
            alias: name(&fields[2])?,
        })
    })?;
    let bar = progress(rows.len());
    let imported = open(settings)?.import_contacts(&rows, |rows| bar.inc(rows as u64));
    report(&bar, imported, "contacts")
}

fn open(settings: &ImportSettings) -> Result<Store, String> {
    let options = StoreOptions {
        url: settings.store.database_url.clone(),
        writers: 1,
        readers: 1,
        timeout: settings.store.store_timeout,
        strangers: true,
    };
    Store::open(&options).map_err(|error| error.to_string())
}

/// Reads a whole file, or says what is wrong with it, line by line.
fn read<T>(
    path: &Path,
    columns: &[&str],
    row: impl Fn(&csv::StringRecord) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(text);
    let (mut rows, mut complaints) = (Vec::new(), Vec::new());
    for (number, record) in reader.records().enumerate() {
        if number == 0 && record.as_ref().is_ok_and(|record| record == columns) {
            continue; // a header, which a file may have
        }
        match checked(record, columns, &row) {
            Ok(row) => rows.push(row),
            Err(complaint) => complaints.push(complaint),
        }
    }
    if complaints.is_empty() {
        return Ok(rows);
    }
    let more = complaints.len().saturating_sub(COMPLAINTS_MAX);
    complaints.truncate(COMPLAINTS_MAX);
    if more > 0 {
        complaints.push(format!("and {more} more"));
    }
    Err(format!(
        "{shown}: nothing was imported\n{}",
        complaints.join("\n")
    ))
}

fn checked<T>(
    record: Result<csv::StringRecord, csv::Error>,
    columns: &[&str],
    row: impl Fn(&csv::StringRecord) -> Result<T, String>,
) -> Result<T, String> {
    let record = record.map_err(|error| {
        let line = error.position().map_or(0, csv::Position::line);
        format!("line {line}: {error}")
    })?;
    let line = record.position().map_or(0, csv::Position::line);
    if record.len() != columns.len() {
        let (has, wants) = (record.len(), columns.len());
        return Err(format!(
            "line {line}: {has} columns where there must be {wants}"
        ));
    }
    row(&record).map_err(|error| format!("line {line}: {error}"))
}

fn user(text: &str, column: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|error| format!("{column} {text:?}: {error}"))
}

fn name(text: &str) -> Result<Option<String>, String> {
    let name = display_name(text).map_err(|error| format!("name: {error}"))?;
    Ok(name.map(str::to_owned))
}

fn progress(rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(rows as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn report<E: std::fmt::Display>(
    bar: &ProgressBar,
    imported: Result<Imported, E>,
    what: &str,
) -> Result<(), String> {
    bar.finish_and_clear();
    let Imported { added, updated } =
        imported.map_err(|error| format!("nothing was imported: {error}"))?;
    println!("{added} {what} added, {updated} updated");
    Ok(())
}
