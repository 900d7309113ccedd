//! What whoever runs the server does to a running one: each command is a request to its provisioning API,
//! and prints what it answers, a line of JSON for each thing.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::ask::{Answer, Whom};
use crate::settings::{
    AdminSettings, BlocksCommand, CloseSessions, ContactsCommand, MessagesCommand, OfPair, OfUser,
    PutContact, PutUser, SendMessage, SessionsCommand, UsersCommand,
};
use crate::tls::Trust;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many of a list are asked for at once.
const LIMIT: u32 = 1_000;

/// `yanshu users`, but for the import.
pub fn users(command: &UsersCommand) -> Result<(), String> {
    match command {
        UsersCommand::List(admin) => Api::new(admin)?.list("/users"),
        UsersCommand::Show(of) => of.ask("GET", "", None),
        UsersCommand::Put(PutUser { name, of }) => of.ask("PUT", "", Some(json!({"name": name}))),
        UsersCommand::Delete(of) => of.ask("DELETE", "", None),
        UsersCommand::Import(settings) => super::import::users(settings),
    }
}

/// `yanshu contacts`, but for the import.
pub fn contacts(command: &ContactsCommand) -> Result<(), String> {
    match command {
        ContactsCommand::List(of) => of.list("/contacts"),
        ContactsCommand::Put(PutContact { alias, of }) => {
            of.ask("PUT", "contacts", Some(json!({"alias": alias})))
        }
        ContactsCommand::Delete(of) => of.ask("DELETE", "contacts", None),
        ContactsCommand::Import(settings) => super::import::contacts(settings),
    }
}

/// `yanshu blocks`.
pub fn blocks(command: &BlocksCommand) -> Result<(), String> {
    match command {
        BlocksCommand::List(of) => of.list("/blocks"),
        BlocksCommand::Put(of) => of.ask("PUT", "blocks", None),
        BlocksCommand::Delete(of) => of.ask("DELETE", "blocks", None),
    }
}

/// `yanshu sessions`.
pub fn sessions(command: &SessionsCommand) -> Result<(), String> {
    match command {
        SessionsCommand::List(of) => of.list("/sessions"),
        SessionsCommand::Close(CloseSessions { session, of }) => match session {
            Some(session) => of.ask("DELETE", &format!("/sessions/{session}"), None),
            None => of.ask("POST", "/disconnect", None),
        },
    }
}

/// `yanshu messages`.
pub fn messages(MessagesCommand::Send(send): &MessagesCommand) -> Result<(), String> {
    let SendMessage {
        from,
        to,
        text,
        key,
        admin,
    } = send;
    let key = key.clone();
    let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("--key: visible ASCII characters only".to_owned());
    }
    let api = Api::new(admin)?;
    let path = format!("/users/{}/messages", from.as_str());
    let body = json!({"to": to.as_str(), "message": text});
    let answer = api.ask_with(
        ("POST", &path),
        &[format!("Idempotency-Key: {key}")],
        Some(&body),
    )?;
    print(&answer);
    Ok(())
}

impl OfUser {
    fn path(&self, below: &str) -> String {
        format!("/users/{}{below}", self.user.as_str())
    }

    fn ask(&self, method: &str, below: &str, body: Option<Value>) -> Result<(), String> {
        Api::new(&self.admin)?.print((method, &self.path(below)), body)
    }

    fn list(&self, below: &str) -> Result<(), String> {
        Api::new(&self.admin)?.list(&self.path(below))
    }
}

impl OfPair {
    fn ask(&self, method: &str, what: &str, body: Option<Value>) -> Result<(), String> {
        let (user, other) = (self.user.as_str(), self.other.as_str());
        let path = format!("/users/{user}/{what}/{other}");
        Api::new(&self.admin)?.print((method, &path), body)
    }
}

/// The provisioning API of a server.
struct Api {
    whom: Whom,
    token: String,
}

impl Api {
    fn new(settings: &AdminSettings) -> Result<Self, String> {
        let AdminSettings {
            url,
            admin_token,
            server,
        } = settings;
        // A token is shown to nobody but the server it is for.
        let certificate = server.tls_cert.as_deref();
        let trust = Trust::Authorities(certificate);
        let whom = match url {
            Some(url) => Whom::at(url, trust),
            None => Whom::own(server.listen, certificate.map(|_| trust)),
        }?;
        if !admin_token.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("--admin-token: visible ASCII characters only".to_owned());
        }
        Ok(Self {
            whom,
            token: admin_token.0.clone(),
        })
    }

    /// Asks, and prints the answer.
    fn print(&self, request: (&str, &str), body: Option<Value>) -> Result<(), String> {
        print(&self.ask_with(request, &[], body.as_ref())?);
        Ok(())
    }

    /// Prints all of a list.
    fn list(&self, path: &str) -> Result<(), String> {
        let mut query = format!("?limit={LIMIT}");
        if path.ends_with("/sessions") {
            query.clear(); // it is whole
        }
        loop {
            let answer = self.ask_with(("GET", &format!("{path}{query}")), &[], None)?;
            for item in answer["items"].as_array().into_iter().flatten() {
                print(item);
            }
            match answer["next"].as_str() {
                Some(next) => query = format!("?limit={LIMIT}&cursor={next}"),
                None => return Ok(()),
            }
        }
    }

    fn ask_with(
        &self,
        (method, path): (&str, &str),
        more: &[String],
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let mut headers = vec![format!("Authorization: Bearer {}", self.token)];
        headers.extend_from_slice(more);
        let body = body.map_or(String::new(), Value::to_string);
        if !body.is_empty() {
            headers.push("Content-Type: application/json".to_owned());
        }
        let path = format!("/api/v1{path}");
        let answer = self.whom.ask((method, &path), &headers, &body, PATIENCE)?;
        understood(&answer)
    }
}

/// What an answer holds, or why there is none.
fn understood(answer: &Answer) -> Result<Value, String> {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let detail = body.as_ref().and_then(|body| body["detail"].as_str());
    match (answer.status, detail) {
        (204, _) => Ok(Value::Null),
        (200..=299, _) => body.ok_or_else(|| "the server gives no answer of this API".to_owned()),
        (_, Some(detail)) => Err(detail.to_owned()),
        (404, None) => {
            Err("this server has no provisioning API: it needs --admin-token".to_owned())
        }
        (status, None) => Err(format!("the server answers HTTP {status}")),
    }
}

fn print(answer: &Value) {
    if !answer.is_null() {
        // Whoever has closed our output has read enough.
        let _ = writeln!(std::io::stdout(), "{answer}");
    }
}
