//! The section of messages: servers and their limits, in turns.

use serde_json::Value;

use crate::child::{Kind, Setup};
use crate::ground::{Ground, On};
use crate::report::{self, Point};
use crate::{Outcome, Plan, inserts, load, rows};

/// What the closed loop gave.
pub struct Closed {
    /// Every repetition.
    pub kept: Vec<Value>,
    /// Messages a second on each ground, the most first.
    pub rates: Vec<(On, f64)>,
}

/// A table for each number of messages in flight.
pub fn under_load(plan: &Plan, ground: &Ground) -> Outcome<Closed> {
    let mut kept = Vec::new();
    let mut rates: Vec<(On, f64)> = Vec::new();
    for &depth in &plan.in_flight {
        let title = format!("Messages, {depth} in flight for each pair");
        report::header(&title, &report::LOAD_HEAD);
        for &pairs in &plan.pairs {
            let mut points: Vec<_> = plan.on.iter().map(|on| (*on, Point::new())).collect();
            for _ in 0..plan.repeat {
                let mut round = Round::new(plan, ground, (pairs, depth));
                for (on, point) in &mut points {
                    round.measure(*on, point)?;
                }
            }
            for (on, point) in &points {
                report::load_row(*on, pairs, point);
                kept.push(report::load_json(*on, (pairs, depth), point));
                rates.push((*on, report::of(&point.yanshu, |sample| sample.rate)));
            }
        }
    }
    rates.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(Closed { kept, rates })
}

/// Everything once.
struct Round<'a> {
    plan: &'a Plan,
    ground: &'a Ground,
    /// Pairs, and messages in flight for each.
    size: (usize, usize),
    /// What was measured for one server counts for the next that has the same limit: the sockets of
    /// one node, and of two.
    sockets: [Option<load::Sample>; 2],
    /// What PostgreSQL takes.
    rows: Option<f64>,
}

impl<'a> Round<'a> {
    fn new(plan: &'a Plan, ground: &'a Ground, size: (usize, usize)) -> Self {
        Self {
            plan,
            ground,
            size,
            sockets: [None; 2],
            rows: None,
        }
    }

    fn measure(&mut self, on: On, point: &mut Point<load::Sample>) -> Outcome<()> {
        point.yanshu.push(self.load(Kind::Yanshu, on)?);
        if !self.plan.limits || on == On::Outside {
            return Ok(());
        }
        let sockets = match self.sockets[on.nodes() - 1] {
            Some(sockets) => sockets,
            None => self.load(Kind::NoStore, on)?,
        };
        self.sockets[on.nodes() - 1] = Some(sockets);
        point.no_store.push(sockets);
        point.inserts.push(self.inserts(on)?);
        Ok(())
    }

    fn load(&self, kind: Kind, on: On) -> Outcome<load::Sample> {
        let ground = self.ground;
        let (pairs, depth) = self.size;
        load::measure(Setup { kind, on, ground }, pairs, depth, self.plan)
    }

    fn inserts(&mut self, on: On) -> Outcome<f64> {
        let (pairs, depth) = self.size;
        if on == On::Sqlite {
            return inserts::messages(pairs, depth, self.plan);
        }
        let rate = match self.rows {
            Some(rate) => rate,
            None => rows::messages(self.ground, pairs, depth, self.plan)?,
        };
        self.rows = Some(rate);
        Ok(rate)
    }
}
