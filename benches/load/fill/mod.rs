//! A database that has been used for long, written straight into its tables: as the server would have
//! left it, by the same statements on SQLite and PostgreSQL.
//!
//! Index entries come in the order in which messages would have come, so that the indexes look as they do
//! in life. Every ID lies in a block that was granted to its sender, timelines have no gaps, and all is read but
//! the last twentieth, of whom is not a talker.

mod rows;

use std::cell::OnceCell;
use std::time::Instant;

use crate::Outcome;
use crate::child::Setup;
use crate::database::Database;
use crate::ground::On;
use crate::world::World;
use rows::make;

/// A message of a conversation that a reader may page through.
#[derive(Debug, Clone, Copy)]
pub struct Base {
    pub id: i64,
    pub reader: usize,
    pub with: usize,
}

/// A database and what is in it.
pub struct Filled<'a> {
    pub database: Database<'a>,
    pub world: World,
    pub messages: usize,
    pub bases: Vec<Base>,
    /// The same users without a message. A copy of it is made for each measurement.
    pub empty: Database<'a>,
}

/// What has been filled, on SQLite and on PostgreSQL.
#[derive(Default)]
pub struct Shelf<'a>([OnceCell<Filled<'a>>; 2]);

impl<'a> Shelf<'a> {
    /// Fills it if nobody has yet.
    pub fn get(&self, setup: Setup<'a>, messages: usize) -> Outcome<&Filled<'a>> {
        let place = &self.0[usize::from(setup.on != On::Sqlite)];
        if place.get().is_none() {
            // It was empty: there is nobody else.
            let _ = place.set(Filled::new(setup, messages)?);
        }
        place.get().ok_or_else(|| "it was just filled".into())
    }
}

impl<'a> Filled<'a> {
    fn new(setup: Setup<'a>, messages: usize) -> Outcome<Self> {
        let began = Instant::now();
        let world = World::of(messages);
        let (empty, _) = make(setup, &world, 0)?;
        let (database, bases) = make(setup, &world, messages)?;
        eprintln!(
            "{messages} messages are in a database on {} after {:.0} s",
            setup.on.name(),
            began.elapsed().as_secs_f64()
        );
        Ok(Self {
            database,
            world,
            messages,
            bases,
            empty,
        })
    }

    /// The talkers have read everything, so that it does not come again with the next connect.
    pub fn read_everything(&self, database: &Database<'_>) {
        let read = |talker| {
            format!("UPDATE messages SET status = 2 WHERE recipient = {talker} AND status = 1;")
        };
        let all: String = (1..=self.world.talkers).map(read).collect();
        database.tables.execute(&all);
    }
}
