//! How many colours a JPEG has (ITU-T T.81, annex B), which its decoder does not tell before it unpacks it.

use std::fs::File;

use super::picture::read;

/// More segments than this before the frame has no picture that people send.
const SEGMENTS_MAX: usize = 10_000;

/// The number of components of the frame; `None` where none is found.
pub fn colours(file: &File) -> Option<u8> {
    // Behind the start of the image. A segment: 0xFF, as often as one likes, its marker, its length.
    let mut at = 2;
    for _ in 0..SEGMENTS_MAX {
        let [mark, marker, high, low] = read(file, at)?;
        match (mark, marker) {
            (0xff, 0xff) => at += 1,
            (0xff, 0xc0..=0xcf) if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                // Length, precision, height and width come before it.
                return read::<1>(file, at + 9).map(|[colours]| colours);
            }
            // What stands alone has no length.
            (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => at += 2 + u64::from(u16::from_be_bytes([high, low])),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn colours_of(segments: &[&[u8]]) -> Option<u8> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[0xff, 0xd8]).unwrap();
        file.write_all(&segments.concat()).unwrap();
        colours(&file)
    }

    #[test]
    fn the_colours_stand_in_the_frame_whatever_comes_before_it() {
        let tables: &[u8] = &[0xff, 0xc4, 0, 4, 0xff, 0xc0];
        let frame: &[u8] = &[0xff, 0xc2, 0, 20, 8, 1, 0, 1, 0, 4, 0];
        assert_eq!(colours_of(&[frame]), Some(4));
        assert_eq!(colours_of(&[tables, &[0xff, 0xff], &frame[1..]]), Some(4));
        assert_eq!(colours_of(&[tables, &[0xff, 0xd0], frame]), Some(4));
        assert_eq!(colours_of(&[tables]), None);
        assert_eq!(colours_of(&[&[0, 1, 2, 3]]), None);
    }
}
