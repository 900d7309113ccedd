//! What each node shows of the past, read by connections that come at the end: the whole history of a user, that
//! of one conversation, and what is redelivered.

use std::collections::VecDeque;

use super::ledger::Ledger;
use super::plan::Plan;
use super::support::{Node, frames, within};
use super::wire::{Incoming, Wire, number_of};

/// What one node shows to a user.
pub struct Look {
    /// Every message to or from them, oldest first, and its status.
    pub history: Vec<(u32, u8)>,
    /// What was redelivered at connect: a prefix of all that is unread.
    pub redelivered: Vec<u32>,
}

impl Look {
    /// What of it is unread by this user.
    fn unread(&self, ledger: &Ledger, user: usize) -> usize {
        let unread = self.history.iter();
        let unread =
            unread.filter(|(index, status)| *status == 1 && ledger.plan.to(*index) == user);
        unread.count()
    }
}

/// Connects to a node as this user, reads everything there is, and goes.
pub async fn look(ledger: &Ledger, node: &Node, user: usize) -> Look {
    let name = Plan::name(user);
    let mut wire = Wire::connect(node, &name, None).await;
    let mut look = Look {
        history: Vec::new(),
        redelivered: Vec::new(),
    };
    look.history = pages(ledger, &mut wire, &name, None, &mut look.redelivered).await;
    while look.redelivered.len() < look.unread(ledger, user) {
        let frame = within("what is unread", wire.next()).await;
        let frame = frame.expect("the connection lasts");
        redelivered(ledger, &Incoming::parse(&frame), &mut look.redelivered);
    }
    look
}

/// The messages of one conversation as a node shows them to one of the two, oldest first.
pub async fn conversation(ledger: &Ledger, node: &Node, user: usize, partner: usize) -> Vec<u32> {
    let name = Plan::name(user);
    let mut wire = Wire::connect(node, &name, None).await;
    let partner = Plan::name(partner);
    let pages = pages(ledger, &mut wire, &name, Some(&partner), &mut Vec::new()).await;
    pages.into_iter().map(|(index, _)| index).collect()
}

/// Reads history backwards, page by page, to its beginning.
async fn pages(
    ledger: &Ledger,
    wire: &mut Wire,
    name: &str,
    partner: Option<&str>,
    unread: &mut Vec<u32>,
) -> Vec<(u32, u8)> {
    let mut all = VecDeque::new();
    let mut base: Option<String> = None;
    loop {
        let request = frames::history(name, partner, base.as_deref(), Some(100));
        wire.send(request.to_string());
        let frame = within("a page of history", async {
            loop {
                let frame = wire.next().await.expect("the connection lasts");
                let incoming = Incoming::parse(&frame);
                if incoming.action == "12" {
                    return frame;
                }
                redelivered(ledger, &incoming, unread);
            }
        })
        .await;
        let page = Incoming::parse(&frame).page;
        let Some(oldest) = page.first() else {
            return all.into();
        };
        base = Some(oldest.chat().id.to_owned());
        for message in page.iter().rev() {
            all.push_front((ledger.check(message), message.chat().status));
        }
    }
}

/// Takes what comes by itself after a connect.
fn redelivered(ledger: &Ledger, incoming: &Incoming<'_>, messages: &mut Vec<u32>) {
    match incoming.action {
        "3" => messages.push(ledger.check(incoming)),
        "4" => {
            let chat = incoming.chat();
            assert_eq!(chat.status, 2, "{incoming:?}");
            ledger.index(number_of(chat.id));
        }
        _ => panic!("unexpected: {incoming:?}"),
    }
}
