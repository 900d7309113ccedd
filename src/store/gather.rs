//! What a batch has to know, read inside its transaction, with its users locked.

use diesel::result::QueryResult;

use super::batch::{NewMessage, Stopped, Write};
use super::bulk::{Backlog, Claim};
use super::carried::{self, Carried};
use super::connection::Link;
use super::lookup;
use super::recall::Recall;
use super::rules::{self, Facts, Questions};
use super::users::{UserState, Working};
use crate::hash::{HashMap, HashSet};
use crate::protocol::{FileId, UserId};

/// Locks the users and reads what the rules have to know, as far as it is not remembered for sure.
///
/// [`Stopped::Overtaken`] where a user was created while the locks were waited for.
pub fn facts(link: &mut Link<'_>, batch: &[Write], recall: &Recall) -> Result<Facts, Stopped> {
    let mut questions = rules::questions(batch);
    let mut facts = Facts::default();
    if !questions.users.is_empty() {
        facts.working = users(link, &questions, recall)?;
    }
    let pairs = facts.who_may_be_blocked(&questions);
    if !pairs.is_empty() {
        let blocked = link.bulk().blocked(&pairs)?;
        facts.learn_blocked(pairs, &blocked);
    }
    if !questions.keys.is_empty() {
        facts.sent = sent(link, &questions, &facts)?;
        questions.messages.extend(facts.sent.values());
    }
    if !questions.messages.is_empty() {
        let stored = link.bulk().stored(&questions.messages)?;
        facts.stored = stored.into_iter().collect();
    }
    if !questions.blocks.is_empty() {
        facts.grants = grants(link, &questions.blocks, recall)?;
    }
    if !facts.stored.is_empty() {
        if has_appeared(link, batch, &facts)? {
            return Err(Stopped::Overtaken);
        }
        facts.same = same_content(link, batch, &facts)?;
    }
    if !questions.files.is_empty() {
        facts.carried = carried(link, &questions, &facts)?;
    }
    if !questions.connecting.is_empty() {
        facts.backlogs = backlogs(link, &questions, &facts)?;
    }
    Ok(facts)
}

/// The users of a batch, locked: on SQLite by the transaction itself, which lets nobody else write.
fn users(link: &mut Link<'_>, questions: &Questions<'_>, recall: &Recall) -> QueryResult<Working> {
    let all = questions.users.iter().copied();
    let (mut states, others) = match link.written_elsewhere()? {
        Some(number) => recall.users(number, all),
        None => (Vec::new(), all.map(UserId::as_str).collect()),
    };
    if !others.is_empty() {
        let found = link.bulk().lock_users(&others)?.into_iter();
        // What is in the database was a user ID when it was written.
        states
            .extend(found.filter_map(|(login, state)| Some((UserId::parse(&login).ok()?, state))));
    }
    Ok(Working::new(states))
}

/// The grants of these blocks of IDs, after the users were asked for.
fn grants(
    link: &mut Link<'_>,
    blocks: &[i64],
    recall: &Recall,
) -> QueryResult<HashMap<i64, (i64, i64)>> {
    let (mut grants, others) = match link {
        Link::Sqlite(_) => recall.grants(blocks),
        Link::Postgres(_) => (HashMap::default(), blocks.to_vec()),
    };
    if !others.is_empty() {
        let found = link.bulk().grants(&others)?.into_iter();
        grants.extend(found.map(|(block, user, at)| (block, (user, at))));
    }
    Ok(grants)
}

/// What was sent before under the keys of a batch.
fn sent(
    link: &mut Link<'_>,
    questions: &Questions<'_>,
    facts: &Facts,
) -> QueryResult<HashMap<(i64, String), i64>> {
    let keys = questions.keys.iter();
    let keys = keys.filter_map(|(user, key)| Some((facts.working.row_id(user)?, *key)));
    let keys: Vec<(i64, &str)> = keys.collect();
    let sent = link.bulk().sent(&keys)?.into_iter();
    Ok(sent.map(|(sender, key, id)| ((sender, key), id)).collect())
}

/// The files that messages carry.
fn carried(link: &mut Link<'_>, questions: &Questions<'_>, facts: &Facts) -> QueryResult<Carried> {
    let sent = questions.files.iter();
    let sent = sent.filter_map(|(id, sender)| Some((*id, *facts.working.find(sender)?)));
    let sent: Vec<(FileId, UserState)> = sent.collect();
    carried::carried(link, &sent)
}

/// What waits for those who connect.
fn backlogs(
    link: &mut Link<'_>,
    questions: &Questions<'_>,
    facts: &Facts,
) -> QueryResult<HashMap<UserId, Backlog>> {
    let known = questions.connecting.iter();
    let known = known.filter_map(|user| Some((*user, *facts.working.find(user)?)));
    let known: Vec<(&UserId, UserState)> = known.collect();
    if known.is_empty() {
        return Ok(HashMap::default());
    }
    let asked: Vec<UserState> = known.iter().map(|(_, state)| *state).collect();
    let backlogs = link.bulk().backlogs(&asked)?;
    let users = known.into_iter().map(|(user, _)| user.clone());
    Ok(users.zip(backlogs).collect())
}

/// Whether a message that was sent before is for somebody who has a row by now and had none when the users
/// were locked: a statement sees what was committed before it began to wait.
fn has_appeared(link: &mut Link<'_>, batch: &[Write], facts: &Facts) -> QueryResult<bool> {
    let recipients = batch.iter().filter_map(|write| {
        let (message, id) = sent_before(write, facts)?;
        let is_stored = facts.stored.contains_key(&id);
        (is_stored && facts.working.row_id(&message.to).is_none()).then_some(message.to.as_str())
    });
    let unknown: Vec<&str> = recipients.collect();
    Ok(!unknown.is_empty() && !lookup::heads(link, &unknown)?.is_empty())
}

/// What is sent, and the ID under which it may have been sent before.
fn sent_before<'a>(write: &'a Write, facts: &Facts) -> Option<(&'a NewMessage, i64)> {
    match write {
        Write::Message(message) => Some((message, message.id.number())),
        Write::Keyed(message, key) => Some((message, facts.sent_as(&message.from, key)?)),
        _ => None,
    }
}

/// The positions in the batch of messages that are stored already, with the same kind and text.
fn same_content(
    link: &mut Link<'_>,
    batch: &[Write],
    facts: &Facts,
) -> QueryResult<HashSet<usize>> {
    let mut claims = Vec::new();
    let mut places = Vec::new();
    for (place, write) in batch.iter().enumerate() {
        let Some((message, id)) = sent_before(write, facts) else {
            continue;
        };
        // Somebody else's is refused anyhow, and must not take longer than one that is not there.
        let is_theirs = |id: &i64| {
            let found = facts.stored.get(id);
            found.is_some_and(|found| Some(found.sender) == facts.working.row_id(&message.from))
        };
        if is_theirs(&id) {
            claims.push(Claim {
                message: id,
                kind: message.kind.number(),
                text: &message.text,
            });
            places.push(place);
        }
    }
    if claims.is_empty() {
        return Ok(HashSet::default());
    }
    let same = link.bulk().same_content(&claims)?;
    let same = places.into_iter().zip(same).filter(|(_, same)| *same);
    Ok(same.map(|(place, _)| place).collect())
}
