"""For deploy/by-hand: what docker-compose.yml says of a service, and the clients that talk.

    by_hand.py environment|command|healthcheck SERVICE ADDRESS "HOST=ADDRESS ..."
    by_hand.py talk alone|across|returned|farewell|remembered ...
"""

import contextlib
import json
import os
import re
import signal
import sys
import time
import urllib.request

import websockets.exceptions
import yaml
from websockets.sync.client import connect

ONE = "127.0.0.1:8080"
PROXY = "127.0.0.1:8090"
DEADLINE = 15
# What NATS brings is there at once; what only the comparison with the store finds takes up to 10 s.
AT_ONCE = 2

sockets = contextlib.ExitStack()


# --- docker-compose.yml


def service(name):
    with open("docker-compose.yml", encoding="utf-8") as file:
        return yaml.safe_load(file)["services"][name]


def filled(text):
    """With ${NAME:-default} replaced as docker-compose does it."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: os.environ.get(m[1]) or m[2], str(text))


def placed(text, own, hosts):
    """With the host part of an address or a URL, and nothing else, replaced."""
    text = filled(text).replace("0.0.0.0", own)
    for pair in hosts.split():
        host, address = pair.split("=")
        text = text.replace(f"@{host}:", f"@{address}:")
    return text


def say_what(part, name, own, hosts):
    said = service(name)
    if part == "environment":
        lines = [f"{key}={value}" for key, value in said.get("environment", {}).items()]
    elif part == "command":
        lines = said["command"]
    else:
        # A container's own loopback.
        lines = [word.replace("127.0.0.1", own) for word in said["healthcheck"]["test"][1:]]
    for line in lines:
        print(placed(line, own, hosts))


# --- clients


class Client:
    def __init__(self, host, user):
        self.host, self.user = host, user
        self.socket = sockets.enter_context(connect(f"ws://{host}/ws", open_timeout=DEADLINE))
        self.send({"action": "1", "fromId": user})
        self.expect({"action": "1", "toId": user})

    def send(self, frame):
        text = json.dumps(frame, ensure_ascii=False)
        print(f"{self.user} at {self.host} > {text}")
        self.socket.send(text)

    def receive(self):
        text = self.socket.recv(timeout=DEADLINE)
        print(f"{self.user} at {self.host} < {text}")
        return json.loads(text)

    def next_but_receipts(self):
        """The next frame. Who connects again may be told again of what was read."""
        while True:
            frame = self.receive()
            if frame["action"] != "4" or frame["chatMsg"]["status"] != 2:
                return frame

    def expect(self, wanted):
        is_receipt = wanted["action"] == "4" and wanted["chatMsg"]["status"] == 2
        frame = self.receive() if is_receipt else self.next_but_receipts()
        assert frame == wanted, f"wanted {wanted}"

    def take_id(self):
        self.send({"action": "2", "fromId": self.user})
        return self.next_but_receipts()["chatMsg"]["message"].split(",")[0]

    def tell(self, other, text):
        """Sends a message, waits until it is stored, received, read and known to be read."""
        chat = {"id": self.take_id(), "type": 0, "message": text, "status": 0, "time": "2026-01-15 12:00:00"}
        message = {"action": "3", "fromId": self.user, "toId": other.user, "chatMsg": chat}
        began = time.monotonic()
        self.send(message)
        self.expect(self.status_of(chat, other, 1))
        other.expect(message)
        took = time.monotonic() - began
        print(f"from {self.user} to {other.user} in {took:.3f} s")
        assert took < AT_ONCE
        read = {"action": "4", "fromId": other.user, "toId": self.user, "chatMsg": {"id": chat["id"], "status": 2}}
        other.send(read)
        self.expect(self.status_of(chat, other, 2))

    def status_of(self, chat, other, status):
        return {
            "action": "4",
            "fromId": other.user,
            "toId": self.user,
            "chatMsg": {"id": chat["id"], "status": status},
        }

    def history(self, other):
        self.send({"action": "12", "fromId": self.user, "toId": other, "pageSize": 100})
        page = self.next_but_receipts()["historyMsgs"]
        return [entry["chatMsg"]["message"] for entry in page]

    def is_closed(self):
        """Waits for the end of the connection; its close code, or 1006 where there was none."""
        try:
            frame = self.receive()
        except websockets.exceptions.ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            print(f"{self.user} at {self.host} is closed with {code}")
            return code
        raise AssertionError(f"{frame} instead of a close")


def connections(address):
    """How many connections this machine has to port 8080 of an address."""
    number = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return sum(row[2] == f"{number}:1F90" and row[3] == "01" for row in rows)


def until(what, ready):
    deadline = time.monotonic() + DEADLINE
    while not ready():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def health(host):
    with urllib.request.urlopen(f"http://{host}/health", timeout=DEADLINE) as answer:
        return answer.status, answer.read().decode()


def alone():
    print("health:", *health(ONE))
    first, second = Client(ONE, "HK0001"), Client(ONE, "HK0002")
    first.tell(second, "你好，雁书")
    assert first.history("HK0002") == ["你好，雁书"]


def across(a, a_pid, b, b_pid):
    pids = {a: int(a_pid), b: int(b_pid)}
    print("health:", *health(PROXY))
    sender = Client(PROXY, "HK0003")
    mine = a if connections(a) else b
    other = b if mine == a else a
    recipient = Client(PROXY, "HK0004")
    print(f"{sender.user} is on {mine}, {recipient.user} on {other}")
    assert (connections(mine), connections(other)) == (1, 1)
    sender.tell(recipient, "from node to node")
    recipient.tell(sender, "and back")
    outside = Client(ONE, "HK0005")
    recipient.tell(outside, "to a node that is not behind nginx")

    print(f"kill -9: {mine}")
    os.kill(pids[mine], signal.SIGKILL)
    assert sender.is_closed() == 1006
    began = time.monotonic()
    sender = Client(PROXY, "HK0003")
    print(f"{sender.user} is back after {time.monotonic() - began:.3f} s, on {other}")
    assert connections(other) == 2
    sender.tell(recipient, "from the same node, now")
    outside.tell(sender, "and from outside")
    answers = [health(PROXY) for _ in range(20)]
    print("health, 20 times:", set(answers))
    assert {status for status, _ in answers} == {200}
    print(f"killed: {mine}")


def returned(address):
    began = time.monotonic()
    clients = []

    def used():
        clients.append(Client(PROXY, f"HK01{len(clients):02}"))
        return connections(address) > 0

    until(f"a connection on {address}", used)
    print(f"a client is on {address} again, {time.monotonic() - began:.1f} s after it was healthy")


def farewell(address, pid):
    clients = []
    while not connections(address):
        clients.append(Client(PROXY, f"HK02{len(clients):02}"))
    on_it, outside = clients[-1], Client(ONE, "HK0006")
    print(f"SIGTERM: {address}, with {on_it.user}")
    os.kill(int(pid), signal.SIGTERM)
    assert on_it.is_closed() == 1001
    again = Client(PROXY, on_it.user)
    assert connections(address) == 0
    again.tell(outside, "the other node took me")


def remembered():
    first = Client(ONE, "HK0003")
    said = first.history("HK0004")
    assert said == ["from node to node", "and back", "from the same node, now"], said


def main():
    if sys.argv[1] == "talk":
        talks = {talk.__name__: talk for talk in (alone, across, returned, farewell, remembered)}
        talks[sys.argv[2]](*sys.argv[3:])
    else:
        say_what(*sys.argv[1:])


if __name__ == "__main__":
    with sockets:
        main()
