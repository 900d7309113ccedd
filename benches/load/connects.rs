//! A storm of connects, and the crowd that stays and says nothing.

use serde_json::Value;

use crate::child::{Kind, Setup};
use crate::ground::On;
use crate::report::{self, Point};
use crate::{Bench, Outcome, idle, inserts};

/// How fast users come, and what each of them takes.
pub fn scenario(bench: &Bench<'_>) -> Outcome<Value> {
    let Bench { plan, ground, .. } = *bench;
    let Some(&on) = plan
        .on
        .iter()
        .find(|on| [On::Sqlite, On::Outside].contains(on))
    else {
        println!("\nConnects are measured on SQLite: skipped.");
        return Ok(Value::Null);
    };
    let mut point = Point::new();
    let measure = |kind| idle::measure(Setup { kind, on, ground }, plan.users);
    for _ in 0..plan.repeat {
        point.yanshu.push(measure(Kind::Yanshu)?);
        if plan.limits && on != On::Outside {
            point.no_store.push(measure(Kind::NoStore)?);
            let rate = inserts::connects(plan.users, idle::AT_ONCE)?;
            point.inserts.push(rate);
        }
    }
    let title = format!("Connects of new users, {} at once", idle::AT_ONCE);
    report::header(&title, &report::CONNECT_HEAD);
    report::connect_row(&point);
    if on != On::Outside {
        report::header("Memory of a connected user", &report::MEMORY_HEAD);
        report::memory_row(&point);
    }
    Ok(report::idle_json(&point))
}
