//! `yanshu users import` and `yanshu contacts import`: names, aliases, and files with a bad row.

use std::fmt::Write;
use std::path::PathBuf;

use crate::support::server::{Ended, run};
use crate::support::{Client, Server};

/// Writes `csv` into the server's directory and imports it as `what` into the server's database.
fn import(server: &Server, what: &str, csv: &str) -> Ended {
    let path: PathBuf = server.directory().join(format!("{what}.csv"));
    std::fs::write(&path, csv).expect("the file can be written");
    let path = path.to_str().expect("a temporary path is UTF-8");
    run(&[
        what,
        "import",
        path,
        "--database-url",
        &server.database_url(),
    ])
}

/// [`import`], which must succeed.
pub fn import_all(server: &Server, what: &str, csv: &str) {
    let ended = import(server, what, csv);
    assert!(
        ended.status.success(),
        "importing {what} failed: {}",
        ended.stderr
    );
}

/// [`import`], which must fail and name this line of the file.
fn assert_refused(server: &Server, what: &str, csv: &str, line: usize) {
    let ended = import(server, what, csv);
    assert!(
        !ended.status.success(),
        "{what} must be refused:\n{csv}\n{ended:?}"
    );
    let names_line = ended.stderr.contains(&format!("line {line}"));
    assert!(
        names_line,
        "the error must name line {line}: {}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(id, name)| ((*id).to_owned(), (*name).to_owned()))
        .collect()
}

const USERS: &str = "id,name\nHK0002,张三\nHK0003,李四\n";
const CONTACTS: &str = "owner,contact,name\nHK0001,HK0002,\nHK0001,HK0003,小李\nHK0001,HK0004,\n";

#[tokio::test]
async fn a_contact_is_shown_by_its_alias_else_its_name_else_its_id() {
    let server = Server::start();
    import_all(&server, "users", USERS);
    import_all(&server, "contacts", CONTACTS);
    let mut client = Client::connect(&server, "HK0001").await;
    let expected = pairs(&[("HK0002", "张三"), ("HK0003", "小李"), ("HK0004", "HK0004")]);
    assert_eq!(client.contacts().await, expected);

    // The alias is its owner's alone.
    let mut other = Client::connect(&server, "HK0005").await;
    other.deliver("HK0003", "text").await;
    assert_eq!(other.contacts().await, pairs(&[("HK0003", "李四")]));
}

#[tokio::test]
async fn an_imported_contact_is_on_its_owners_list_alone() {
    let server = Server::start();
    import_all(&server, "contacts", "owner,contact,name\nHK0001,HK0002,\n");
    let mut contact = Client::connect(&server, "HK0002").await;
    assert!(contact.contacts().await.is_empty());
    let mut owner = Client::connect(&server, "HK0001").await;
    assert_eq!(owner.contacts().await, pairs(&[("HK0002", "HK0002")]));
}

#[tokio::test]
async fn an_import_works_while_the_server_is_stopped() {
    let mut server = Server::start();
    server.kill9();
    import_all(&server, "users", USERS);
    import_all(&server, "contacts", CONTACTS);
    server.restart();
    let mut client = Client::connect(&server, "HK0001").await;
    assert_eq!(client.contacts().await.len(), 3);
}

#[tokio::test]
async fn importing_the_same_files_again_changes_nothing() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    for _ in 0..3 {
        import_all(&server, "users", USERS);
        import_all(&server, "contacts", CONTACTS);
        let expected = pairs(&[("HK0002", "张三"), ("HK0003", "小李"), ("HK0004", "HK0004")]);
        assert_eq!(client.contacts().await, expected);
    }
}

#[tokio::test]
async fn imports_of_the_same_people_at_the_same_time_all_succeed() {
    const PEOPLE: usize = 2_000;
    let server = Server::start();
    let mut csv = "owner,contact,name\n".to_owned();
    for number in 0..PEOPLE {
        writeln!(csv, "HK0001,contact-{number},").expect("a string takes anything");
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| import_all(&server, "contacts", &csv));
        }
    });
    let mut client = Client::connect(&server, "HK0001").await;
    assert_eq!(client.contacts().await.len(), PEOPLE);
}

#[tokio::test]
async fn importing_a_new_name_replaces_the_old_one() {
    let server = Server::start();
    import_all(&server, "users", USERS);
    import_all(&server, "contacts", CONTACTS);
    import_all(&server, "users", "id,name\nHK0002,张三丰\n");
    import_all(
        &server,
        "contacts",
        "owner,contact,name\nHK0001,HK0003,老李\n",
    );
    let mut client = Client::connect(&server, "HK0001").await;
    let expected = pairs(&[
        ("HK0002", "张三丰"),
        ("HK0003", "老李"),
        ("HK0004", "HK0004"),
    ]);
    assert_eq!(client.contacts().await, expected);
}

#[tokio::test]
async fn names_may_hold_commas_quotes_and_any_script() {
    let server = Server::start();
    let csv = "id,name\nA,\"Doe, Jane\"\nB,\"the \"\"quoted\"\"\"\nD,👩‍🚀 שלום\n";
    import_all(&server, "users", csv);
    import_all(
        &server,
        "contacts",
        "owner,contact,name\nHK0001,A,\nHK0001,B,\nHK0001,D,\n",
    );
    let mut client = Client::connect(&server, "HK0001").await;
    let expected = pairs(&[
        ("A", "Doe, Jane"),
        ("B", "the \"quoted\""),
        ("D", "👩‍🚀 שלום"),
    ]);
    assert_eq!(client.contacts().await, expected);
}

#[tokio::test]
async fn a_file_with_a_bad_row_is_refused_whole_and_the_row_is_named() {
    let server = Server::start();
    for (csv, line) in [
        ("id,name\nHK0002,张三\n张三,HK0003\n", 3),
        ("id,name\nHK0002,张三\nHK0003,李四\n,nobody\n", 4),
        ("id,name\nHK0002,张三\nHK 0003,李四\n", 3),
        ("id,name\nHK0002,张三,too,many\n", 2),
        ("HK0002,张三\nHK0003,\"two\nlines\"\n", 2),
        ("HK0002\n", 1),
    ] {
        assert_refused(&server, "users", csv, line);
    }
    for (csv, line) in [
        ("owner,contact,name\nHK0001,HK0002,\nHK0001,,\n", 3),
        (
            "owner,contact,name\nHK0001,HK0002,\nHK0001,HK0003,\n张三,HK0001,\n",
            4,
        ),
        ("owner,contact,name\nHK0001,HK0002,\nHK0001\n", 3),
    ] {
        assert_refused(&server, "contacts", csv, line);
    }
    let mut client = Client::connect(&server, "HK0001").await;
    assert!(
        client.contacts().await.is_empty(),
        "the good rows of a bad file are not taken"
    );
    client.deliver("HK0002", "text").await;
    assert_eq!(
        client.contacts().await,
        pairs(&[("HK0002", "HK0002")]),
        "nor are its names"
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let server = Server::start();
    for what in ["users", "contacts"] {
        let missing = "/nonexistent/file.csv";
        let ended = run(&[
            what,
            "import",
            missing,
            "--database-url",
            &server.database_url(),
        ]);
        assert!(!ended.status.success());
        assert!(ended.stderr.contains(missing), "{}", ended.stderr);
    }
}
