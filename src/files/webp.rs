//! Whether a WebP is what it says it is (the WebP container specification; RFC 6386 §9.1 for its frames).
//!
//! The decoder believes the length of a chunk before it has seen its end, and a frame that it is larger than its
//! picture until it has unpacked it. So both are held against the file first.

use std::fs::File;

use super::picture::read;

/// Bytes of a chunk's head: four letters and a length.
const HEAD: u64 = 8;
/// Bytes of an animation's frame before the chunks in it.
const FRAME_HEAD: u64 = 16;
/// More chunks than this has no picture that people send.
const CHUNKS_MAX: usize = 10_000;

/// Sides in pixels.
type Sides = (u32, u32);

/// Whether every chunk ends within the file, and no frame is larger than the picture.
pub fn is_honest(file: &File) -> bool {
    walk(file).is_some()
}

fn walk(file: &File) -> Option<()> {
    let length = file.metadata().ok()?.len();
    let mut canvas = None;
    // Behind `RIFF`, its length and `WEBP`.
    let mut at = 12;
    for _ in 0..CHUNKS_MAX {
        if at + HEAD > length {
            return Some(()); // a last byte of padding, or nothing
        }
        let head: [u8; 8] = read(file, at)?;
        let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let (begin, end) = (at + HEAD, at + HEAD + size);
        if end > length {
            return None;
        }
        at = end + size % 2;
        match &head[..4] {
            b"VP8X" => canvas = Some(extended(file, begin)?),
            b"VP8 " => fits(lossy(file, begin)?, &mut canvas)?,
            b"VP8L" => fits(lossless(file, begin)?, &mut canvas)?,
            // Its chunks are looked at as if they stood by themselves.
            b"ANMF" => at = begin + FRAME_HEAD,
            _ => {}
        }
    }
    None
}

/// Without a canvas of its own, the first frame is the picture.
fn fits(frame: Sides, canvas: &mut Option<Sides>) -> Option<()> {
    let (width, height) = *canvas.get_or_insert(frame);
    (frame.0 <= width && frame.1 <= height).then_some(())
}

fn extended(file: &File, at: u64) -> Option<Sides> {
    let bytes: [u8; 6] = read(file, at + 4)?;
    let side = |a: usize| u32::from_le_bytes([bytes[a], bytes[a + 1], bytes[a + 2], 0]) + 1;
    Some((side(0), side(3)))
}

fn lossy(file: &File, at: u64) -> Option<Sides> {
    let bytes: [u8; 4] = read(file, at + 6)?;
    let side = |a: usize| u32::from(u16::from_le_bytes([bytes[a], bytes[a + 1]]) & 0x3fff);
    Some((side(0), side(2)))
}

fn lossless(file: &File, at: u64) -> Option<Sides> {
    let bytes: [u8; 4] = read(file, at + 1)?;
    let bits = u32::from_le_bytes(bytes);
    Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn chunk(name: &[u8; 4], size: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = name.to_vec();
        bytes.extend(size.to_le_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len() + content.len() % 2, 0);
        bytes
    }

    fn sized(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        chunk(name, u32::try_from(content.len()).unwrap(), content)
    }

    fn canvas(width: u32, height: u32) -> Vec<u8> {
        let mut content = vec![0x08, 0, 0, 0];
        content.extend(&(width - 1).to_le_bytes()[..3]);
        content.extend(&(height - 1).to_le_bytes()[..3]);
        sized(b"VP8X", &content)
    }

    fn frame(width: u16, height: u16) -> Vec<u8> {
        let mut content = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a];
        content.extend(width.to_le_bytes());
        content.extend(height.to_le_bytes());
        content.extend([0; 7]);
        sized(b"VP8 ", &content)
    }

    fn lossless_frame(width: u32, height: u32) -> Vec<u8> {
        let mut content = vec![0x2f];
        content.extend(((width - 1) | ((height - 1) << 14)).to_le_bytes());
        sized(b"VP8L", &content)
    }

    fn animated(inner: Vec<u8>) -> Vec<u8> {
        sized(b"ANMF", &[vec![0; 16], inner].concat())
    }

    fn honest(chunks: &[Vec<u8>]) -> bool {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"RIFF\0\0\0\0WEBP").unwrap();
        file.write_all(&chunks.concat()).unwrap();
        is_honest(&file)
    }

    #[test]
    fn a_picture_that_is_what_it_says_is_taken() {
        for chunks in [
            vec![frame(16_383, 3)],
            vec![lossless_frame(7, 9)],
            vec![canvas(20, 10), frame(20, 10), sized(b"EXIF", b"odd")],
            vec![
                canvas(20, 10),
                animated(frame(5, 5)),
                animated(lossless_frame(20, 10)),
            ],
        ] {
            assert!(honest(&chunks), "{chunks:?}");
        }
    }

    #[test]
    fn a_chunk_without_an_end_and_a_frame_beyond_its_picture_are_not() {
        let endless = chunk(b"EXIF", u32::MAX, b"");
        for chunks in [
            vec![canvas(1, 1), lossless_frame(1, 1), endless],
            vec![canvas(1, 1), frame(16_383, 16_383)],
            vec![canvas(1, 1), animated(frame(1, 2))],
            vec![frame(5, 5), lossless_frame(6, 5)],
            vec![chunk(b"VP8 ", 100, b"short")],
        ] {
            assert!(!honest(&chunks), "{chunks:?}");
        }
    }
}
