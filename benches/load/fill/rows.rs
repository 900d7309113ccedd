//! The rows of a database that has been used for long.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use rand::SeedableRng;
use rand::rngs::StdRng;
use yanshu::protocol::IDS_PER_GRANT;

use super::Base;
use crate::child::{Server, Setup};
use crate::database::Database;
use crate::ground::On;
use crate::support::database::Database as Tables;
use crate::world::{World, name};
use crate::{Outcome, TEXT, TIME};

/// So many rows by one statement, and so many statements in a transaction.
const ROWS: usize = 1_000;
const STATEMENTS: usize = 500;
/// So many messages are remembered, to ask for what is before them.
const BASES: usize = 20_000;

/// Neither the speed nor the safety of the filling is measured.
const SQLITE: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    PRAGMA cache_size = -2097152;";
const POSTGRES: &str = "SET synchronous_commit = off;";

/// A fresh database with so many messages.
pub fn make<'a>(
    setup: Setup<'a>,
    world: &World,
    messages: usize,
) -> Outcome<(Database<'a>, Vec<Base>)> {
    let database = setup.ground.database(setup.on)?;
    // The server makes the tables.
    drop(Server::start_on(setup, &database)?);
    let mut filling = Filling {
        connection: connect(&database.tables)?,
        now: i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?,
        people: vec![Person::default(); world.users()],
        next: 1,
        grants: Vec::new(),
    };
    filling.connection.batch_execute("BEGIN")?;
    filling.contacts(world)?;
    let bases = filling.messages(world, messages)?;
    filling.users(setup.on)?;
    filling.connection.batch_execute("COMMIT")?;
    if setup.on != On::Sqlite {
        filling.connection.batch_execute("VACUUM ANALYZE")?;
    }
    drop(filling);
    database.settle()?;
    Ok((database, bases))
}

fn connect(tables: &Tables) -> Outcome<Box<dyn SimpleConnection>> {
    let (mut connection, settings): (Box<dyn SimpleConnection>, _) = match tables {
        Tables::Sqlite(path) => {
            let connection = SqliteConnection::establish(&path.display().to_string())?;
            (Box::new(connection), SQLITE)
        }
        Tables::Postgres(url) => (Box::new(PgConnection::establish(url)?), POSTGRES),
    };
    connection.batch_execute(settings)?;
    Ok(connection)
}

#[derive(Debug, Clone, Copy, Default)]
struct Person {
    timeline: i64,
    contacts: i64,
    /// The next ID of the last grant, and how many are left of it.
    id: i64,
    left: i64,
}

struct Filling {
    connection: Box<dyn SimpleConnection>,
    now: i64,
    people: Vec<Person>,
    /// The first ID that nobody has.
    next: i64,
    /// Blocks and whose they are, to be written.
    grants: Vec<(i64, usize)>,
}

impl Filling {
    fn contacts(&mut self, world: &World) -> Outcome<()> {
        let mut pairs: Vec<(usize, usize)> = world.pairs().collect();
        pairs.extend_from_within(..);
        let half = pairs.len() / 2;
        pairs[half..]
            .iter_mut()
            .for_each(|(a, b)| std::mem::swap(a, b));
        pairs.sort_unstable();
        pairs.dedup();
        for (owner, _) in &pairs {
            self.people[*owner].contacts += 1;
        }
        let row = |text: &mut String, (owner, contact): &(usize, usize)| {
            write!(text, "({}, {})", owner + 1, contact + 1)
        };
        self.insert(
            "INSERT INTO contacts (owner, contact) VALUES ",
            &pairs,
            row,
            "",
        )
    }

