//! What a database holds, as a count and a digest of each table: a source is known again by it, and a
//! copy is compared with it.

use data_encoding::HEXLOWER;
use diesel::prelude::*;
use diesel::result::{Error, QueryResult};
use sha2::{Digest, Sha256};

use super::progress::Counter;
use super::rows::{
    Block, ContactOf, FileOf, FileReader, Grant, Message, Receipt, Row, START, SentByKey, User,
};
use crate::store::connection::{Link, on};
use crate::store::schema::id_allocation;

/// All of a database that counts: every column of every row, and the next message ID. (Not `probes`,
/// which says nothing but how often the store failed.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The tables, in the order in which they are copied.
    pub tables: Vec<TableContent>,
    /// The next message ID that nobody has leased.
    pub next_id: i64,
}

/// The rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableContent {
    /// Its name.
    pub table: &'static str,
    /// How many there are.
    pub rows: u64,
    /// SHA-256 over all of them, in the order of their keys, as MessagePack.
    digest: [u8; 32],
}

impl Content {
    /// Reads everything, and keeps nothing of it but this.
    pub fn read(link: &mut Link<'_>, counter: &mut Counter<'_>) -> QueryResult<Self> {
        let next_id = on!(link, connection => id_allocation::table
            .select(id_allocation::next)
            .get_result(connection))?;
        let tables = vec![
            table::<User>(link, counter)?,
            table::<Grant>(link, counter)?,
            table::<Message>(link, counter)?,
            table::<Receipt>(link, counter)?,
            table::<ContactOf>(link, counter)?,
            table::<Block>(link, counter)?,
            table::<SentByKey>(link, counter)?,
            table::<FileOf>(link, counter)?,
            table::<FileReader>(link, counter)?,
        ];
        Ok(Self { tables, next_id })
    }

    /// How many rows there are in all.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// One text for all of it, which any change changes.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.next_id.to_be_bytes());
        for table in &self.tables {
            hasher.update(table.rows.to_be_bytes());
            hasher.update(table.digest);
        }
        HEXLOWER.encode(&hasher.finalize())
    }

    /// The name of a table of which `copy` does not hold the same. Message IDs that the copy has issued
    /// beyond ours are no difference, those that we have issued and it has not are one.
    pub fn difference(&self, copy: &Self) -> Option<&'static str> {
        let both = self.tables.iter().zip(&copy.tables);
        let differs = both.filter(|(ours, theirs)| ours != theirs);
        let ids = (copy.next_id < self.next_id).then_some("id_allocation");
        differs.map(|(ours, _)| ours.table).next().or(ids)
    }
}

fn table<R: Row>(link: &mut Link<'_>, counter: &mut Counter<'_>) -> QueryResult<TableContent> {
    counter.begin(R::TABLE);
    let mut hasher = Sha256::new();
    let mut bytes = Vec::new();
    let mut rows = 0;
    R::each(link, START, |row| {
        bytes.clear();
        rmp_serde::encode::write(&mut bytes, &row)
            .map_err(|error| Error::SerializationError(Box::new(error)))?;
        hasher.update(&bytes);
        rows += 1;
        counter.add(1);
        QueryResult::Ok(())
    })?;
    Ok(TableContent {
        table: R::TABLE,
        rows,
        digest: hasher.finalize().into(),
    })
}

/// How many rows the tables hold in all.
pub fn count(link: &mut Link<'_>) -> QueryResult<u64> {
    let counts = [
        User::count(link)?,
        Grant::count(link)?,
        Message::count(link)?,
        Receipt::count(link)?,
        ContactOf::count(link)?,
        Block::count(link)?,
        SentByKey::count(link)?,
        FileOf::count(link)?,
        FileReader::count(link)?,
    ];
    Ok(counts
        .into_iter()
        .filter_map(|n| u64::try_from(n).ok())
        .sum())
}
