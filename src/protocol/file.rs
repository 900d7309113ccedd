//! Files: their IDs, their names, and how a message of type 1 says which one it carries.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// Longest name of a file, in bytes of UTF-8: what file systems take.
pub const FILE_NAME_MAX: usize = 255;

/// What a file is called whose name says nothing.
const NAMELESS: &str = "file";

/// An ending is kept when a name is cut, if it is no longer than so many bytes.
const ENDING_MAX: usize = 16;

/// A file's ID: 128 random bits, on the wire 32 hexadecimal digits in lower case. Who does not know it cannot
/// guess it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u128);

/// It is not 32 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file ID is 32 hexadecimal digits in lower case")]
pub struct FileIdError;

impl FileId {
    /// The ID of these random bits.
    pub fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// Reads the one way in which an ID is written.
    ///
    /// # Errors
    /// For everything else.
    pub fn parse(text: &str) -> Result<Self, FileIdError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(FileIdError);
        }
        let bits = u128::from_str_radix(text, 16).map_err(|_| FileIdError)?;
        Ok(Self(bits))
    }

    /// Where the file is to be had, on the server that has it.
    pub fn url(self) -> String {
        format!("/files/{self}")
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a message of type 1 says of its file, as far as the server looks at it.
#[derive(Deserialize)]
struct Carried<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

/// The file of this server that a message of type 1 carries: its text is the JSON that the upload was
/// answered with. `None` where it says something else, which is the clients' own affair.
pub fn carried_file(text: &str) -> Option<FileId> {
    // Else an array of two texts would do.
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let carried: Carried<'_> = serde_json::from_str(text).ok()?;
    let id = FileId::parse(&carried.id).ok()?;
    (carried.url == id.url()).then_some(id)
}

/// A name under which a file can be shown and saved anywhere: the last part of a path, without what is not to be
/// seen or reverses the order of what is, and cut so that its ending stays.
pub fn file_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let name = cut(shown.trim());
    // `.`, `..` and nothing at all are no names.
    if name.chars().all(|c| c == '.' || c.is_whitespace()) {
        return NAMELESS.to_owned();
    }
    name
}

/// Controls, and what changes the direction or the place of the text around it (UAX #9 §2): `\u{202e}gpj.exe`
/// is shown as `exe.jpg`.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// At most [`FILE_NAME_MAX`] bytes of a name, with its ending.
fn cut(name: &str) -> String {
    if name.len() <= FILE_NAME_MAX {
        return name.to_owned();
    }
    let ending = name.rfind('.').map_or("", |at| &name[at..]);
    let ending = if ending.len() <= ENDING_MAX {
        ending
    } else {
        ""
    };
    let stem = name.len() - ending.len();
    let mut end = stem.min(FILE_NAME_MAX - ending.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", name[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00ff00000000000000000000000000aa";

    #[test]
    fn a_file_id_has_exactly_one_spelling() {
        assert_eq!(FileId::parse(ID).unwrap().to_string(), ID);
        let upper = ID.to_uppercase();
        let plus = format!("+{}", &ID[1..]);
        for text in ["", "..", &ID[1..], &format!("{ID}0"), &upper, &plus] {
            assert_eq!(FileId::parse(text), Err(FileIdError), "{text}");
        }
    }

    #[test]
    fn a_message_carries_a_file_where_it_names_its_id_and_the_path_of_that_id() {
        let file = |text: &str| carried_file(text).map(|id| id.to_string());
        let whole = format!(r#"{{"id":"{ID}","name":"a.txt","size":1,"url":"/files/{ID}"}}"#);
        assert_eq!(file(&whole).as_deref(), Some(ID));
        let escaped = format!(r#"{{"url":"\/files\/{ID}","id":"{ID}"}}"#);
        assert_eq!(file(&escaped).as_deref(), Some(ID));
        for other in [
            "hello".to_owned(),
            "https://files.example/1.png".to_owned(),
            format!(r#"{{"id":"{ID}"}}"#),
            format!(r#"{{"id":"{ID}","url":"https://elsewhere.example/files/{ID}"}}"#),
            r#"{"id":"7","url":"/files/7"}"#.to_owned(),
            format!(r#"{{"id":"{ID}","id":"{ID}","url":"/files/{ID}"}}"#),
            format!(r#"["{ID}","/files/{ID}"]"#),
        ] {
            assert_eq!(file(&other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_one_that_any_system_takes_and_shows_as_it_is() {
        for (given, name) in [
            ("photo.jpg", "photo.jpg"),
            ("报告 final.pdf", "报告 final.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\a.doc", "a.doc"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("a/", "file"),
            (" \u{202e} ", "file"),
            ("\u{202e}gpj.exe", "gpj.exe"),
            ("a\r\nb\0.txt", "ab.txt"),
            (".profile", ".profile"),
            ("קובץ.pdf", "קובץ.pdf"),
        ] {
            assert_eq!(file_name(given), name, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_before_its_ending() {
        let name = file_name(&format!("{}.jpeg", "长".repeat(300)));
        assert!(
            name.len() <= FILE_NAME_MAX && name.ends_with("长.jpeg"),
            "{name}"
        );
        let name = file_name(&format!("a.{}", "b".repeat(300)));
        assert_eq!(name.len(), FILE_NAME_MAX);
    }
}
