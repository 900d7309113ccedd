//! Pictures, good and bad, as bytes.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::ground::noise;

/// As many pixels of one colour as a bomb may have are these few bytes: a PNG whose pixels are all zero.
pub fn bomb(width: u32, height: u32, kind: Colour) -> Vec<u8> {
    let line = 1 + (u64::from(width) * kind.bits()).div_ceil(8);
    let mut data = deflated_zeros(line * u64::from(height));
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([kind.depth(), kind.number(), 0, 0, 0]);
    for (name, data) in [
        (b"IHDR", &mut header),
        (b"IDAT", &mut data),
        (b"IEND", &mut Vec::new()),
    ] {
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let mut checked = name.to_vec();
        checked.append(data);
        bytes.extend_from_slice(&checked);
        bytes.extend(crc32(&checked).to_be_bytes());
    }
    bytes
}

/// How a pixel of a PNG is written.
#[derive(Debug, Clone, Copy)]
pub enum Colour {
    BlackOrWhite,
    Rgba,
    DeepRgba,
}

impl Colour {
    fn depth(self) -> u8 {
        match self {
            Colour::BlackOrWhite => 1,
            Colour::Rgba => 8,
            Colour::DeepRgba => 16,
        }
    }

    fn number(self) -> u8 {
        match self {
            Colour::BlackOrWhite => 0,
            Colour::Rgba | Colour::DeepRgba => 6,
        }
    }

    fn bits(self) -> u64 {
        match self {
            Colour::BlackOrWhite => 1,
            Colour::Rgba => 32,
            Colour::DeepRgba => 64,
        }
    }
}

/// So many zeros in the zlib format (RFC 1950, RFC 1951): a zero, and then that it is to be repeated 258 times,
/// which takes 13 bits.
fn deflated_zeros(count: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.number(0b011, 3); // the last block, with the fixed codes
    let (repeats, rest) = ((count - 1) / 258, (count - 1) % 258);
    for _ in 0..=rest {
        bits.code(0b0011_0000, 8); // a zero
    }
    for _ in 0..repeats {
        bits.code(0b1100_0101, 8); // 258 bytes…
        bits.code(0, 5); // …as the one before
    }
    bits.code(0, 7);
    let mut bytes = vec![0x78, 0x9C];
    bytes.extend(bits.bytes);
    let adler = (u32::try_from(count % 65_521).unwrap() << 16) | 1;
    bytes.extend(adler.to_be_bytes());
    bytes
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u8,
}

impl Bits {
    fn bit(&mut self, bit: u32) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        let last = self.bytes.last_mut().expect("there is one");
        *last |= u8::from(bit & 1 == 1) << self.used;
        self.used = (self.used + 1) % 8;
    }

    /// Its lowest bit first.
    fn number(&mut self, number: u32, bits: u32) {
        for at in 0..bits {
            self.bit(number >> at);
        }
    }

    /// Its highest bit first.
    fn code(&mut self, code: u32, bits: u32) {
        for at in (0..bits).rev() {
            self.bit(code >> at);
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (number, entry) in (0_u32..).zip(&mut table) {
        let shifted = |value: u32| (value >> 1) ^ (0xEDB8_8320 & (value & 1).wrapping_neg());
        *entry = (0..8).fold(number, |value, _| shifted(value));
    }
    !bytes.iter().fold(!0, |sum, byte| {
        table[usize::from((sum as u8) ^ byte)] ^ (sum >> 8)
    })
}

/// A progressive JPEG of this size in which there is nothing but grey: a bit for each block of 64 pixels and each
/// of its colours. Whoever unpacks it has to hold all coefficients at once.
pub fn progressive_bomb(side: u16, colours: u8) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    let mut segment = |kind: u8, data: &[u8]| {
        bytes.extend([0xFF, kind]);
        bytes.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
        bytes.extend_from_slice(data);
    };
    let mut quantization = vec![0];
    quantization.extend([1; 64]);
    segment(0xDB, &quantization);
    let [high, low] = side.to_be_bytes();
    let mut frame = vec![8, high, low, high, low, colours];
    frame.extend((1..=colours).flat_map(|colour| [colour, 0x11, 0]));
    segment(0xC2, &frame);
    // One code of one bit: nothing has changed since the last block.
    let mut code = vec![0, 1];
    code.extend([0; 16]);
    segment(0xC4, &code);
    let mut scan = vec![colours];
    scan.extend((1..=colours).flat_map(|colour| [colour, 0]));
    scan.extend([0; 3]);
    segment(0xDA, &scan);
    let blocks = usize::from(side).div_ceil(8).pow(2) * usize::from(colours);
    bytes.resize(bytes.len() + blocks.div_ceil(8), 0);
    bytes.extend([0xFF, 0xD9]);
    bytes
}

/// A picture whose left half is red and whose right half is blue.
pub fn two_halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
        true => Rgb([255, 0, 0]),
        false => Rgb([0, 0, 255]),
    })
}

/// A picture in this format.
pub fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.into().write_to(&mut bytes, format);
    written.expect("it can be encoded");
    bytes.into_inner()
}

/// A PNG of this size.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    encoded(two_halves(width, height), ImageFormat::Png)
}

/// A PNG of this size through which one can see.
pub fn see_through(width: u32, height: u32) -> Vec<u8> {
    let picture = RgbaImage::from_pixel(width, height, Rgba([10, 200, 30, 100]));
    encoded(picture, ImageFormat::Png)
}

/// A PNG full of noise, all of it as transparent as this.
pub fn noisy(side: u32, alpha: u8) -> Vec<u8> {
    let noise = noise(3 * (side * side) as usize, 1);
    let picture = RgbaImage::from_fn(side, side, |x, y| {
        let at = 3 * (y * side + x) as usize;
        Rgba([noise[at], noise[at + 1], noise[at + 2], alpha])
    });
    encoded(picture, ImageFormat::Png)
}

/// A JPEG that says how a camera was held, and in words where.
pub fn photo(width: u32, height: u32, orientation: u8, place: &str) -> Vec<u8> {
    let jpeg = encoded(two_halves(width, height), ImageFormat::Jpeg);
    let mut bytes = jpeg[..2].to_vec();
    let exif = exif(orientation, place);
    bytes.extend([0xFF, 0xE1]);
    bytes.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    bytes.extend(exif);
    bytes.extend_from_slice(&jpeg[2..]);
    bytes
}

/// What a camera says (Exif 2.3 §4.6): a description, the orientation, and a directory of GPS.
fn exif(orientation: u8, place: &str) -> Vec<u8> {
    let place = format!("{place}\0");
    let length = u32::try_from(place.len()).unwrap();
    // Of three entries, behind 8 bytes; then one of one entry; then the text.
    let (gps, text) = (8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 12 + 4);
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let write = |bytes: &mut Vec<u8>, entries: &[(u16, u16, u32, u32)]| {
        bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        for (tag, kind, count, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([0; 4]);
    };
    let entries = [
        (0x010E, 2, length, text),
        (0x0112, 3, 1, u32::from(orientation)),
        (0x8825, 4, 1, gps),
    ];
    write(&mut bytes, &entries);
    // N, for the latitude.
    write(&mut bytes, &[(1, 2, 2, u32::from(b'N'))]);
    bytes.extend_from_slice(place.as_bytes());
    [b"Exif\0\0".as_slice(), &bytes].concat()
}
