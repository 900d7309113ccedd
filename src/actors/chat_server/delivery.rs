//! From what was committed to the frames that each device receives.

use bytestring::ByteString;

use super::ChatServer;
use super::device::Device;
use crate::chat::{ConnectionId, Cursor, NO_CONNECTION, Start};
use crate::protocol::{Action, CloseCode, Delivery, ErrorCode, MessageId, Refusal, UserId, render};
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
        self.metrics.refused(refusal);
        let frame = self
            .devices
            .get(&connection)
            .map(|device| render::error(Some(&device.user), refusal));
        self.answer(connection, frame);
    }

    /// A connecting device is a device of its user from now on.
    pub(super) fn connected(&mut self, connection: ConnectionId, start: Start, tenure: i64) {
        let Some(device) = self.devices.get_mut(&connection) else {
            return; // gone meanwhile
        };
        device.cursor = Some(Cursor::new(start));
        device.tenure = tenure;
        let user = device.user.clone();
        // What was committed after the store was asked may have been announced before it answered.
        self.presence.announce(&user, start.head);
        device.knows_of(self.presence.newest(&user));
        self.answer_connect(connection, None);
        if let Some(oldest) = self.routes.attach(&user, connection) {
            self.kick(oldest, CloseCode::Replaced);
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
                self.metrics.taken(Action::Message);
                let seqs = (sender_seq, recipient_seq);
                self.route(connection, (from, to), id, frame, seqs);
            }
            Outcome::Known { status: known } => {
                self.metrics.taken(Action::Message);
                self.answer(connection, Some(status(known)));
            }
            outcome => {
                let refusal = refusal_of(&outcome).on(Action::Message).about(id);
                self.refuse(connection, &refusal);
            }
        }
    }

    /// A message was stored, with these numbers in the timelines of its sender and its recipient. The
    /// connection it came over, if it came over one, is owed its answer.
    pub(super) fn route(
        &mut self,
        connection: ConnectionId,
        (from, to): (&UserId, &UserId),
        id: MessageId,
        frame: ByteString,
        (sender_seq, recipient_seq): (i64, i64),
    ) {
        let ack = render::status(to.as_str(), from.as_str(), id, 1);
        let to_sender = Delivery {
            seq: sender_seq,
            origin: connection,
            message: Some(frame.clone()),
            to_origin: from == to,
            status: Some(ack.clone()),
            receipt: false,
        };
        self.tell(from, &to_sender);
        self.answer(connection, Some(ack));
        if from != to {
            let to_recipient = Delivery {
                seq: recipient_seq,
                origin: connection,
                message: Some(frame),
                to_origin: false,
                status: None,
                receipt: false,
            };
            self.tell(to, &to_recipient);
        }
    }

    /// A number of a user's timeline was committed here: all their devices hear of it, on whatever
    /// node.
    fn tell(&mut self, user: &UserId, delivery: &Delivery) {
        self.offer(user, delivery);
        self.bus.publish(user, delivery);
    }

    /// Offers a number of a user's timeline to each of their devices on this node; those that take
    /// it now get its frames, the others will read it from the store.
    pub(super) fn offer(&mut self, user: &UserId, delivery: &Delivery) {
        self.presence.announce(user, delivery.seq);
        for connection in self.routes.of(user) {
            let Some(device) = self.devices.get_mut(connection) else {
                continue;
            };
            if device.offer(delivery.seq) {
                let frames = device.deliver(*connection, delivery);
                self.metrics.deliveries.inc_by(frames);
            }
            // Flushed even where it took nothing: a device that fell behind starts to catch up.
            if device.list() {
                self.touched.push(*connection);
            }
        }
    }

    /// Shows a user's devices on this node a number that is known to be committed.
    pub(super) fn know_of(&mut self, user: &UserId, seq: i64) {
        self.presence.announce(user, seq);
        for connection in self.routes.of(user) {
            if let Some(device) = self.devices.get_mut(connection) {
                device.knows_of(seq);
                if device.needs_read() && device.list() {
                    self.touched.push(*connection);
                }
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
                let to_sender = Delivery {
                    seq: sender_seq,
                    origin: NO_CONNECTION,
                    message: None,
                    to_origin: false,
                    status: Some(frame),
                    receipt: true,
                };
                self.tell(sender, &to_sender);
                if reader != sender {
                    let to_reader = Delivery {
                        seq: reader_seq,
                        origin: connection,
                        receipt: false,
                        ..to_sender
                    };
                    self.tell(reader, &to_reader);
                }
                self.metrics.taken(Action::Status);
                self.answer(connection, None);
            }
            Outcome::Done => {
                self.metrics.taken(Action::Status);
                self.answer(connection, None);
            }
            outcome => {
                let refusal = refusal_of(&outcome).on(Action::Status).about(message);
                self.refuse(connection, &refusal);
            }
        }
    }
}

/// What a client is told of a write that the rules refused.
pub(super) fn refusal_of(outcome: &Outcome) -> Refusal {
    let (code, text) = match outcome {
        Outcome::Refused(Refused::UnknownUser) => (ErrorCode::UnknownUser, "no such user"),
        Outcome::Refused(Refused::UnknownSender) => (ErrorCode::UnknownUser, "no such sender"),
        Outcome::Refused(Refused::Blocked) => (
            ErrorCode::Forbidden,
            "the recipient does not take messages from this user",
        ),
        Outcome::Refused(Refused::NoSuchFile) => (
            ErrorCode::Forbidden,
            "the file of this message is not there, or not this user's to send",
        ),
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

/// The refusal of a request that the store failed at.
pub(super) fn unavailable() -> Refusal {
    let text = "the store failed; the outcome is unknown, send the same frame again";
    Refusal::new(ErrorCode::StorageUnavailable, text)
}
