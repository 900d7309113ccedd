//! The names under which things go over NATS.
//!
//! | subject | carries |
//! |---|---|
//! | `yanshu.<cluster>.<user>` | letters for a user; a `.` of the user ID is written `~`, which is in no user ID |
//! | `yanshu.<cluster>.bus.probe.<node>.<number>` | a probe, which nobody serves: NATS answers it with "no responders" |
//! | `yanshu.<cluster>.bus.answer.<node>.<number>` | that answer |
//! | `yanshu.<cluster>.bus.doubt` | to all nodes: letters of mine were lost |
//!
//! All of it is below `yanshu.<cluster>`, which is what a NATS user needs the permission for, to
//! publish and to subscribe. A user's subject has three parts, the bus's own have four or more: no
//! user ID can be one of them.

use uuid::Uuid;

use super::BusError;
use crate::protocol::UserId;

/// The subjects of one node.
#[derive(Debug, Clone)]
pub struct Subjects {
    cluster: String,
    node: String,
}

impl Subjects {
    /// The subjects of a new node of this cluster.
    pub fn new(cluster: &str) -> Result<Self, BusError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if cluster.is_empty() || !cluster.bytes().all(allowed) {
            return Err(BusError::Cluster);
        }
        Ok(Self {
            cluster: cluster.to_owned(),
            node: Uuid::new_v4().simple().to_string(),
        })
    }

    /// Where letters for this user go.
    pub fn user(&self, user: &UserId) -> String {
        format!(
            "yanshu.{}.{}",
            self.cluster,
            user.as_str().replace('.', "~")
        )
    }

    /// Where this node's probe of this number goes, and where its answer comes from.
    pub fn probe(&self, number: u64) -> (String, String) {
        let (cluster, node) = (&self.cluster, &self.node);
        (
            format!("yanshu.{cluster}.bus.probe.{node}.{number}"),
            format!("yanshu.{cluster}.bus.answer.{node}.{number}"),
        )
    }

    /// All probes of this node.
    pub fn probes(&self) -> String {
        format!("yanshu.{}.bus.probe.{}.*", self.cluster, self.node)
    }

    /// The answers to all of them.
    pub fn answers(&self) -> String {
        format!("yanshu.{}.bus.answer.{}.*", self.cluster, self.node)
    }

    /// Where a node says that letters of its were lost.
    pub fn doubt(&self) -> String {
        format!("yanshu.{}.bus.doubt", self.cluster)
    }

    /// What async-nats would put its own inboxes under.
    pub fn inbox(&self) -> String {
        format!("yanshu.{}.bus.inbox", self.cluster)
    }
}

/// The number of a probe, from its subject or that of its answer.
pub fn number(subject: &str) -> Option<u64> {
    subject.rsplit('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_has_the_subject_of_another_or_of_the_bus() {
        let subjects = Subjects::new("c-1").unwrap();
        let subject = |user| subjects.user(&UserId::parse(user).unwrap());
        assert_eq!(subject("a.b@c_d-E"), "yanshu.c-1.a~b@c_d-E");
        assert_eq!(subject("."), "yanshu.c-1.~");
        for of_the_bus in [
            subjects.probe(1).0,
            subjects.probe(1).1,
            subjects.doubt(),
            subjects.inbox(),
        ] {
            let parts = of_the_bus.split('.').count();
            assert!(parts > subject("bus.probe").split('.').count());
        }
    }

    #[test]
    fn a_probe_is_known_by_its_number() {
        let (probe, answer) = Subjects::new("c").unwrap().probe(17);
        assert_eq!((number(&probe), number(&answer)), (Some(17), Some(17)));
        assert_eq!(number("yanshu.c.bus.answer.n.x"), None);
    }

    #[test]
    fn a_cluster_is_one_plain_word() {
        for wrong in ["", "a.b", "*", ">", "a b", "a\n"] {
            assert!(Subjects::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
