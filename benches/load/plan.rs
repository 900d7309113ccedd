//! What to measure, and for how long: the variables of the environment.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;

use crate::door::Door;
use crate::ground::On;
use crate::open::schedule::Arrivals;
use crate::{Outcome, scenarios};

/// See the module of the whole bench, which says what each variable means.
pub struct Plan {
    pub scenarios: Vec<String>,
    pub on: Vec<On>,
    /// A server that is there already.
    pub outside: Option<Door>,
    /// The binaries to start.
    pub binaries: Binaries,
    pub limits: bool,
    pub repeat: usize,
    pub seconds: f64,
    pub warm_up: f64,
    pub pairs: Vec<usize>,
    pub in_flight: Vec<usize>,
    pub open: OpenLoop,
    pub users: usize,
    pub stored: usize,
    pub page_rate: f64,
    pub writers: usize,
    pub crowd: usize,
    pub unread: usize,
    /// Whether results are kept.
    pub keep: bool,
}

/// The release binaries that are measured.
#[derive(Debug, Clone)]
pub struct Binaries {
    pub present: PathBuf,
    /// What it is compared with.
    pub base: Option<PathBuf>,
}

/// Frames that are sent when they are due, whatever the server does.
pub struct OpenLoop {
    pub arrivals: Arrivals,
    pub rates: Vec<Rate>,
    pub seconds: f64,
}

/// Messages a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    Absolute(f64),
    /// Per cent of the maximum that was just measured.
    Share(f64),
}

impl FromStr for Rate {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_suffix('%') {
            Some(share) => Self::Share(share.parse()?),
            None => Self::Absolute(text.parse()?),
        })
    }
}

impl Plan {
    pub fn from_env() -> Outcome<Self> {
        let keep = env::args().any(|argument| argument == "--bench");
        let full = |long: &'static str, short: &'static str| if keep { long } else { short };
        let outside = outside()?;
        Ok(Self {
            scenarios: scenarios::chosen(list("YANSHU_BENCH_SCENARIOS", "")?, outside.is_some())?,
            on: match outside {
                Some(_) => vec![On::Outside],
                None => list("YANSHU_BENCH_ON", "sqlite,postgres,cluster")?,
            },
            outside,
            binaries: Binaries {
                present: path("YANSHU_BENCH_SERVER")
                    .unwrap_or_else(|| env!("CARGO_BIN_EXE_yanshu").into()),
                base: path("YANSHU_BENCH_BASE"),
            },
            limits: one::<String>("YANSHU_BENCH_LIMITS", "on")? != "off",
            repeat: one("YANSHU_BENCH_REPEAT", full("3", "1"))?,
            seconds: one("YANSHU_BENCH_SECONDS", full("3", "0.2"))?,
            warm_up: one("YANSHU_BENCH_WARM_UP", full("1", "0.1"))?,
            pairs: list("YANSHU_BENCH_PAIRS", full("1,10,100", "2"))?,
            in_flight: list("YANSHU_BENCH_IN_FLIGHT", full("1,10", "3"))?,
            open: OpenLoop {
                arrivals: one("YANSHU_BENCH_ARRIVALS", "poisson")?,
                rates: list(
                    "YANSHU_BENCH_RATES",
                    full("1000,25%,50%,75%,90%", "200,50%"),
                )?,
                seconds: one("YANSHU_BENCH_OPEN_SECONDS", full("10", "0.3"))?,
            },
            users: one("YANSHU_BENCH_USERS", full("15000", "50"))?,
            stored: one("YANSHU_BENCH_STORED", full("10000000", "2000"))?,
            page_rate: one("YANSHU_BENCH_PAGES", full("200", "100"))?,
            writers: one("YANSHU_BENCH_WRITERS", full("1000", "20"))?,
            crowd: one("YANSHU_BENCH_CROWD", full("10000", "50"))?,
            unread: one("YANSHU_BENCH_UNREAD", full("20", "5"))?,
            keep,
        })
    }

    /// Where one node with a database of its own stands.
    pub fn single_nodes(&self) -> impl Iterator<Item = On> {
        let on = self.on.iter().copied();
        on.filter(|on| [On::Sqlite, On::Postgres].contains(on))
    }
}

fn outside() -> Outcome<Option<Door>> {
    let Ok(url) = env::var("YANSHU_BENCH_TARGET") else {
        return Ok(None);
    };
    let secret = env::var("YANSHU_BENCH_TOKEN_SECRET").ok();
    Door::outside(&url, secret).map(Some)
}

fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

fn list<T: FromStr<Err: Into<Box<dyn Error>>>>(variable: &str, default: &str) -> Outcome<Vec<T>> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let values: Result<Vec<T>, Box<dyn Error>> = words
        .map(|word| word.parse::<T>().map_err(Into::into))
        .collect();
    values.map_err(|error| format!("{variable}={text}: {error}").into())
}

fn one<T: FromStr<Err: Into<Box<dyn Error>>>>(variable: &str, default: &str) -> Outcome<T> {
    let mut values = list(variable, default)?;
    Ok(values.pop().ok_or_else(|| format!("{variable} is empty"))?)
}
