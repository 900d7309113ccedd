//! The bus: what each implementation promises, and how the one over NATS takes what happens to
//! NATS. Needs `nats-server` on the `PATH`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod contract;
mod faults;
mod joining;
mod nats_server;
mod node;

/// Each contract, held against every bus.
macro_rules! contracts {
    ($($name:ident),* $(,)?) => {
        mod in_process {
            use crate::node::Ground;
            $(#[tokio::test]
            async fn $name() {
                crate::contract::$name(Ground::Local(Default::default())).await;
            })*
        }

        mod over_nats {
            use crate::nats_server::NatsServer;
            use crate::node::Ground;
            $(#[tokio::test]
            async fn $name() {
                crate::contract::$name(Ground::Nats(NatsServer::start())).await;
            })*
        }
    };
}

contracts!(
    a_letter_reaches_the_other_nodes_only,
    a_note_reaches_the_other_nodes_only_and_in_its_place,
    only_who_is_subscribed_for_gets_letters,
    what_waits_for_a_user_goes_with_the_subscription,
    users_are_kept_apart,
    what_follows_a_confirmation_arrives,
    a_storm_of_subscriptions_is_confirmed,
    leaving_and_coming_back_ends_subscribed,
    an_overrun_is_a_doubt,
    what_was_published_has_left_once_it_is_flushed,
);
