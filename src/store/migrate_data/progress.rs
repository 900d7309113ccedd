//! How far a migration is.

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The source is read, to know it again.
    Reading,
    /// Its rows are written to the target.
    Copying,
    /// The target is read and compared.
    Checking,
}

/// How far a step is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// The table it is at.
    pub table: &'static str,
    /// How many rows, of all tables, it has dealt with.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// So many rows are dealt with between two reports.
const ROWS_BETWEEN: u64 = 1_000;

/// Counts the rows of a step, and reports.
pub struct Counter<'a> {
    progress: Progress,
    reported: u64,
    report: &'a mut dyn FnMut(Progress),
}

impl<'a> Counter<'a> {
    /// Counts up to `total`.
    pub fn new(step: Step, total: u64, report: &'a mut dyn FnMut(Progress)) -> Self {
        let progress = Progress {
            step,
            table: "",
            done: 0,
            total,
        };
        Self {
            progress,
            reported: 0,
            report,
        }
    }

    /// The rows that follow are of this table.
    pub fn begin(&mut self, table: &'static str) {
        self.progress.table = table;
        self.report();
    }

    /// So many rows more.
    pub fn add(&mut self, rows: u64) {
        self.progress.done += rows;
        if self.progress.done - self.reported >= ROWS_BETWEEN {
            self.report();
        }
    }

    fn report(&mut self) {
        self.reported = self.progress.done;
        (self.report)(self.progress);
    }
}
