//! Many who write to one: a celebrity with one device, and somebody with as many devices as are allowed.

use rand::Rng;
use serde_json::{Value, json};

use crate::child::{Kind, Server};
use crate::ground::On;
use crate::open::sample::Sample;
use crate::open::{self, Stage, Way, report as table};
use crate::plan::Rate;
use crate::report::header;
use crate::{Bench, Outcome, block_on};

/// Connections that a user may have, by default.
const DEVICES: usize = 8;
/// Who writes to the one with many devices.
const FRIENDS: usize = 20;

/// All writers write to one device.
pub fn celebrity(bench: &Bench<'_>) -> Outcome<Value> {
    let writers = bench.plan.writers;
    let title = format!("{writers} users write to one, open loop");
    header(&title, &table::head(&["on"]));
    crowd(bench, writers, 1)
}

/// Few write to somebody who has everything on many devices.
pub fn devices(bench: &Bench<'_>) -> Outcome<Value> {
    let title = format!("{FRIENDS} users write to one with {DEVICES} devices, open loop");
    header(&title, &table::head(&["on"]));
    crowd(bench, FRIENDS, DEVICES)
}

/// At all rates of the plan that are not shares of a maximum. A delivery is the last of all devices.
fn crowd(bench: &Bench<'_>, writers: usize, devices: usize) -> Outcome<Value> {
    let plan = bench.plan;
    let mut kept = Vec::new();
    for &on in &plan.on {
        for rate in &plan.open.rates {
            let Rate::Absolute(rate) = *rate else {
                continue;
            };
            let measure = |_| measure(bench, on, rate, (writers, devices));
            let samples: Vec<Sample> = (0..plan.repeat).map(measure).collect::<Outcome<_>>()?;
            table::print(&[on.name().to_owned()], &samples);
            kept.push(json!({
                "on": on.name(), "rate": rate, "writers": writers, "devices": devices,
                "samples": table::json(&samples),
            }));
        }
    }
    Ok(json!(kept))
}

fn measure(
    bench: &Bench<'_>,
    on: On,
    rate: f64,
    (writers, devices): (usize, usize),
) -> Outcome<Sample> {
    let server = Server::start(bench.setup(Kind::Yanshu, on))?;
    let door = server.door();
    let names = (0..writers).map(|number| (door.user(&format!("FAN{number:06}")), 1));
    let star = (door.user("STAR"), devices);
    block_on(async {
        let mut stage = Stage::connect(&door, names.chain([star]).collect()).await?;
        let way = |rng: &mut rand::rngs::StdRng| Way {
            socket: rng.random_range(0..writers),
            to: writers,
            devices,
        };
        open::measure(&mut stage, &server, rate, bench.plan, way).await
    })
}
