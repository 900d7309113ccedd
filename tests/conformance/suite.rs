//! That no case of the suite is missing.

use super::case::Case;
use super::{closing, fragmentation, framing, opcodes, pings, reserved_bits, unicode, utf8};

/// How many cases each sub-section has.
const SUITE: [(&str, usize); 36] = [
    ("1.1", 8),
    ("1.2", 8),
    ("2", 11),
    ("3", 7),
    ("4.1", 5),
    ("4.2", 5),
    ("5", 20),
    ("6.1", 3),
    ("6.2", 4),
    ("6.3", 2),
    ("6.4", 4),
    ("6.5", 5),
    ("6.6", 11),
    ("6.7", 4),
    ("6.8", 2),
    ("6.9", 4),
    ("6.10", 3),
    ("6.11", 5),
    ("6.12", 8),
    ("6.13", 5),
    ("6.14", 10),
    ("6.15", 1),
    ("6.16", 3),
    ("6.17", 5),
    ("6.18", 5),
    ("6.19", 5),
    ("6.20", 7),
    ("6.21", 8),
    ("6.22", 34),
    ("6.23", 7),
    ("7.1", 6),
    ("7.3", 6),
    ("7.5", 1),
    ("7.7", 13),
    ("7.9", 9),
    ("7.13", 2),
];

/// All cases that are run here, in the order of the suite.
fn cases() -> Vec<Case> {
    let groups = [
        framing::text(),
        framing::binary(),
        pings::cases(),
        reserved_bits::cases(),
        opcodes::non_control(),
        opcodes::control(),
        fragmentation::cases(),
        utf8::empty_fragments(),
        utf8::valid_in_fragments(),
        utf8::invalid_in_fragments(),
        utf8::fail_fast(),
        unicode::cases(),
        closing::behaviour(),
        vec![closing::large_message()],
        closing::payload_lengths(),
        closing::payload_value(),
        closing::valid_codes(),
        closing::invalid_codes(),
        closing::undefined_codes(),
    ];
    groups.into_iter().flatten().collect()
}

#[test]
fn every_case_of_sections_1_to_7_is_there_once() {
    let numbers = |&(section, count): &(&str, usize)| {
        let section = section.to_owned();
        (1..=count).map(move |number| format!("{section}.{number}"))
    };
    let suite: Vec<String> = SUITE.iter().flat_map(numbers).collect();
    let here: Vec<String> = cases().into_iter().map(|case| case.number).collect();
    let lacks = |of: &[String], all: &[String]| -> Vec<String> {
        all.iter()
            .filter(|number| !of.contains(number))
            .cloned()
            .collect()
    };
    let (missing, unknown) = (lacks(&here, &suite), lacks(&suite, &here));
    assert_eq!((missing, unknown), (vec![], vec![]), "missing, and unknown");
    assert_eq!(here.len(), 246, "each of them once");
}
