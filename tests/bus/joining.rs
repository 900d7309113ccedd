//! How a node joins NATS, and where it cannot.

use std::path::Path;
use std::process::{Command, Stdio};

use yanshu::bus::nats::{self, BusError, NatsOptions};

use super::nats_server::{NatsServer, free_port, reported};
use super::node::{join, options, user, within};

async fn refusal(options: NatsOptions) -> BusError {
    match nats::connect(options).await {
        Ok(_) => panic!("it was let in"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_user_and_password_in_the_url_are_used() {
    let server = NatsServer::start_with(free_port(), &["--user", "me@x", "--pass", "hunter2/#"]);
    let at = format!("127.0.0.1:{}", server.port());
    let node = join(options(&format!("nats://me%40x:hunter2%2F%23@{at}"))).await;
    node.until("the bus to be up", |bus| bus.is_up()).await;

    for wrong in ["nats://me%40x:hunter2@", "nats://hunter2@", "nats://"] {
        let error = refusal(options(&format!("{wrong}{at}"))).await;
        assert_eq!(error, BusError::Refused(at.clone()));
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_used() {
    let server = NatsServer::start_with(free_port(), &["--auth", "s3cret"]);
    let node = join(options(&format!(
        "nats://s3cret@127.0.0.1:{}",
        server.port()
    )))
    .await;
    node.until("the bus to be up", |bus| bus.is_up()).await;
}

#[tokio::test]
async fn permissions_below_the_cluster_are_enough() {
    let server = NatsServer::start_configured(
        r#"authorization { users = [ { user: a, password: b, permissions: {
            publish: "yanshu.test.>", subscribe: "yanshu.test.>" } } ] }"#,
    );
    let url = format!("nats://a:b@127.0.0.1:{}", server.port());
    let (mut here, there) = (join(options(&url)).await, join(options(&url)).await);
    here.until("the bus to be up", |bus| bus.is_up()).await;
    here.subscribe("a.b").await;
    there.publish("a.b", 1);
    assert_eq!(here.next_letter().await, ("a.b".to_owned(), 1));
}

#[tokio::test]
async fn clusters_do_not_hear_each_other() {
    let server = NatsServer::start();
    let mut others = options(&server.url());
    others.cluster = "other".to_owned();
    let (mut here, other) = (join(options(&server.url())).await, join(others).await);
    let there = join(options(&server.url())).await;
    here.subscribe("ann").await;
    other.publish("ann", 1);
    within("the other cluster to have spoken", async {
        let mut other = other;
        other.subscribe("ann").await;
    })
    .await;
    there.publish("ann", 2);
    assert_eq!(here.next_letter().await.1, 2);
}

#[tokio::test]
async fn ten_thousand_users_are_confirmed_in_few_round_trips() {
    let monitor = free_port();
    let port = monitor.to_string();
    let server = NatsServer::start_with(free_port(), &["-m", &port]);
    let mut node = join(options(&server.url())).await;
    node.until("the bus to be up", |bus| bus.is_up()).await;
    let before = reported(monitor, "in_msgs");
    let names: Vec<_> = (0..10_000).map(|n| user(&format!("user{n}"))).collect();
    names.iter().for_each(|user| node.bus.subscribe(user));
    for _ in &names {
        node.next().await;
    }
    let probes = reported(monitor, "in_msgs") - before;
    println!("{probes} round trips");
    assert!(probes < 1000, "{probes} round trips");
    assert!(reported(monitor, "subscriptions") >= 10_000);
}

/// Makes an authority and certificates for a server and a client in this folder; `None` where
/// there is no `openssl` to make them with.
fn make_certificates(folder: &Path) -> Option<()> {
    let openssl = |arguments: String| {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(arguments.split(' '));
        let status = command.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(status.status().ok()?.success(), "openssl {arguments}");
        Some(())
    };
    std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority"
    ))?;
    for name in ["server", "client"] {
        openssl(format!(
            "req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ))?;
        openssl(format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile san -out {name}.pem"
        ))?;
    }
    Some(())
}

#[tokio::test]
async fn tls_with_certificates_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    if make_certificates(folder.path()).is_none() {
        return eprintln!("not tried: there is no openssl to make certificates with");
    }
    let file = |name: &str| folder.path().join(name);
    let server = NatsServer::start_configured(&format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    ));
    for scheme in ["tls", "nats"] {
        let mut options = options(&format!("{scheme}://127.0.0.1:{}", server.port()));
        options.ca = Some(file("ca.pem"));
        options.certificate = Some((file("client.pem"), file("client.key")));
        let mut node = join(options).await;
        node.until("the bus to be up", |bus| bus.is_up()).await;
        node.subscribe("ann").await;
    }
    // A key that does not go with its certificate is wrong for good.
    let mut mismatched = options(&format!("tls://127.0.0.1:{}", server.port()));
    mismatched.ca = Some(file("ca.pem"));
    mismatched.certificate = Some((file("client.pem"), file("server.key")));
    let error = refusal(mismatched).await;
    assert!(matches!(error, BusError::Tls(..)), "{error}");
}
