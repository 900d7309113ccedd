//! What a picture looks like: its size, and a small one of it.
//!
//! Whoever sends a picture decides what is in it, so its size is known before anything is unpacked: a file of a
//! few hundred kilobytes can be a picture of gigabytes.

use std::fs::File;
use std::io::{BufReader, Cursor, Seek};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{jpeg, webp};

/// No side is longer than this, in pixels.
const SIDE_MAX: u32 = 16_384;
/// A larger picture is not unpacked: what a camera of 12 megapixels makes.
const PIXELS_MAX: u64 = 13_000_000;
/// A WebP has a canvas beside what it is unpacked into, and maybe a frame; a JPEG of four colours has a third more
/// coefficients than others, and they are as large again as what is made of them.
const COSTLY_PIXELS_MAX: u64 = PIXELS_MAX / 2;
/// Nor is one that takes more memory than this when it is unpacked, in bytes.
const MEMORY_MAX: u64 = 64 * 1024 * 1024;
/// The longer side of a thumbnail is at most so many pixels.
const THUMBNAIL_SIDE: u32 = 480;
/// How good a thumbnail is, of 100.
const QUALITY: u8 = 80;
/// A larger thumbnail, in bytes, is none: many of them may wait to be kept.
const THUMBNAIL_MAX: usize = 256 * 1024;

/// A picture that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What its bytes are, whatever it is called.
    pub mime: &'static str,
    /// Pixels, as it is shown.
    pub width: u32,
    /// Pixels, as it is shown.
    pub height: u32,
    /// `None`: it is too large for one, or broken.
    pub thumbnail: Option<Thumbnail>,
}

/// A small picture. Of what else its file says, the place where it was taken for one, nothing is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Its media type.
    pub mime: &'static str,
    /// It.
    pub bytes: Bytes,
}

/// Looks at a file; `None` where it is no picture of a kind that is known.
pub fn look(mut file: &File) -> Option<Looked> {
    file.rewind().ok()?;
    let reader = ImageReader::new(BufReader::new(file));
    let mut reader = reader.with_guessed_format().ok()?;
    let format = reader.format().filter(|format| is_known(*format))?;
    // The decoder looks at none of this before it takes memory for it.
    if format == ImageFormat::WebP && !webp::is_honest(file) {
        return None;
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return None;
    }
    let is_costly = format == ImageFormat::WebP
        || (format == ImageFormat::Jpeg && jpeg::colours(file).is_none_or(|colours| colours > 3));
    let pixels_max = match is_costly {
        true => COSTLY_PIXELS_MAX,
        false => PIXELS_MAX,
    };
    let is_small =
        u64::from(width) * u64::from(height) <= pixels_max && decoder.total_bytes() <= MEMORY_MAX;
    let thumbnail = is_small.then(|| DynamicImage::from_decoder(decoder));
    let thumbnail = thumbnail.and_then(Result::ok);
    let (width, height) = if is_turned(orientation) {
        (height, width)
    } else {
        (width, height)
    };
    Some(Looked {
        mime: format.to_mime_type(),
        width,
        height,
        thumbnail: thumbnail.and_then(|picture| small(&picture, orientation)),
    })
}

fn is_known(format: ImageFormat) -> bool {
    use ImageFormat::{Gif, Jpeg, Png, WebP};
    matches!(format, Gif | Jpeg | Png | WebP)
}

/// Whether width and height change places.
fn is_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH
    )
}

fn small(picture: &DynamicImage, orientation: Orientation) -> Option<Thumbnail> {
    let fits = picture.width().max(picture.height()) <= THUMBNAIL_SIDE;
    let mut small = if fits {
        picture.clone()
    } else {
        picture.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    };
    small.apply_orientation(orientation);
    if is_opaque(&small) {
        return jpeg(&small);
    }
    // What is transparent and full of noise takes as much as its pixels do.
    png(&small).filter(is_light).or_else(|| {
        let side = THUMBNAIL_SIDE / 2;
        png(&small.thumbnail(side, side)).filter(is_light)
    })
}

fn is_light(thumbnail: &Thumbnail) -> bool {
    thumbnail.bytes.len() <= THUMBNAIL_MAX
}

/// Whether nothing shows through. Many a picture could be transparent, and is not.
fn is_opaque(picture: &DynamicImage) -> bool {
    !picture.color().has_alpha() || picture.to_rgba8().pixels().all(|pixel| pixel[3] == u8::MAX)
}

fn png(picture: &DynamicImage) -> Option<Thumbnail> {
    let mut bytes = Vec::new();
    let png = DynamicImage::ImageRgba8(picture.to_rgba8());
    png.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        .ok()?;
    Some(Thumbnail::new(ImageFormat::Png, bytes))
}

fn jpeg(picture: &DynamicImage) -> Option<Thumbnail> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    picture.to_rgb8().write_with_encoder(encoder).ok()?;
    Some(Thumbnail::new(ImageFormat::Jpeg, bytes))
}

impl Thumbnail {
    fn new(format: ImageFormat, bytes: Vec<u8>) -> Self {
        Self {
            mime: format.to_mime_type(),
            // Without the room that an encoder had in reserve: it waits for its turn to be kept.
            bytes: bytes.into_boxed_slice().into(),
        }
    }
}

/// The bytes from there on, where the file has as many.
pub(super) fn read<const N: usize>(file: &File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}