    fn messages(&mut self, world: &World, count: usize) -> Outcome<Vec<Base>> {
        let insert = "INSERT INTO messages (id, sender, recipient, sender_seq, recipient_seq, lo, hi, lo_seq,
                kind, body, sent_at, status, origin, stored_at)
            SELECT column1, column2, column3, column4, column5,
                CASE WHEN column2 < column3 THEN column2 ELSE column3 END,
                CASE WHEN column2 < column3 THEN column3 ELSE column2 END,
                CASE WHEN column2 < column3 THEN column4 ELSE column5 END,
                0, ";
        let insert = format!(
            "{insert} '{TEXT}', '{TIME}', column6, 1, {} FROM (VALUES ",
            self.now
        );
        let mut rng = StdRng::seed_from_u64(42);
        let (mut bases, mut done) = (Vec::new(), 0);
        let readers = world.readers();
        while done < count {
            let rows: Vec<Row> = (done..count.min(done + ROWS))
                .map(|at| {
                    let (sender, recipient) = world.draw_stored(&mut rng);
                    let unread = at >= count / 20 * 19 && recipient >= world.talkers;
                    self.row(sender, recipient, unread)
                })
                .collect();
            done += rows.len();
            for row in &rows {
                let of = |reader, with| readers.contains(&reader).then_some((reader, with));
                let read = of(row.sender, row.recipient).or(of(row.recipient, row.sender));
                if let (Some((reader, with)), true) = (read, bases.len() < BASES * done / count + 1)
                {
                    bases.push(Base {
                        id: row.id,
                        reader,
                        with,
                    });
                }
            }
            self.insert(&insert, &rows, Row::put, ") AS drawn")?;
            self.grants()?;
            if done % (ROWS * STATEMENTS) == 0 {
                self.connection.batch_execute("COMMIT; BEGIN")?;
            }
        }
        Ok(bases)
    }

    fn row(&mut self, sender: usize, recipient: usize, unread: bool) -> Row {
        if self.people[sender].left == 0 {
            self.grants.push((self.next / IDS_PER_GRANT, sender));
            self.people[sender].id = self.next;
            self.people[sender].left = IDS_PER_GRANT;
            self.next += IDS_PER_GRANT;
        }
        let id = self.people[sender].id;
        self.people[sender].id += 1;
        self.people[sender].left -= 1;
        for user in [sender, recipient] {
            self.people[user].timeline += 1;
        }
        Row {
            id,
            sender,
            recipient,
            seqs: [
                self.people[sender].timeline,
                self.people[recipient].timeline,
            ],
            status: if unread { 1 } else { 2 },
        }
    }

    fn grants(&mut self) -> Outcome<()> {
        let (grants, now) = (std::mem::take(&mut self.grants), self.now);
        let row = |text: &mut String, (block, user): &(i64, usize)| {
            write!(text, "({block}, {}, {now})", user + 1)
        };
        let insert = "INSERT INTO grants (block, user_id, granted_at) VALUES ";
        self.insert(insert, &grants, row, "")
    }

    fn users(&mut self, on: On) -> Outcome<()> {
        let people: Vec<_> = self.people.iter().copied().enumerate().collect();
        let row = |text: &mut String, (user, person): &(usize, Person)| {
            let Person {
                timeline, contacts, ..
            } = person;
            write!(
                text,
                "({}, '{}', {timeline}, {contacts})",
                user + 1,
                name(*user)
            )
        };
        let insert = "INSERT INTO users (id, login, timeline, contacts) VALUES ";
        self.insert(insert, &people, row, "")?;
        let mut last = format!("UPDATE id_allocation SET next = {};", self.next);
        if on != On::Sqlite {
            let next = people.len() + 1;
            write!(
                last,
                "ALTER TABLE users ALTER COLUMN id RESTART WITH {next};"
            )?;
        }
        Ok(self.connection.batch_execute(&last)?)
    }

    /// Writes rows, many at a time.
    fn insert<T>(
        &mut self,
        before: &str,
        rows: &[T],
        put: impl Fn(&mut String, &T) -> std::fmt::Result,
        after: &str,
    ) -> Outcome<()> {
        for rows in rows.chunks(ROWS) {
            let mut text = before.to_owned();
            for (number, row) in rows.iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ", " });
                put(&mut text, row)?;
            }
            text.push_str(after);
            self.connection.batch_execute(&text)?;
        }
        Ok(())
    }
}

/// What is drawn of a message. The rest follows.
struct Row {
    id: i64,
    sender: usize,
    recipient: usize,
    seqs: [i64; 2],
    status: i64,
}

impl Row {
    fn put(text: &mut String, row: &Self) -> std::fmt::Result {
        let Self {
            id,
            sender,
            recipient,
            seqs: [sender_seq, recipient_seq],
            status,
        } = row;
        let (sender, recipient) = (sender + 1, recipient + 1);
        write!(
            text,
            "({id}, {sender}, {recipient}, {sender_seq}, {recipient_seq}, {status})"
        )
    }
}
