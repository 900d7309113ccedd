//! What is counted, for `GET /metrics`. Nothing here knows where it is counted; no label names a user.
//!
//! Names follow Prometheus: a prefix, a base unit, `_total` for what only grows. Cheap to clone; clones
//! count together.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::protocol::{Action, CloseCode, Refusal};

/// Bounds of what takes time, in seconds.
const SECONDS: [f64; 13] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
/// Bounds of how many writes a batch has.
const WRITES: [f64; 11] = [
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0,
];

/// The result of a frame that was not refused.
const OK: &str = "ok";
/// The result of a batch that failed.
const FAILED: &str = "failed";

/// See the module.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    frames: IntCounterVec,
    /// Messages that were stored and acknowledged.
    pub acks: IntCounter,
    /// Frames given to devices that they did not ask for: messages, statuses.
    pub deliveries: IntCounter,
    /// From a message's arrival to its acknowledgement.
    pub ack_seconds: Histogram,
    /// How many writes a batch has.
    pub batch_writes: Histogram,
    /// How long the store takes for a batch, by whether it failed.
    batch_seconds: HistogramVec,
    /// Writes that wait for a batch.
    pub waiting: IntGauge,
    /// Parts of backlogs that were read for devices that are behind.
    pub catch_ups: IntCounter,
    /// Connections that were cut since they took nothing.
    pub cut: IntCounter,
    /// Sessions that were closed, by code.
    closes: IntCounterVec,
    /// Messages that were removed since they were too old.
    pub removed: IntCounter,
    /// Files that nobody could read any more, and that were removed.
    pub files_removed: IntCounter,
    /// Uploads, by result.
    uploads: IntCounterVec,
    /// Requests to the provisioning API, by status.
    api: IntCounterVec,
    /// How often something on the bus may have been lost.
    pub bus_doubts: IntCounter,
    /// Users with a device here.
    pub users: IntGauge,
    connections: IntGauge,
    in_hand: IntGauge,
    bus_up: IntGauge,
    store_failing: IntGauge,
    pool: IntGaugeVec,
}

/// What is looked at when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Open WebSockets.
    pub connections: usize,
    /// Bytes of requests in hand.
    pub in_hand: usize,
    /// Whether other nodes are reached.
    pub bus_is_up: bool,
    /// Whether the store fails.
    pub store_fails: bool,
    /// Connections to the database that write, and of those the idle ones; the same of those that read.
    pub pools: [(u32, u32); 2],
}

