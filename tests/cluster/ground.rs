//! What a test stands on: nodes, their PostgreSQL and their NATS, and the ways between them that can be cut.

use super::support::ports::free_port;
use super::support::postgres::Lent;
use super::support::{Database, Nats, Node, Postgres, Proxy, Server, Shim};

/// What a test needs. A fault strikes the first node, where it strikes one.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many nodes there are. One alone has no bus.
    pub nodes: usize,
    /// Whether there is one node on a file, with no PostgreSQL, whose disk and clock go as the test orders.
    pub on_a_file: bool,
    /// Whether the test kills or stops PostgreSQL: it then gets one of its own, which syncs what it commits.
    pub own_postgres: bool,
    /// Whether it kills or stops NATS.
    pub own_nats: bool,
    /// Whether the first node's way to PostgreSQL leads through a proxy.
    pub store_way: bool,
    /// Whether its way to NATS does.
    pub bus_way: bool,
    /// Flags of every node.
    pub flags: &'static [&'static str],
}

/// Two nodes that nothing happens to.
pub const TWO_NODES: Plan = Plan {
    nodes: 2,
    on_a_file: false,
    own_postgres: false,
    own_nats: false,
    store_way: false,
    bus_way: false,
    flags: &[],
};

/// See the module. The nodes go first.
pub struct Ground {
    server: Server,
    ports: Vec<u16>,
    store_way: Option<Proxy>,
    bus_way: Option<Proxy>,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    shim: Option<Shim>,
    _lent: Option<Lent>,
}

impl Ground {
    /// Starts everything.
    pub fn new(plan: Plan) -> Ground {
        if plan.on_a_file {
            return Ground::on_a_file(plan.flags);
        }
        let postgres = plan.own_postgres.then(Postgres::start);
        let lent = match &postgres {
            Some(_) => None,
            None => Some(Postgres::shared().lend_database()),
        };
        let (database, postgres_port) = match (&postgres, &lent) {
            (Some(own), _) => (own.new_database(), own.port()),
            (None, lent) => {
                let lent = lent.as_ref().expect("there is one or the other");
                (lent.database().clone(), Postgres::shared().port())
            }
        };
        let nats = plan.own_nats.then(Nats::start);
        let nats_port = (plan.nodes > 1).then(|| match &nats {
            Some(own) => own.port(),
            None => Nats::shared().port(),
        });
        let store_way = plan.store_way.then(|| Proxy::to(postgres_port));
        let bus_way = plan
            .bus_way
            .then(|| Proxy::to(nats_port.expect("nodes with a bus")));
        // Ports that outlive a restart: clients must find the node again.
        let ports: Vec<u16> = (0..plan.nodes).map(|_| free_port()).collect();
        let flags = ports.iter().enumerate().map(|(number, port)| {
            let ways = match number {
                0 => (store_way.as_ref(), bus_way.as_ref()),
                _ => (None, None),
            };
            let bus = ways.1.map(Proxy::port).or(nats_port);
            flags_of(plan, *port, &database, ways.0, bus)
        });
        let flags: Vec<Vec<String>> = flags.collect();
        let flags: Vec<Vec<&str>> = flags
            .iter()
            .map(|flags| flags.iter().map(String::as_str).collect())
            .collect();
        let flags: Vec<&[&str]> = flags.iter().map(Vec::as_slice).collect();
        Ground {
            server: Server::on(&database, &flags),
            ports,
            store_way,
            bus_way,
            postgres,
            nats,
            shim: None,
            _lent: lent,
        }
    }

    fn on_a_file(flags: &[&str]) -> Ground {
        let shim = Shim::new();
        let port = free_port();
        let listen = format!("--listen=127.0.0.1:{port}");
        Ground {
            server: Server::behind(&shim, &[flags, &[&listen]].concat()),
            ports: vec![port],
            store_way: None,
            bus_way: None,
            postgres: None,
            nats: None,
            shim: Some(shim),
            _lent: None,
        }
    }

    /// The ports of the nodes.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// One of the nodes, counted from 0 and round again.
    pub fn node(&self, number: usize) -> &Node {
        self.server.node(number)
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        self.server.nodes()
    }

    /// The test's own PostgreSQL.
    pub fn postgres(&self) -> &Postgres {
        self.postgres.as_ref().expect("the plan says so")
    }

    /// The disk and the clock of the node.
    pub fn shim(&self) -> &Shim {
        self.shim.as_ref().expect("the plan says so")
    }

    /// The database.
    pub fn database(&self) -> &Database {
        self.server.database()
    }

    /// The test's own NATS.
    pub fn nats(&self) -> &Nats {
        self.nats.as_ref().expect("the plan says so")
    }

    /// The first node's way to PostgreSQL.
    pub fn store_way(&self) -> &Proxy {
        self.store_way.as_ref().expect("the plan says so")
    }

    /// The first node's way to NATS.
    pub fn bus_way(&self) -> &Proxy {
        self.bus_way.as_ref().expect("the plan says so")
    }
}

fn flags_of(
    plan: Plan,
    port: u16,
    database: &Database,
    store_way: Option<&Proxy>,
    bus_port: Option<u16>,
) -> Vec<String> {
    let mut flags: Vec<String> = plan.flags.iter().map(|flag| (*flag).to_owned()).collect();
    flags.push(format!("--listen=127.0.0.1:{port}"));
    flags.extend(bus_port.map(|port| format!("--nats-url=nats://127.0.0.1:{port}")));
    flags.extend(store_way.map(|way| {
        let through = database.at_port(way.port());
        format!("--database-url={}", through.url())
    }));
    flags
}
