//! What can only be said at the end, when the whole history of each user has been read: that there is one order, and
//! that whatever came at any time is a part of it.

use std::collections::BTreeMap;

use super::model::{Connection, Message, Model, Page};
use super::observe::Fault;

/// The IDs of all messages to or from each user, oldest first.
pub type Archive = BTreeMap<String, Vec<String>>;

/// Pages also end at 512 KiB; where one may have, it can be short.
const PAGE_BYTES: usize = 500 * 1024;

/// Holds a model against the histories of its users.
pub fn pronounce(model: &Model, archive: &Archive) -> Result<(), Fault> {
    for (user, history) in archive {
        all_is_there_once(model, user, history)?;
        sent_one_after_another(model, user, history)?;
    }
    conversations_are_alike(model, archive)?;
    receipts_have_one_order(model, archive)?;
    for (number, connection) in model.connections.iter().enumerate() {
        let came: Vec<&String> = connection.messages.iter().collect();
        in_order(&came, &archive[&connection.user])
            .map_err(|fault| format!("{}: {fault}", model.who(number)))?;
    }
    model.pages.iter().try_for_each(|page| {
        check_page(model, page, &archive[&page.user]).map_err(|fault| format!("{page:?}: {fault}"))
    })
}

/// What was acknowledged or seen is stored, and each message once.
fn all_is_there_once(model: &Model, user: &str, history: &[String]) -> Result<(), Fault> {
    let stored = |message: &&Message| message.concerns(user) && message.stored.is_some();
    for message in model.messages.values().filter(stored) {
        let count = history.iter().filter(|id| **id == message.id).count();
        if count != 1 {
            let named = model.named(message);
            return Err(format!("{named} is {count} times in the history of {user}"));
        }
    }
    Ok(())
}

/// Messages that each had but one connection to come from are stored as that one sent them.
fn sent_one_after_another(model: &Model, user: &str, history: &[String]) -> Result<(), Fault> {
    let mut ways: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
    for message in model.sent.iter().map(|id| &model.messages[id]) {
        let origins = message.origins();
        let Some(origin) = origins.first().filter(|_| origins.len() == 1) else {
            continue;
        };
        if message.from == user && message.stored.is_some() {
            ways.entry(*origin).or_default().push(&message.id);
        }
    }
    ways.into_iter().try_for_each(|(origin, sent)| {
        in_order(&sent, history).map_err(|fault| format!("sent by {}: {fault}", model.who(origin)))
    })
}

/// The two of a conversation are shown it alike.
fn conversations_are_alike(model: &Model, archive: &Archive) -> Result<(), Fault> {
    for (user, history) in archive {
        for (partner, theirs) in archive.range(user.clone()..) {
            let one = conversation(model, user, Some(partner), history);
            let other = conversation(model, partner, Some(user), theirs);
            if one != other {
                return Err(format!("{user} is shown {one:?}, and {partner} {other:?}"));
            }
        }
    }
    Ok(())
}

/// All connections of a sender hear in one order of what was read.
fn receipts_have_one_order(model: &Model, archive: &Archive) -> Result<(), Fault> {
    for user in archive.keys() {
        let of = |(number, connection): (usize, &Connection)| -> Vec<String> {
            let own = connection.told.iter().filter(|id| {
                let message = &model.messages[*id];
                message.from == *user && !model.has_resent(number, message)
            });
            own.cloned().collect()
        };
        let connections = model.connections.iter().enumerate();
        let connections = connections.filter(|(_, connection)| connection.user == *user);
        let lists: Vec<Vec<String>> = connections.map(of).collect();
        for (at, one) in lists.iter().enumerate() {
            for other in &lists[at + 1..] {
                let common: Vec<&String> = one.iter().filter(|id| other.contains(id)).collect();
                in_order(&common, other).map_err(|fault| format!("told to {user}: {fault}"))?;
            }
        }
    }
    Ok(())
}

/// These are all in the list, in its order.
fn in_order(these: &[&String], list: &[String]) -> Result<(), Fault> {
    let mut rest = list.iter();
    match these.iter().find(|id| !rest.any(|listed| listed == **id)) {
        Some(id) => Err(format!(
            "{id} has another place among {these:?} than in {list:?}"
        )),
        None => Ok(()),
    }
}

/// The part of a user's history that a page is of.
fn conversation<'a>(
    model: &Model,
    user: &str,
    partner: Option<&str>,
    history: &'a [String],
) -> Vec<&'a String> {
    let is_of =
        |id: &&String| partner.is_none_or(|partner| model.messages[*id].partner(user) == partner);
    history.iter().filter(is_of).collect()
}

/// The page is what stands before its base; or, without one, at the end of what there was then.
fn check_page(model: &Model, page: &Page, history: &[String]) -> Result<(), Fault> {
    let all = conversation(model, &page.user, page.asked.partner.as_deref(), history);
    let place = |id: &String| all.iter().position(|listed| *listed == id);
    let end = match (&page.asked.base, page.ids.last()) {
        (Some(base), _) => place(base),
        (None, Some(last)) => place(last).map(|place| place + 1),
        (None, None) => Some(0),
    };
    let end = end.ok_or("it ends outside of history")?;
    let known = |id: &&String| {
        model.messages[*id]
            .stored
            .is_some_and(|at| at < page.between.0)
    };
    if page.asked.base.is_none()
        && let Some(id) = all[end..].iter().copied().find(known)
    {
        return Err(format!("it lacks {id}, which was stored before"));
    }
    let due = &all[end.saturating_sub(page.asked.size)..end];
    let came: Vec<&String> = page.ids.iter().collect();
    let bytes: usize = due.iter().map(|id| model.messages[*id].text.len()).sum();
    let is_cut = bytes > PAGE_BYTES && !came.is_empty() && due.ends_with(&came);
    if came == due || is_cut {
        Ok(())
    } else {
        Err(format!("it should be {due:?}"))
    }
}
