//! The seed document, section by section: its frames go in literally, without its comments, and what
//! comes out is compared as text.

use crate::support::{Client, Server, frames};

/// Section 1, from client to server, tabs and line ends included.
const CONNECT: &str = "{\n\t\"action\": \"1\",\n\t\"fromId\":\"HK0001\"\n}";

/// Section 3, in both directions.
const MESSAGE: &str = r#"{
	"action": "3", 						
	"fromId":"HK0001",            		
	"toId":"HK0002",        			
	"chatMsg": {
		"id": "MSG000001",            			
		"type": 0,        				
		"message": "自定义文本消息",          		
		"status": 0,       				
		"time": "2021-12-14 12:00:00"
	}
}"#;

/// Section 3 as the server writes it.
const MESSAGE_OUT: &str = r#"{"action":"3","fromId":"HK0001","toId":"HK0002","chatMsg":{"id":"MSG000001","type":0,"message":"自定义文本消息","status":0,"time":"2021-12-14 12:00:00"}}"#;

/// Section 4, from client to server: read.
const READ: &str = r#"{
	"action": "4", 						
	"fromId":"HK0002",            		
	"toId":"HK0001",        			
	"chatMsg": {
		"id": "MSG000001",        		
		"status": 2       				
	}
}"#;

#[tokio::test]
async fn section_1_a_connect_is_answered_with_the_users_own_id() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    client.send_raw(CONNECT).await;
    client.expect(r#"{"action":"1","toId":"HK0001"}"#).await;
}

#[tokio::test]
async fn the_full_frame_of_the_introduction_connects_although_most_of_it_is_empty() {
    let server = Server::start();
    let mut client = Client::open(&server).await;
    let full = r#"{"action": "1", "fromId":"HK0001", "toId":"", "chatMsg": {"id": "", "type": 0, "message": "", "status": 0, "time": "2021-12-14 12:00:00"}}"#;
    client.send_raw(full).await;
    client.expect(r#"{"action":"1","toId":"HK0001"}"#).await;
}

/// A client of HK0001 on the node that issues the first IDs of a new server, with ten of them, and one of HK0002
/// on another node, where there is one.
///
/// Each node leases IDs when it starts: the one that came first has the first ones.
async fn sender_with_the_first_ids(server: &Server) -> (Client, Vec<String>, Client) {
    for (number, node) in server.nodes().iter().enumerate() {
        let mut sender = Client::connect(node, "HK0001").await;
        let ids = sender.ids().await;
        if ids[0] == "MSG000001" {
            let reader = Client::connect(server.node(number + 1), "HK0002").await;
            return (sender, ids, reader);
        }
    }
    panic!("no node issues the first IDs");
}

#[tokio::test]
async fn section_2_the_first_ten_ids_of_a_new_server_are_those_of_the_document() {
    let server = Server::start();
    let request = "{\n\t\"action\": \"2\",\n\t\"fromId\":\"HK0001\"\n}";
    let mut answers = Vec::new();
    for node in server.nodes() {
        let mut client = Client::connect(node, "HK0001").await;
        client.send_raw(request).await;
        client.send_raw(request).await;
        answers.push([client.next_text().await, client.next_text().await]);
    }
    let first = answers
        .iter()
        .position(|[answer, _]| answer.contains("MSG000001"))
        .expect("one node issues the first IDs");
    assert_eq!(
        answers[first],
        [
            r#"{"action":"2","toId":"HK0001","chatMsg":{"message":"MSG000001,MSG000002,MSG000003,MSG000004,MSG000005,MSG000006,MSG000007,MSG000008,MSG000009,MSG000010"}}"#,
            r#"{"action":"2","toId":"HK0001","chatMsg":{"message":"MSG000011,MSG000012,MSG000013,MSG000014,MSG000015,MSG000016,MSG000017,MSG000018,MSG000019,MSG000020"}}"#,
        ]
    );
}

#[tokio::test]
async fn sections_3_and_4_a_message_is_delivered_acknowledged_and_read() {
    let server = Server::start();
    let (mut sender, _, mut reader) = sender_with_the_first_ids(&server).await;

    sender.send_raw(MESSAGE).await;
    reader.expect(MESSAGE_OUT).await;
    sender
        .expect(r#"{"action":"4","fromId":"HK0002","toId":"HK0001","chatMsg":{"id":"MSG000001","status":1}}"#)
        .await;

    reader.send_raw(READ).await;
    sender
        .expect(r#"{"action":"4","fromId":"HK0002","toId":"HK0001","chatMsg":{"id":"MSG000001","status":2}}"#)
        .await;
    reader.assert_timeline_silent().await;
}

#[tokio::test]
async fn section_5_a_heartbeat_has_no_answer() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    client
        .send_raw("{\n\t\"action\": \"5\",\n\t\"fromId\":\"HK0001\"\n}")
        .await;
    client.assert_silent().await;
}

#[tokio::test]
async fn section_11_the_demo_data_are_the_contacts_of_the_document() {
    let server = Server::with(&["--demo"]);
    let mut client = Client::connect(&server, "HK0001").await;
    client
        .send_raw("{\n\t\"action\": \"11\",\n\t\"fromId\":\"HK0001\"\n}")
        .await;
    client
        .expect(r#"{"action":"11","toId":"HK0001","contacts":[{"toId":"HK0002","toName":"张三"},{"toId":"HK0003","toName":"李四"}]}"#)
        .await;
}

#[tokio::test]
async fn section_12_history_is_a_list_of_messages_before_the_base_oldest_first() {
    let server = Server::start();
    let (mut client, ids, _reader) = sender_with_the_first_ids(&server).await;
    for id in &ids[..3] {
        client.message(id, "HK0002", "自定义文本消息").await;
        client.expect_status("HK0002", "HK0001", id, 1).await;
    }
    let request = |base: &str| {
        format!(
            "{{\n\t\"action\": \"12\", \n\t\"fromId\":\"HK0001\", \n\t\"toId\":\"HK0002\",\n\t\
             \"baseMsgId\": \"{base}\",\n\t\"pageSize\": 10\n}}"
        )
    };

    client.send_raw(request("MSG000001")).await;
    client
        .expect(r#"{"action":"12","fromId":"HK0001","toId":"HK0002","historyMsgs":[]}"#)
        .await;

    client.send_raw(request("MSG000003")).await;
    client
        .expect(r#"{"action":"12","fromId":"HK0001","toId":"HK0002","historyMsgs":[{"fromId":"HK0001","toId":"HK0002","chatMsg":{"id":"MSG000001","type":0,"message":"自定义文本消息","status":1,"time":"2021-12-14 12:00:00"}},{"fromId":"HK0001","toId":"HK0002","chatMsg":{"id":"MSG000002","type":0,"message":"自定义文本消息","status":1,"time":"2021-12-14 12:00:00"}}]}"#)
        .await;
}

#[tokio::test]
async fn section_12_without_a_partner_mirrors_no_partner() {
    let server = Server::start();
    let mut client = Client::connect(&server, "HK0001").await;
    let id = client.deliver("HK0002", "hello").await;
    client
        .send(frames::history("HK0001", None, None, None))
        .await;
    let time = frames::TIME;
    client
        .expect(&format!(r#"{{"action":"12","fromId":"HK0001","historyMsgs":[{{"fromId":"HK0001","toId":"HK0002","chatMsg":{{"id":"{id}","type":0,"message":"hello","status":1,"time":"{time}"}}}}]}}"#))
        .await;
}
