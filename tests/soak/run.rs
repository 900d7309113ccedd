//! A whole soak, from the first connection to the last.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::archive;
use super::audit::audit;
use super::bounds;
use super::crowd::Crowd;
use super::driver::Driver;
use super::faults::Faults;
use super::ground::Ground;
use super::hostile;
use super::report::Report;
use super::sample;
use super::settings::Settings;
use super::shared::Shared;

/// How long it may take until everything that was acknowledged is delivered. Nodes find out every ten seconds what
/// the bus has lost.
const SETTLING: Duration = Duration::from_secs(60);

/// How many findings are shown.
const SHOWN: usize = 40;

/// Lets everything happen. What is wrong is in the report.
pub async fn soak(settings: Settings) -> Report {
    let ground = Arc::new(Ground::new());
    let before = bounds::descriptors(&ground);
    let shared = Arc::new(Shared::new(settings.clone(), ground.ports().to_vec()));
    let samples = Arc::new(Mutex::new(Vec::new()));
    let sampler = sample::run(
        Arc::clone(&ground),
        Arc::clone(&shared),
        Arc::clone(&samples),
    );
    let sampler = tokio::spawn(sampler);
    let mut crowd = Crowd::start(&shared);
    let devices = crowd.len();
    let hostile = tokio::spawn(hostile::run(Arc::clone(&shared)));
    let faults = Faults::new(&ground, &shared);
    let stage = Arc::clone(&faults.stage);
    let faults = tokio::spawn(faults.run());

    let mut driver = Driver::new(&shared);
    let mut findings = Vec::new();
    let (stretches, length) = settings.stretches();
    for _ in 0..stretches {
        driver.run(&crowd, length).await;
        while settings.is_short && !faults.is_finished() {
            driver.run(&crowd, length / 10).await;
        }
        let strikes = stage.lock().await;
        findings = settle(&ground, &shared, &mut crowd).await;
        let dead = ground.nodes().iter().filter(|node| !node.is_running());
        findings.extend(dead.map(|_| "a node died by itself".to_owned()));
        if !findings.is_empty() {
            break;
        }
        crowd.go_on();
        drop(strikes);
    }

    sampler.abort();
    crowd.leave().await;
    hostile.await.expect("nobody hostile panicked");
    faults.await.expect("no fault panicked");
    let (after, wrong) = bounds::descriptors_return(&ground, &before).await;
    findings.extend(wrong);
    let ledger = std::mem::take(&mut *shared.ledger());
    if findings.is_empty() {
        findings = archive::differences(ground.nodes(), settings.seed, &ledger).await;
    }
    let samples = std::mem::take(&mut *samples.lock().expect("nobody panicked"));
    let strikes = stage.lock().await.clone();
    let memory = bounds::memory(&samples, &strikes, ground.nodes().len());
    findings.extend(bounds::leaks(&settings, &memory));
    let count = |gauge: &std::sync::atomic::AtomicU64| gauge.load(Ordering::Relaxed);
    Report {
        ground: ground.name(),
        build: if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
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
        descriptors: [before, after],
        memory,
        findings,
        samples,
    }
}

/// The end of a stretch: waits until everything is acknowledged and delivered, and returns what is wrong.
async fn settle(ground: &Ground, shared: &Shared, crowd: &mut Crowd) -> Vec<String> {
    let mut late = crowd.settle().await;
    let deadline = Instant::now() + SETTLING;
    let settled = shared.ledger().settled.clone();
    loop {
        let timelines = archive::timelines(ground.nodes(), shared.settings.seed, &settled).await;
        let found = audit(&shared.ledger(), &timelines);
        if found.broken.is_empty() && found.missing.is_empty() && late.is_empty() {
            shared.ledger().settle(&timelines);
            return Vec::new();
        }
        if !found.broken.is_empty() || !late.is_empty() || Instant::now() >= deadline {
            let count = (found.broken.len(), found.missing.len());
            late.push(format!("{} broken, {} missing", count.0, count.1));
            late.extend(found.broken.into_iter().take(SHOWN));
            late.extend(found.missing.into_iter().take(SHOWN));
            return late;
        }
        sleep(Duration::from_millis(200)).await;
    }
}
