//! Section 6.5 to 6.23: what is UTF-8 and what is not, at every boundary there is.
//!
//! The sequences are those of Markus Kuhn's UTF-8 decoder test, as the suite takes them.

use super::case::{Case, hold};
use super::peer::whole;
use super::support::Server;
use super::support::raw::TEXT;

/// κόσμε, its accent of three octets.
pub const GREEK: &[u8] = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";

/// A sequence, and whether it is UTF-8.
type Sequence = (bool, Vec<u8>);

fn valid(sequences: &[&[u8]]) -> Vec<Sequence> {
    sequences
        .iter()
        .map(|octets| (true, octets.to_vec()))
        .collect()
}

fn invalid(sequences: &[&[u8]]) -> Vec<Sequence> {
    sequences
        .iter()
        .map(|octets| (false, octets.to_vec()))
        .collect()
}

/// Every beginning of a word of two- and three-octet characters: whole where a character ends.
fn beginnings() -> Vec<Sequence> {
    const ENDS: [usize; 5] = [2, 5, 7, 9, 11];
    let beginning = |length: usize| (ENDS.contains(&length), GREEK[..length].to_vec());
    (1..=GREEK.len()).map(beginning).collect()
}

fn boundaries() -> Vec<Sequence> {
    let mut sequences = valid(&[
        b"\xED\x9F\xBF",
        b"\xEE\x80\x80",
        b"\xEF\xBF\xBD",
        b"\xF4\x8F\xBF\xBF",
    ]);
    sequences.extend(invalid(&[b"\xF4\x90\x80\x80"]));
    sequences
}

/// One to six continuations of nothing, the first one and the last one alone, and nearly all there are.
fn lonely_continuations() -> Vec<Sequence> {
    let mut sequences = invalid(&[b"\x80", b"\xBF"]);
    let alternating = |length| [0x80, 0xBF].into_iter().cycle().take(length).collect();
    sequences.extend((2..=6).map(|length| (false, alternating(length))));
    sequences.push((false, (0x80..0xBF).collect()));
    sequences
}

/// The first octets of sequences of two to six, each followed by a space.
fn lonely_starts() -> Vec<Sequence> {
    let ranges = [
        0xC0..0xDF,
        0xE0..0xEF,
        0xF0..0xF7,
        0xF8..0xFB,
        0xFC..0xFD_u8,
    ];
    let starts = ranges.map(|range| (false, range.flat_map(|start| [start, b' ']).collect()));
    starts.to_vec()
}

const UNFINISHED: [&[u8]; 10] = [
    b"\xC0",
    b"\xE0\x80",
    b"\xF0\x80\x80",
    b"\xF8\x80\x80\x80",
    b"\xFC\x80\x80\x80\x80",
    b"\xDF",
    b"\xEF\xBF",
    b"\xF7\xBF\xBF",
    b"\xFB\xBF\xBF\xBF",
    b"\xFD\xBF\xBF\xBF\xBF",
];

const SURROGATES: [&[u8]; 7] = [
    b"\xED\xA0\x80",
    b"\xED\xAD\xBF",
    b"\xED\xAE\x80",
    b"\xED\xAF\xBF",
    b"\xED\xB0\x80",
    b"\xED\xBE\x80",
    b"\xED\xBF\xBF",
];

/// Each of the first four surrogates with the first and the last of the others.
fn surrogate_pairs() -> Vec<Sequence> {
    let [highs @ .., first, _, last] = SURROGATES;
    let pairs = |high: &[u8]| [[high, first].concat(), [high, last].concat()];
    let pairs = highs.into_iter().flat_map(pairs);
    pairs.map(|pair| (false, pair)).collect()
}

/// The last two code points of each plane, which are no characters and UTF-8 all the same.
fn non_characters() -> Vec<Sequence> {
    let planes = (0..=0x10_u32).flat_map(|plane| [plane << 16 | 0xFFFE, plane << 16 | 0xFFFF]);
    let code_points = planes.filter_map(char::from_u32);
    let encoded = code_points.map(|code_point| code_point.to_string().into_bytes());
    encoded.map(|octets| (true, octets)).collect()
}

