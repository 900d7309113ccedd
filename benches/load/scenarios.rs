//! What can be measured, by name.

use serde_json::{Value, json};

use crate::{
    Bench, Outcome, binary, compare, connects, history, ladder, messages, reconnects, stars, stored,
};

/// One of them.
struct Scenario {
    name: &'static str,
    /// Whether it is measured where nothing is named.
    by_default: bool,
    /// Whether it needs the server's process or its database.
    needs_process: bool,
    run: fn(&Bench<'_>) -> Outcome<Value>,
}

const ALL: [Scenario; 9] = [
    Scenario {
        name: "pairs",
        by_default: true,
        needs_process: false,
        run: pairs,
    },
    Scenario {
        name: "connects",
        by_default: true,
        needs_process: false,
        run: connects::scenario,
    },
    Scenario {
        name: "celebrity",
        by_default: true,
        needs_process: false,
        run: stars::celebrity,
    },
    Scenario {
        name: "devices",
        by_default: true,
        needs_process: false,
        run: stars::devices,
    },
    Scenario {
        name: "reconnects",
        by_default: true,
        needs_process: true,
        run: reconnects::scenario,
    },
    Scenario {
        name: "stored",
        by_default: true,
        needs_process: true,
        run: stored::scenario,
    },
    Scenario {
        name: "history",
        by_default: true,
        needs_process: true,
        run: history::scenario,
    },
    Scenario {
        name: "binary",
        by_default: true,
        needs_process: true,
        run: binary::scenario,
    },
    Scenario {
        name: "compare",
        by_default: false,
        needs_process: true,
        run: compare::scenario,
    },
];

/// The names that are wanted, or all usual ones. What cannot be had from outside is left out, with a
/// word on the terminal.
pub fn chosen(names: Vec<String>, outside: bool) -> Outcome<Vec<String>> {
    if let Some(unknown) = names.iter().find(|name| find(name).is_none()) {
        let known: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        return Err(format!("{unknown:?} is none of {}", known.join(", ")).into());
    }
    let wanted = ALL.iter().filter(|scenario| match names.is_empty() {
        true => scenario.by_default,
        false => names.iter().any(|name| name == scenario.name),
    });
    let (left_out, chosen): (Vec<_>, Vec<_>) =
        wanted.partition(|scenario| outside && scenario.needs_process);
    for Scenario { name, .. } in left_out {
        println!("{name} needs the server's process: skipped.");
    }
    Ok(chosen
        .into_iter()
        .map(|scenario| scenario.name.to_owned())
        .collect())
}

fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Measures one.
pub fn run(name: &str, bench: &Bench<'_>) -> Outcome<Value> {
    let scenario = find(name).ok_or("an unknown scenario")?;
    (scenario.run)(bench).map_err(|error| format!("{name}: {error}").into())
}

/// In the closed loop for the maxima, and in the open loop up to them.
fn pairs(bench: &Bench<'_>) -> Outcome<Value> {
    let closed = messages::under_load(bench.plan, bench.ground)?;
    let open = ladder::climb(bench, &closed.rates)?;
    Ok(json!({"closed_loop": closed.kept, "open_loop": open}))
}
