//! Names, IDs and texts as numbers: what a message says follows from its ID, so nobody has to remember it.

/// What most messages are made of.
const PHRASES: [&str; 6] = [
    "你好，雁书。",
    "晚上一起吃饭吗？",
    "云中谁寄锦书来，雁字回时，月满西楼。",
    "ok",
    "see you at seven, under the bridge",
    "🦆 \"quoted\" \\ and\nbroken\tlines",
];

/// The size of the largest texts, in bytes.
const LARGE: usize = 30 * 1024;

/// The user of this number.
pub fn name(user: u16) -> String {
    format!("soak-{user}")
}

/// The number of this user.
pub fn user(name: &str) -> Option<u16> {
    name.strip_prefix("soak-")?.parse().ok()
}

/// The message of this number.
pub fn id(number: u32) -> String {
    format!("MSG{number:06}")
}

/// The number of this message.
pub fn number(id: &str) -> Option<u32> {
    id.strip_prefix("MSG")?.parse().ok()
}

/// What the message of this number says in a soak of this seed: mostly a line, now and then a page, seldom as much
/// as there may be.
pub fn text(seed: u64, number: u32) -> String {
    let chance = scatter(seed, number);
    let size = match chance % 1_000 {
        0..=2 => LARGE,
        3..=29 => 1_000 + (chance >> 32) as usize % 3_000,
        _ => 8 + (chance >> 32) as usize % 100,
    };
    let mut text = format!("{number}:");
    let mut at = (chance >> 16) as usize;
    loop {
        let phrase = PHRASES[at % PHRASES.len()];
        if text.len() + phrase.len() > size {
            return text;
        }
        text.push_str(phrase);
        at += 1;
    }
}

/// Whether whoever gets it reads it at once, or leaves it for later.
pub fn is_for_later(number: u32) -> bool {
    scatter(7, number).is_multiple_of(8)
}

/// A number that looks like chance (SplitMix64).
pub fn scatter(seed: u64, number: u32) -> u64 {
    let mut mixed = (seed ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