impl Metrics {
    /// Everything at zero.
    ///
    /// # Errors
    /// Where two metrics have one name, which a test would show.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("yanshu".to_owned()), None)?;
        let new = New(&registry);
        let metrics = Self {
            frames: new.counters(
                "frames_total",
                "Frames of clients, by action and result",
                &["action", "result"],
            )?,
            acks: new.counter("acks_total", "Messages that were stored and acknowledged")?,
            deliveries: new.counter(
                "deliveries_total",
                "Frames given to devices that they did not ask for",
            )?,
            ack_seconds: new.histogram(
                "ack_seconds",
                "From a message's arrival to its acknowledgement",
                &SECONDS,
            )?,
            batch_writes: new.histogram("batch_writes", "Writes in a batch", &WRITES)?,
            batch_seconds: new.histograms(
                "batch_seconds",
                "What the store takes for a batch",
                &["result"],
            )?,
            waiting: new.gauge("waiting_writes", "Writes that wait for a batch")?,
            catch_ups: new.counter(
                "catch_ups_total",
                "Parts of backlogs that were read for devices that are behind",
            )?,
            cut: new.counter(
                "slow_connections_cut_total",
                "Connections that were cut since they took nothing",
            )?,
            closes: new.counters(
                "closes_total",
                "Connections that the server closed, by close code",
                &["code"],
            )?,
            removed: new.counter(
                "removed_messages_total",
                "Messages that were removed since they were too old",
            )?,
            files_removed: new.counter(
                "files_removed_total",
                "Files that nobody could read any more, and that were removed",
            )?,
            uploads: new.counters("uploads_total", "Uploads of files, by result", &["result"])?,
            api: new.counters(
                "api_requests_total",
                "Requests to the provisioning API, by status",
                &["status"],
            )?,
            bus_doubts: new.counter(
                "bus_doubts_total",
                "How often something on the bus may have been lost",
            )?,
            users: new.gauge("users", "Users with a device on this node")?,
            connections: new.gauge("connections", "Open WebSockets")?,
            in_hand: new.gauge("requests_in_hand_bytes", "Requests that are not answered")?,
            bus_up: new.gauge("bus_up", "Whether other nodes are reached")?,
            store_failing: new.gauge("store_failing", "Whether the store fails")?,
            pool: new.gauges(
                "store_connections",
                "Connections to the database",
                &["lane", "state"],
            )?,
            registry: registry.clone(),
        };
        metrics.begin();
        Ok(metrics)
    }

    /// What has not happened yet is there, too, as 0: a rate over it is then right from the first time.
    fn begin(&self) {
        for number in [1, 2, 3, 4, 5, 11, 12] {
            let action = Action::from_client(number).map_or("none", action_name);
            let _ = self.frames.with_label_values(&[action, OK]);
        }
        for row in &CloseCode::TABLE {
            let _ = self.closes.with_label_values(&[row.number.to_string()]);
        }
        for result in [OK, FAILED] {
            let _ = self.batch_seconds.with_label_values(&[result]);
        }
    }

    /// A frame of this action was dealt with.
    pub fn taken(&self, action: Action) {
        self.frames
            .with_label_values(&[action_name(action), OK])
            .inc();
    }

    /// A frame was refused.
    pub fn refused(&self, refusal: &Refusal) {
        // Clients can send any number: what is no action of ours has no label of its own.
        let action = refusal.action.and_then(Action::from_client);
        let action = action.map_or("none", action_name);
        self.frames
            .with_label_values(&[action, refusal.code.name()])
            .inc();
    }

    /// A batch came back from the store.
    pub fn batch(&self, seconds: f64, failed: bool) {
        let result = if failed { FAILED } else { OK };
        self.batch_seconds
            .with_label_values(&[result])
            .observe(seconds);
    }

    /// The server closes a connection.
    pub fn close(&self, code: u16) {
        self.closes.with_label_values(&[code.to_string()]).inc();
    }

    /// An upload was answered; `problem`: with which code, if it was refused.
    pub fn upload(&self, problem: Option<&'static str>) {
        let result = problem.unwrap_or(OK);
        self.uploads.with_label_values(&[result]).inc();
    }

    /// A request to the provisioning API was answered.
    pub fn api(&self, status: u16) {
        self.api.with_label_values(&[status.to_string()]).inc();
    }

    /// All of it in the text format of Prometheus, version 0.0.4.
    ///
    /// # Errors
    /// Where it cannot be written out, which a test would show.
    pub fn render(&self, now: Now) -> prometheus::Result<String> {
        let set =
            |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.connections, now.connections);
        set(&self.in_hand, now.in_hand);
        set(&self.bus_up, usize::from(now.bus_is_up));
        set(&self.store_failing, usize::from(now.store_fails));
        for (lane, (all, idle)) in ["writing", "reading"].iter().zip(now.pools) {
            let of = |state| self.pool.with_label_values(&[*lane, state]);
            of("idle").set(idle.into());
            of("busy").set(all.saturating_sub(idle).into());
        }
        let mut families = self.registry.gather();
        // Under the names that all programs have for them, without a prefix.
        families.extend(Collector::collect(&ProcessCollector::for_self()));
        TextEncoder::new().encode_to_string(&families)
    }
}

/// The seed's number of an action.
fn action_name(action: Action) -> &'static str {
    match action {
        Action::Error => "0",
        Action::Connect => "1",
        Action::GetIds => "2",
        Action::Message => "3",
        Action::Status => "4",
        Action::Heartbeat => "5",
        Action::Contacts => "11",
        Action::History => "12",
    }
}

/// Makes metrics and registers them.
struct New<'a>(&'a Registry);

impl New<'_> {
    fn registered<T: Collector + Clone + 'static>(
        &self,
        made: prometheus::Result<T>,
    ) -> prometheus::Result<T> {
        let made = made?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.registered(IntCounter::new(name, help))
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.registered(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> prometheus::Result<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.registered(Histogram::with_opts(options))
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.registered(HistogramVec::new(options, labels))
    }
}
