//! Pictures that are broken, or that are small only until somebody unpacks them.

use image::{GenericImageView, GrayImage, ImageFormat, RgbaImage};

use super::asker::{Asker, Kept};
use super::ground::noise;
use super::images::{Colour, bomb, encoded, photo, png, progressive_bomb};
use super::support::Server;

/// A server may have so much memory, whatever pictures it is sent, in KiB.
const MEMORY_MAX: u64 = 150 * 1024;

async fn assert_no_small_one(asker: &Asker, file: &Kept, bytes: &[u8]) {
    assert_eq!(file.answer.get("thumbnail"), None, "{}", file.text);
    let none = asker.get(&file.thumbnail()).await;
    none.assert_is(404, "no_thumbnail");
    asker.reads(file.url(), bytes).await;
}

#[tokio::test]
async fn what_would_take_much_memory_is_kept_and_not_unpacked() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for (width, height, kind) in [
        // 112 MB of one bit each; of eight, as they are unpacked, 900 MB and 268 MB.
        (30_000, 30_000, Colour::BlackOrWhite),
        (16_384, 16_384, Colour::BlackOrWhite),
        (16_384, 1_100, Colour::Rgba),
        // Few enough pixels, of too many bytes.
        (4_000, 4_000, Colour::DeepRgba),
        (u32::MAX >> 1, u32::MAX >> 1, Colour::Rgba),
        (u32::MAX, 1, Colour::Rgba),
        (0, 10, Colour::Rgba),
    ] {
        // Where the sides are beyond reason, the pixels need not be there.
        let bytes = match width > 100_000 || width == 0 {
            true => headed(width, height),
            false => bomb(width, height, kind),
        };
        let file = ann.keep("bomb.png", &bytes).await;
        assert_no_small_one(&ann, &file, &bytes).await;
    }
    let peak = server.peak_rss_kib();
    assert!(peak < MEMORY_MAX, "{peak} KiB");
    // What comes after is looked at as ever.
    let file = ann.keep("a.png", &png(600, 600)).await;
    assert_eq!(file.answer["thumbnail"], file.thumbnail());
}

/// A PNG of which only the sides are of this size.
fn headed(width: u32, height: u32) -> Vec<u8> {
    let small = bomb(8, 8, Colour::Rgba);
    let mut bytes = small.clone();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    bytes
}

/// Sends this square up several times at once; it is unpacked, and what that has taken is in bounds.
async fn unpack(server: &Server, (name, side): (&'static str, u32), bytes: &[u8]) {
    let uploads = (0..3).map(|number| {
        let ann = Asker::at(server.node(number), "ann");
        let bytes = bytes.to_vec();
        tokio::spawn(async move { ann.keep(name, &bytes).await })
    });
    for upload in uploads.collect::<Vec<_>>() {
        let file = upload.await.unwrap();
        assert_eq!(file.answer["width"], side, "{}", file.text);
        assert_eq!(file.answer["thumbnail"], file.thumbnail(), "{name}");
        let ann = Asker::at(server.node(0), "ann");
        let reply = ann.get(&file.thumbnail()).await.assert_status(200);
        let picture = image::load_from_memory(&reply.body).unwrap();
        assert_eq!(picture.dimensions(), (480, 480), "{name}");
    }
    let peak = server.peak_rss_kib();
    assert!(peak < MEMORY_MAX, "{peak} KiB after {name}");
}

#[tokio::test]
async fn what_a_camera_makes_is_unpacked_and_fits_into_memory_however_much_comes_at_once() {
    let server = Server::start();
    let side = 3_600;
    let grey = encoded(GrayImage::new(side, side), ImageFormat::Jpeg);
    unpack(&server, ("a.jpg", side), &grey).await;
    unpack(&server, ("a.png", side), &bomb(side, side, Colour::Rgba)).await;
    let side = 2_500;
    let none = encoded(RgbaImage::new(side, side), ImageFormat::WebP);
    unpack(&server, ("a.webp", side), &none).await;
}

#[tokio::test]
async fn a_picture_that_is_held_twice_while_it_is_unpacked_fits_or_is_not_unpacked() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for (side, colours) in [(3_600, 3), (3_600, 4), (4_096, 3), (16_000, 3)] {
        let bytes = progressive_bomb(side, colours);
        let file = ann.keep("a.jpg", &bytes).await;
        ann.reads(file.url(), &bytes).await;
        let peak = server.peak_rss_kib();
        assert!(peak < MEMORY_MAX, "{peak} KiB for {} bytes", bytes.len());
    }
}

#[tokio::test]
async fn what_is_broken_is_kept_as_it_is() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let magics: [&[u8]; 5] = [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"GIF89a",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        b"RIFF\x20\0\0\0WEBPVP8X",
    ];
    for (number, magic) in (0_u64..).zip(magics) {
        for length in [0, 30, 5_000] {
            let bytes = [magic, &noise(length, number)].concat();
            let file = ann.keep("a.png", &bytes).await;
            assert_no_small_one(&ann, &file, &bytes).await;
        }
    }
    // Pictures that end early, anywhere. What was unpacked before the end may be shown.
    let whole = [
        png(500, 400),
        photo(500, 400, 6, "x"),
        encoded(super::images::two_halves(500, 400), ImageFormat::Gif),
        encoded(super::images::two_halves(500, 400), ImageFormat::WebP),
    ];
    for whole in whole {
        for part in [1, 3, 5, 7] {
            let bytes = &whole[..whole.len() * part / 8];
            let file = ann.keep("a.png", bytes).await;
            ann.reads(file.url(), bytes).await;
            if file.answer["thumbnail"].is_string() {
                let reply = ann.get(&file.thumbnail()).await.assert_status(200);
                image::load_from_memory(&reply.body).expect("a picture");
            } else {
                assert_no_small_one(&ann, &file, bytes).await;
            }
        }
    }
    // And pictures of which some bytes are others.
    for seed in 0..16_u64 {
        let mut bytes = photo(300, 200, 6, "x");
        let noise = noise(24, seed);
        for pair in noise.chunks(3) {
            let at = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % bytes.len();
            bytes[at] = pair[2];
        }
        let file = ann.keep("a.jpg", &bytes).await;
        ann.reads(file.url(), &bytes).await;
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
