//! What is said of a file: its type when it comes, and what a browser may make of it when it goes.

use mime::Mime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is known to be nothing but bytes.
const BYTES: &str = "application/octet-stream";

/// Longest type that is believed, in bytes (RFC 6838 §4.2 has 127 for each half).
const TYPE_MAX: usize = 255;

/// Types that a browser shows without running anything.
const SHOWN: [&str; 20] = [
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "audio/x-wav",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
];

/// Types that are harmless to save, and of use to whoever opens them.
const SAVED: [&str; 3] = ["application/pdf", "application/zip", "text/plain"];

/// The type of a file: as its sender says, else as its name does.
pub fn mime(said: Option<&str>, name: &str) -> String {
    let said = said.filter(|said| said.len() <= TYPE_MAX);
    let said = said.and_then(|said| said.parse::<Mime>().ok());
    let said = said.map(|said| said.essence_str().to_owned());
    // Forms are what tools say that were told nothing.
    let says_nothing = |said: &String| said == BYTES || said == "application/x-www-form-urlencoded";
    said.filter(|said| !says_nothing(said)).unwrap_or_else(|| {
        let guessed = mime_guess::from_path(name).first();
        guessed.map_or_else(
            || BYTES.to_owned(),
            |guessed| guessed.essence_str().to_owned(),
        )
    })
}

/// The type that a browser is told. A page, a script or a drawing that can hold either is bytes to it.
pub fn safe_type(mime: &str) -> &str {
    match mime {
        "text/plain" => "text/plain; charset=utf-8",
        _ if SHOWN.contains(&mime) || SAVED.contains(&mime) => mime,
        _ => BYTES,
    }
}

/// What may stand in the extended form of a name as it is (RFC 8187 §3.2.1, `attr-char`).
const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `Content-Disposition`: whether a file is shown or saved, and by which name (RFC 6266).
pub fn disposition(mime: &str, name: &str) -> String {
    let kind = if SHOWN.contains(&mime) {
        "inline"
    } else {
        "attachment"
    };
    // For those who do not know the other form.
    let plain = |c: char| if is_plain(c) { c } else { '_' };
    let plain: String = name.chars().map(plain).collect();
    let header = format!("{kind}; filename=\"{plain}\"");
    if plain == name {
        return header;
    }
    format!(
        "{header}; filename*=UTF-8''{}",
        utf8_percent_encode(name, AS_IT_IS)
    )
}

fn is_plain(c: char) -> bool {
    (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_what_the_sender_says_or_what_the_name_says() {
        for (said, name, is) in [
            (Some("image/png"), "a", "image/png"),
            (Some("Text/HTML; charset=utf-8"), "a.txt", "text/html"),
            (None, "a.pdf", "application/pdf"),
            (Some("application/octet-stream"), "a.jpg", "image/jpeg"),
            (
                Some("application/x-www-form-urlencoded"),
                "a.zip",
                "application/zip",
            ),
            (Some("no type"), "a", BYTES),
            (None, "a", BYTES),
        ] {
            assert_eq!(mime(said, name), is, "{said:?} {name}");
        }
        assert_eq!(mime(Some(&format!("a/{}", "b".repeat(300))), "a"), BYTES);
    }

    #[test]
    fn nothing_that_could_run_keeps_its_type_or_is_shown() {
        for mime in [
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/xml",
            "application/javascript",
            "text/css",
            "multipart/x-mixed-replace",
        ] {
            assert_eq!(safe_type(mime), BYTES);
            let disposition = disposition(mime, "a");
            assert!(disposition.starts_with("attachment"), "{disposition}");
        }
        assert_eq!(safe_type("text/plain"), "text/plain; charset=utf-8");
        assert!(disposition("text/plain", "a").starts_with("attachment;"));
        assert!(disposition("image/png", "a").starts_with("inline;"));
    }

    #[test]
    fn a_name_is_one_parameter_whatever_it_holds() {
        let header = disposition("text/plain", "a\"; x=\"1.txt");
        assert_eq!(
            header,
            "attachment; filename=\"a_; x=_1.txt\"; filename*=UTF-8''a%22%3B%20x%3D%221.txt"
        );
        let header = disposition("text/plain", "报告.txt");
        assert!(header.contains("filename=\"__.txt\""), "{header}");
        assert!(
            header.contains("filename*=UTF-8''%E6%8A%A5%E5%91%8A.txt"),
            "{header}"
        );
    }
}