fn specials() -> Vec<Sequence> {
    let code_points = (0xFFF9..=0xFFFF).filter_map(char::from_u32);
    let encoded = code_points.map(|code_point| code_point.to_string().into_bytes());
    encoded.map(|octets| (true, octets)).collect()
}

/// The sub-sections from 6.5 on.
fn sections() -> Vec<(&'static str, Vec<Sequence>)> {
    vec![
        (
            "some valid text",
            valid(&[
                b"hello\x24world",
                b"hello\xC2\xA2world",
                b"hello\xE2\x82\xACworld",
                b"hello\xF0\xA4\xAD\xA2world",
                GREEK,
            ]),
        ),
        ("the beginnings of a word", beginnings()),
        (
            "the first sequence of each length",
            valid(&[b"\x00", b"\xC2\x80", b"\xE0\xA0\x80", b"\xF0\x90\x80\x80"]),
        ),
        (
            "the first sequences of five and six octets",
            invalid(&[b"\xF8\x88\x80\x80\x80", b"\xFC\x84\x80\x80\x80\x80"]),
        ),
        (
            "the last sequence of each length",
            valid(&[b"\x7F", b"\xDF\xBF", b"\xEF\xBF\xBF", b"\xF4\x8F\xBF\xBF"]),
        ),
        (
            "the last sequences of four, five and six octets",
            invalid(&[
                b"\xF7\xBF\xBF\xBF",
                b"\xFB\xBF\xBF\xBF\xBF",
                b"\xFD\xBF\xBF\xBF\xBF\xBF",
            ]),
        ),
        ("other boundaries", boundaries()),
        ("continuations of nothing", lonely_continuations()),
        ("starts without an end", lonely_starts()),
        ("sequences without their last octet", invalid(&UNFINISHED)),
        (
            "all of those, one after another",
            invalid(&[&UNFINISHED.concat()]),
        ),
        (
            "octets that never occur",
            invalid(&[b"\xFE", b"\xFF", b"\xFE\xFE\xFF\xFF"]),
        ),
        (
            "an overlong slash",
            invalid(&[
                b"\xC0\xAF",
                b"\xE0\x80\xAF",
                b"\xF0\x80\x80\xAF",
                b"\xF8\x80\x80\x80\xAF",
                b"\xFC\x80\x80\x80\x80\xAF",
            ]),
        ),
        (
            "the last overlong sequence of each length",
            invalid(&[
                b"\xC1\xBF",
                b"\xE0\x9F\xBF",
                b"\xF0\x8F\xBF\xBF",
                b"\xF8\x87\xBF\xBF\xBF",
                b"\xFC\x83\xBF\xBF\xBF\xBF",
            ]),
        ),
        (
            "an overlong NUL",
            invalid(&[
                b"\xC0\x80",
                b"\xE0\x80\x80",
                b"\xF0\x80\x80\x80",
                b"\xF8\x80\x80\x80\x80",
                b"\xFC\x80\x80\x80\x80\x80",
            ]),
        ),
        ("surrogates alone", invalid(&SURROGATES)),
        ("surrogates in pairs", surrogate_pairs()),
        ("code points that are no characters", non_characters()),
        ("special code points", specials()),
    ]
}

/// Every valid text of these sections.
pub fn valid_texts() -> Vec<String> {
    let sequences = sections().into_iter().flat_map(|(_, sequences)| sequences);
    let valid = sequences.filter(|(valid, _)| *valid);
    let text = |(_, octets): Sequence| String::from_utf8(octets).expect("what is called valid is");
    valid.map(text).collect()
}

pub fn cases() -> Vec<Case> {
    let section = |((title, sequences), section): ((&str, Vec<Sequence>), usize)| {
        let case = |((valid, octets), number): (Sequence, usize)| {
            let title = format!("{title}: {octets:x?}");
            let case = Case::new(format!("6.{section}.{number}"), title);
            let sent = case.send(vec![whole(TEXT, &octets)]);
            if valid {
                sent.refused("bad_json").bye()
            } else {
                sent.closed(1007)
            }
        };
        let cases: Vec<Case> = sequences.into_iter().zip(1..).map(case).collect();
        cases
    };
    sections().into_iter().zip(5..).flat_map(section).collect()
}

#[tokio::test]
async fn text_that_is_utf8_is_answered_and_what_is_not_fails_the_connection() {
    hold(&Server::start(), cases()).await;
}
