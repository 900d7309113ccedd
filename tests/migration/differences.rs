//! A row that is not what it was: the comparison finds it, and no server serves from it.

use crate::common::{Source, assert_refused, migrate_all, refuses_to_start, target};

/// Each changes one thing that neither a count nor a sum over numbers would show, or one that they would.
const CHANGES: [(&str, &str); 11] = [
    (
        "users",
        "UPDATE users SET timeline = timeline + 1 WHERE id = 3",
    ),
    ("users", "UPDATE users SET login = 'user-one' WHERE id = 1"),
    (
        "grants",
        "UPDATE grants SET user_id = user_id + 1 WHERE block = 2",
    ),
    (
        "messages",
        "UPDATE messages SET body = replace(body, 'text 5 ', 'text 6 ') WHERE id = 5",
    ),
    (
        "messages",
        "UPDATE messages SET status = 3 - status WHERE id IN (5, 6)",
    ),
    ("messages", "DELETE FROM messages WHERE id = 7"),
    (
        "receipts",
        "UPDATE receipts SET origin = origin + 1 WHERE seq = 10",
    ),
    ("receipts", "INSERT INTO receipts VALUES (1, 999999, 1, 0)"),
    ("files", "UPDATE files SET thumbnail = NULL WHERE id = 4"),
    (
        "file_readers",
        "DELETE FROM file_readers WHERE message_id = 9",
    ),
    (
        "contacts",
        "UPDATE contacts SET alias = NULL WHERE contact = 10",
    ),
];

#[tokio::test]
async fn a_row_that_was_changed_on_the_way_is_found_and_its_table_is_named() {
    let source = Source::of_messages(2_000).await;
    for (table, change) in CHANGES {
        let to = target();
        migrate_all(&source.database, &to);
        // As if the command had been killed before it compared.
        to.execute("UPDATE deployment SET migrated = FALSE");
        to.execute(change);
        let says = format!("its {table} are not the same as in the source");
        assert_refused(&source.database, &to, &[&says]);
        let sentence = refuses_to_start(&to);
        assert!(sentence.contains("on its way into it"), "{sentence}");
    }
}

#[tokio::test]
async fn a_row_that_was_changed_afterwards_is_found_by_a_second_run() {
    let source = Source::of_messages(2_000).await;
    for (table, change) in CHANGES {
        let to = target();
        migrate_all(&source.database, &to);
        to.execute(change);
        let says = format!("its {table} are not the same any more");
        assert_refused(&source.database, &to, &[&says]);
    }
}

#[tokio::test]
async fn a_row_that_is_missing_at_the_end_of_a_table_is_copied_again() {
    let source = Source::of_messages(2_000).await;
    let to = target();
    migrate_all(&source.database, &to);
    to.execute("UPDATE deployment SET migrated = FALSE");
    to.execute("DELETE FROM messages WHERE id > 1500");
    migrate_all(&source.database, &to);
}
