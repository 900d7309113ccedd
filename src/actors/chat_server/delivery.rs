//! From what was committed to the frames that each device receives.

use bytestring::ByteString;

use super::ChatServer;
use super::device::Device;
use crate::actors::session::Kick;
use crate::chat::{ConnectionId, Cursor, Start};
use crate::protocol::{Action, CloseCode, ErrorCode, MessageId, Refusal, UserId, render};
use crate::store::{Outcome, Refused};

impl ChatServer {
    /// The device with this connection, which will be flushed; `None` where it is gone.
    fn touch(&mut self, connection: ConnectionId) -> Option<&mut Device> {
        let device = self.devices.get_mut(&connection)?;
        if device.list() {
            self.touched.push(connection);
        }
        Some(device)
    }

    /// Answers one request of a session, with a frame or in silence.
    pub(super) fn answer(&mut self, connection: ConnectionId, frame: Option<ByteString>) {
        if let Some(device) = self.touch(connection) {
            device.answered();
            frame.into_iter().for_each(|frame| device.put(frame));
        }
    }

    /// Answers one request of a session with an error frame.
    pub(super) fn refuse(&mut self, connection: ConnectionId, refusal: &Refusal) {
        let frame = self
            .devices
            .get(&connection)
            .map(|device| render::error(Some(&device.user), refusal));
        self.answer(connection, frame);
    }

    /// A connecting device is a device of its user from now on.
    pub(super) fn connected(&mut self, connection: ConnectionId, start: Start) {
        let Some(device) = self.devices.get_mut(&connection) else {
            return; // gone meanwhile
        };
        device.cursor = Some(Cursor::new(start));
        let user = device.user.clone();
        self.answer_connect(connection, None);
        if let Some(oldest) = self.routes.attach(&user, connection)
            && let Some(mut device) = self.devices.remove(&oldest)
        {
            device.flush();
            device.session.do_send(Kick(CloseCode::Replaced));
        }
        self.touch(connection);
    }

    /// Routes a message, or answers why it was not stored.
    pub(super) fn message_settled(
        &mut self,
        connection: ConnectionId,
        (from, to): (&UserId, &UserId),
        id: MessageId,
        frame: ByteString,
        outcome: Outcome,
    ) {
        let status = |status| render::status(to.as_str(), from.as_str(), id, status);
        match outcome {
            Outcome::Stored {
                sender_seq,
                recipient_seq,
            } => {
                let ack = status(1);
                self.offer_to_sender(connection, from, sender_seq, from == to, &frame, &ack);
                if from != to {
                    self.offer(to, recipient_seq, |_, device| device.put(frame.clone()));
                }
            }
            Outcome::Known { status: known } => self.answer(connection, Some(status(known))),
            outcome => {
                let refusal = refusal_of(&outcome).on(Action::Message).about(id);
                self.refuse(connection, &refusal);
            }
        }
    }

    /// The sender's devices: the sending one gets its answer (after the frame, where it is to
    /// oneself), the others the frame and then the status.
    fn offer_to_sender(
        &mut self,
        origin: ConnectionId,
        sender: &UserId,
        seq: i64,
        to_oneself: bool,
        frame: &ByteString,
        ack: &ByteString,
    ) {
        self.offer(sender, seq, |connection, device| {
            let own = connection == origin;
            if !own || to_oneself {
                device.put(frame.clone());
            }
            if !own {
                device.put(ack.clone());
            }
        });
        self.answer(origin, Some(ack.clone()));
    }

    /// Offers a number of a user's timeline to each of their devices; those that take it now get
    /// what `put` puts, the others will read it from the store.
    fn offer(&mut self, user: &UserId, seq: i64, mut put: impl FnMut(ConnectionId, &mut Device)) {
        for connection in self.routes.of(user) {
            let Some(device) = self.devices.get_mut(connection) else {
                continue;
            };
            if device.offer(seq) {
                put(*connection, device);
            }
            // Flushed even where it took nothing: a device that fell behind starts to catch up.
            if device.list() {
                self.touched.push(*connection);
            }
        }
    }

    /// Answers a reported reading, and tells those it concerns.
    pub(super) fn read_settled(
        &mut self,
        connection: ConnectionId,
        reader: &UserId,
        sender: &UserId,
        message: MessageId,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Read {
                sender_seq,
                reader_seq,
            } => {
                let frame = render::status(reader.as_str(), sender.as_str(), message, 2);
                self.offer(sender, sender_seq, |_, device| {
                    device.put(frame.clone());
                    device.receipt(sender_seq);
                });
                if reader != sender {
                    self.offer(reader, reader_seq, |other, device| {
                        if other != connection {
                            device.put(frame.clone());
                        }
                    });
                }
                self.answer(connection, None);
            }
            Outcome::Done => self.answer(connection, None),
            outcome => {
                let refusal = refusal_of(&outcome).on(Action::Status).about(message);
                self.refuse(connection, &refusal);
            }
        }
    }
}

fn refusal_of(outcome: &Outcome) -> Refusal {
    let (code, text) = match outcome {
        Outcome::Refused(Refused::UnknownMessage) => (
            ErrorCode::UnknownMessage,
            "no such message between these two",
        ),
        Outcome::Refused(Refused::NotTheRecipient) => (
            ErrorCode::Forbidden,
            "only its recipient reports a message as read",
        ),
        Outcome::Refused(Refused::IdNotGranted) => (
            ErrorCode::IdNotGranted,
            "this ID is not granted to this user",
        ),
        Outcome::Refused(Refused::IdConflict) => {
            (ErrorCode::IdConflict, "this ID is another message already")
        }
        _ => (
            ErrorCode::Internal,
            "the store gave an answer that fits no question",
        ),
    };
    Refusal::new(code, text)
}
