//! A whole soak, from the first connection to the last.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::archive;
use super::audit::audit;
use super::bounds;
use super::crowd::Crowd;
use super::driver::Driver;
use super::faults::{Faults, Stage};
use super::ground::Ground;
use super::hostile;
use super::ledger::Ledger;
use super::report::Report;
use super::sample::{self, Sample};
use super::settings::Settings;
use super::shared::Shared;

/// How long it may take until everything that was acknowledged is delivered. Nodes find out every ten seconds what
/// the bus has lost.
const SETTLING: Duration = Duration::from_secs(60);

/// How many findings are shown.
const SHOWN: usize = 40;

/// How many lines of a node's log are shown where something is wrong.
const LOG: usize = 60;

/// A soak that has begun.
struct Soak {
    ground: Arc<Ground>,
    shared: Arc<Shared>,
    crowd: Crowd,
    hostile: JoinHandle<()>,
    faults: JoinHandle<()>,
    stage: Stage,
    sampler: JoinHandle<()>,
    samples: Arc<Mutex<Vec<Sample>>>,
    /// The descriptors of the nodes before anybody came.
    descriptors: Vec<u64>,
    findings: Vec<String>,
}

/// Lets everything happen. What is wrong is in the report.
pub async fn soak(settings: Settings) -> Report {
    let mut soak = Soak::begin(settings);
    soak.go_on().await;
    soak.end().await
}

impl Soak {
    fn begin(settings: Settings) -> Soak {
        let ground = Arc::new(Ground::new());
        let descriptors = bounds::descriptors(&ground);
        let shared = Arc::new(Shared::new(settings, ground.ports().to_vec()));
        let samples = Arc::default();
        let sampler = sample::run(
            Arc::clone(&ground),
            Arc::clone(&shared),
            Arc::clone(&samples),
        );
        let faults = Faults::new(&ground, &shared);
        Soak {
            crowd: Crowd::start(&shared),
            hostile: tokio::spawn(hostile::run(Arc::clone(&shared))),
            stage: Arc::clone(&faults.stage),
            faults: tokio::spawn(faults.run()),
            sampler: tokio::spawn(sampler),
            samples,
            descriptors,
            findings: Vec::new(),
            ground,
            shared,
        }
    }

    /// One stretch after the other, as long as nothing is wrong.
    async fn go_on(&mut self) {
        let mut driver = Driver::new(&self.shared);
        let (stretches, length) = self.shared.settings.stretches();
        for _ in 0..stretches {
            self.crowd.go_on();
            driver.run(&self.crowd, length).await;
            // Until each fault has been.
            while self.shared.settings.is_short && !self.faults.is_finished() {
                driver.run(&self.crowd, length / 10).await;
            }
            let stage = Arc::clone(&self.stage);
            let _nothing_strikes = stage.lock().await;
            self.settle().await;
            if !self.findings.is_empty() {
                return self.show_logs();
            }
        }
    }

    /// The end of a stretch: waits until everything is acknowledged and delivered, and looks at what is wrong.
    async fn settle(&mut self) {
        let nodes = self.ground.nodes();
        let dead = nodes.iter().filter(|node| !node.is_running()).count();
        if dead > 0 {
            return self
                .findings
                .push(format!("{dead} nodes died by themselves"));
        }
        self.findings.extend(self.crowd.settle().await);
        let deadline = Instant::now() + SETTLING;
        let (seed, settled) = (
            self.shared.settings.seed,
            self.shared.ledger().settled.clone(),
        );
        loop {
            let shown = archive::shown(nodes, seed, &settled).await;
            let mut found = audit(&self.shared.ledger(), &shown.timelines);
            found.broken.extend(shown.wrong);
            let has_time = self.findings.is_empty() && Instant::now() < deadline;
            if !found.broken.is_empty() || !found.missing.is_empty() && !has_time {
                let count = (found.broken.len(), found.missing.len());
                let count = format!("{} broken, {} missing", count.0, count.1);
                self.findings.push(count);
                self.findings.extend(found.broken.into_iter().take(SHOWN));
                self.findings.extend(found.missing.into_iter().take(SHOWN));
                return;
            }
            if found.missing.is_empty() {
                return self.shared.ledger().settle(&shown.timelines);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn show_logs(&self) {
        for node in self.ground.nodes() {
            let log = node.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG)..];
            println!(
                "--- the end of the log of {}\n{}\n---",
                node.url(),
                last.join("\n")
            );
        }
    }

    /// Everybody leaves. What is left, and whether it is all there.
    async fn end(self) -> Report {
        let Soak {
            ground,
            shared,
            mut findings,
            ..
        } = self;
        let devices = self.crowd.len();
        self.crowd.leave().await;
        self.hostile.await.expect("nobody hostile panicked");
        self.faults.await.expect("no fault panicked");
        let (after, wrong) = bounds::descriptors_return(&ground, &self.descriptors).await;
        findings.extend(wrong);
        self.sampler.abort();
        let settings = &shared.settings;
        let ledger: Ledger = std::mem::take(&mut *shared.ledger());
        // Of the time since the last audit, which ends where something is wrong.
        if findings.is_empty() {
            findings.extend(ledger.complaints.iter().cloned());
        }
        if findings.is_empty() {
            findings = archive::differences(ground.nodes(), settings.seed, &ledger).await;
        }
        let samples = std::mem::take(&mut *self.samples.lock().expect("nobody panicked"));
        let strikes = self.stage.lock().await.clone();
        let memory = bounds::memory(&samples, &strikes, ground.nodes().len());
        findings.extend(bounds::leaks(settings, &memory));
        let count = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        let is_debug = cfg!(debug_assertions);
        Report {
            ground: ground.name(),
            is_short: settings.is_short,
            build: if is_debug { "debug" } else { "release" },
            seed: settings.seed,
            seconds: settings.duration.as_secs_f64(),
            rate: settings.rate,
            users: settings.users,
            devices,
            totals: ledger.totals,
            refused: count(&shared.gauges.refused),
            skipped: count(&shared.gauges.skipped),
            hostile: count(&shared.gauges.hostile),
            strikes,
            descriptors: [self.descriptors, after],
            memory,
            findings,
            samples,
        }
    }
}
