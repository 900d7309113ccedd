//! The tables, as diesel sees them. `migrations/` creates them and says what each column is.
#![allow(missing_docs)]

diesel::table! {
    users (id) {
        id -> BigInt,
        login -> Text,
        name -> Nullable<Text>,
        timeline -> BigInt,
        told -> BigInt,
        contacts -> BigInt,
        revision -> BigInt,
        deleted -> Bool,
        hidden -> BigInt,
        voided -> BigInt,
    }
}

diesel::table! {
    id_allocation (id) {
        id -> BigInt,
        next -> BigInt,
        probes -> BigInt,
    }
}

diesel::table! {
    grants (block) {
        block -> BigInt,
        user_id -> BigInt,
        granted_at -> BigInt,
    }
}

diesel::table! {
    messages (id) {
        id -> BigInt,
        sender -> BigInt,
        recipient -> BigInt,
        sender_seq -> BigInt,
        recipient_seq -> BigInt,
        lo -> BigInt,
        hi -> BigInt,
        lo_seq -> BigInt,
        kind -> SmallInt,
        body -> Text,
        sent_at -> Text,
        status -> SmallInt,
        origin -> BigInt,
        stored_at -> BigInt,
    }
}

diesel::table! {
    receipts (user_id, seq) {
        user_id -> BigInt,
        seq -> BigInt,
        message_id -> BigInt,
        origin -> BigInt,
    }
}

diesel::table! {
    contacts (owner, contact) {
        owner -> BigInt,
        contact -> BigInt,
        alias -> Nullable<Text>,
    }
}

diesel::table! {
    blocks (owner, blocked) {
        owner -> BigInt,
        blocked -> BigInt,
    }
}

diesel::table! {
    sent_by_key (message_id) {
        message_id -> BigInt,
        sender -> BigInt,
        key -> Text,
        sent_at -> BigInt,
    }
}

diesel::table! {
    files (id) {
        id -> BigInt,
        token -> Text,
        owner -> BigInt,
        tenure -> BigInt,
        name -> Text,
        mime -> Text,
        size -> BigInt,
        sha256 -> Text,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        thumbnail -> Nullable<Text>,
        state -> SmallInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    file_readers (message_id, user_id) {
        message_id -> BigInt,
        user_id -> BigInt,
        file -> BigInt,
        seq -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    id_allocation,
    grants,
    messages,
    receipts,
    contacts,
    blocks,
    sent_by_key,
    files,
    file_readers,
);
