//! `yanshu migrate-data`: all data of a SQLite database into PostgreSQL.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::settings::MigrateDataSettings;
use crate::store::{self, Migrated, Progress, Step};

/// Without a terminal, a table that takes longer gets a further line.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Copies and compares.
pub fn run(settings: &MigrateDataSettings) -> Result<(), String> {
    let mut shown = Shown::new();
    let migrated = store::migrate_data(&settings.from, &settings.to, &mut |progress| {
        shown.show(progress)
    });
    shown.bar.finish_and_clear();
    report(settings, &migrated.map_err(|error| error.to_string())?);
    Ok(())
}

/// Progress on standard error: a bar on a terminal, lines elsewhere.
struct Shown {
    bar: ProgressBar,
    at: Option<(Step, &'static str)>,
    line: Instant,
}

impl Shown {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = "{msg:<20} {bar:30} {human_pos}/{human_len} rows, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self {
            bar,
            at: None,
            line: Instant::now(),
        }
    }

    fn show(&mut self, progress: Progress) {
        let before = self.at.replace((progress.step, progress.table));
        if self.bar.is_hidden() {
            let is_new = before != self.at;
            if is_new || self.line.elapsed() >= BETWEEN_LINES {
                self.line = Instant::now();
                eprintln!("{}", line(progress));
            }
            return;
        }
        if before.is_none_or(|(step, _)| step != progress.step) {
            self.bar.reset();
            self.bar.set_length(progress.total);
        }
        if before != self.at {
            self.bar.set_message(doing(progress));
        }
        self.bar.set_position(progress.done);
    }
}

fn line(progress: Progress) -> String {
    let Progress { done, total, .. } = progress;
    format!("{}: {done} of {total} rows", doing(progress))
}

fn doing(progress: Progress) -> String {
    let verb = match progress.step {
        Step::Reading => "reading",
        Step::Copying => "copying",
        Step::Checking => "checking",
    };
    format!("{verb} {}", progress.table)
}

/// What is in both databases now.
fn report(settings: &MigrateDataSettings, migrated: &Migrated) {
    println!("{:<10} {:>13}", "table", "rows");
    for table in &migrated.tables {
        println!("{:<10} {:>13}  the same in both", table.name, table.rows);
    }
    println!("message IDs go on at {}", migrated.next_id);
    let (from, to) = (&settings.from, &settings.to);
    if migrated.before {
        println!("already done: {to} holds all of {from}");
    } else {
        println!("done: {to} holds all of {from}");
    }
}
