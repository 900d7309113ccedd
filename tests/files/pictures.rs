//! Pictures: how large they are, and the small ones that are made of them.

use image::{DynamicImage, GenericImageView, ImageFormat};

use super::asker::{Asker, Kept, kept};
use super::chat::send_file;
use super::ground::stored;
use super::images::{encoded, noisy, photo, png, see_through, two_halves};
use super::support::{Client, Server};

fn sides(file: &Kept) -> (u64, u64) {
    let side = |name: &str| file.answer[name].as_u64().unwrap_or_default();
    (side("width"), side("height"))
}

/// Its thumbnail, and of which type it is.
async fn small(asker: &Asker, file: &Kept) -> (DynamicImage, String, Vec<u8>) {
    assert_eq!(file.answer["thumbnail"], file.thumbnail(), "{}", file.text);
    let reply = asker.get(&file.thumbnail()).await.assert_status(200);
    let mime = reply.header("content-type").unwrap().to_owned();
    let format = ImageFormat::from_mime_type(&mime).expect("a picture");
    let picture = image::load_from_memory_with_format(&reply.body, format);
    (picture.expect("it can be read"), mime, reply.body)
}

#[tokio::test]
async fn a_picture_of_each_kind_has_its_size_and_a_small_one() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let there = Asker::at(server.node(1), "ann");
    for (format, name) in [
        (ImageFormat::Png, "a.png"),
        (ImageFormat::Jpeg, "a.jpg"),
        (ImageFormat::Gif, "a.gif"),
        (ImageFormat::WebP, "a.webp"),
    ] {
        for (width, height, small_width, small_height) in [
            (1_000, 500, 480, 240),
            (300, 960, 150, 480),
            (480, 30, 480, 30),
            (1, 1, 1, 1),
            (2_000, 1, 480, 1),
        ] {
            let bytes = encoded(two_halves(width, height), format);
            let file = ann.keep(name, &bytes).await;
            assert_eq!(file.answer["mime"], format.to_mime_type());
            assert_eq!(sides(&file), (width.into(), height.into()), "{name}");
            let (picture, mime, _) = small(&there, &file).await;
            assert_eq!(picture.dimensions(), (small_width, small_height), "{name}");
            assert!(["image/jpeg", "image/png"].contains(&&*mime), "{mime}");
            // What went up stays as it is.
            there.reads(file.url(), &bytes).await;
        }
    }
}

#[tokio::test]
async fn a_small_picture_shows_what_the_large_one_does() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("a.png", &png(1_000, 600)).await;
    let (picture, mime, _) = small(&ann, &file).await;
    assert_eq!(mime, "image/jpeg");
    let (left, right) = (picture.get_pixel(20, 100), picture.get_pixel(460, 100));
    assert!(left[0] > 200 && left[2] < 60, "{left:?} is red");
    assert!(right[2] > 200 && right[0] < 60, "{right:?} is blue");
}

#[tokio::test]
async fn what_one_can_see_through_stays_so() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for side in [800, 100] {
        let file = ann.keep("a.png", &see_through(side, side)).await;
        let (picture, mime, _) = small(&ann, &file).await;
        assert_eq!(mime, "image/png");
        let pixel = picture.get_pixel(50, 50);
        assert!((95..=105).contains(&pixel[3]), "{pixel:?}");
    }
}

#[tokio::test]
async fn what_could_be_transparent_and_is_not_has_a_small_picture_as_a_photo_has() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let file = ann.keep("a.png", &noisy(480, 255)).await;
    let (_, mime, _) = small(&ann, &file).await;
    assert_eq!(mime, "image/jpeg");
}

#[tokio::test]
async fn no_small_picture_is_heavy() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    // As it is, it takes 690 KB.
    let file = ann.keep("a.png", &noisy(480, 100)).await;
    let (picture, mime, bytes) = small(&ann, &file).await;
    assert_eq!(
        (mime.as_str(), picture.dimensions()),
        ("image/png", (240, 240))
    );
    assert!(bytes.len() <= 256 * 1024, "{} bytes", bytes.len());
}

#[tokio::test]
async fn a_photo_is_as_it_is_shown_and_its_small_picture_says_nothing_of_where_it_was_taken() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    let place = "at-the-secret-place";
    for orientation in 1..=8 {
        let bytes = photo(960, 480, orientation, place);
        let file = ann.keep("photo.jpg", &bytes).await;
        let (picture, mime, small) = small(&ann, &file).await;
        assert_eq!(mime, "image/jpeg");
        // Those from 5 on are turned (TIFF 6.0, section 8).
        let turned = orientation >= 5;
        let (shown, fits) = match turned {
            true => ((480, 960), (240, 480)),
            false => ((960, 480), (480, 240)),
        };
        assert_eq!(sides(&file), shown, "orientation {orientation}");
        assert_eq!(picture.dimensions(), fits, "orientation {orientation}");
        let first = picture.get_pixel(10, 10);
        let (x, y) = (fits.0 - 10, fits.1 - 10);
        let last = picture.get_pixel(x, y);
        // What is left in the file is at the top or the left of what is shown, or at the other end.
        let red_first = [1, 4, 5, 6].contains(&orientation);
        let (red, blue) = if red_first {
            (first, last)
        } else {
            (last, first)
        };
        assert!(red[0] > 200 && red[2] < 60, "{orientation}: {red:?} is red");
        assert!(blue[2] > 200, "{orientation}: {blue:?} is blue");
        for tell_tale in [place.as_bytes(), b"Exif", b"II*\0"] {
            let found = small.windows(tell_tale.len()).any(|part| part == tell_tale);
            assert!(!found, "orientation {orientation}");
        }
        ann.reads(file.url(), &bytes).await;
    }
}

#[tokio::test]
async fn a_picture_is_what_its_bytes_say_whatever_it_is_called() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for (name, said, bytes, mime) in [
        ("a.jpg", "image/jpeg", png(10, 10), "image/png"),
        ("a.txt", "text/html", png(10, 10), "image/png"),
        (
            "a.png",
            "image/png",
            encoded(two_halves(10, 10), ImageFormat::Gif),
            "image/gif",
        ),
        (
            "a",
            "application/octet-stream",
            photo(10, 10, 1, "x"),
            "image/jpeg",
        ),
    ] {
        let file = kept(
            ann.upload_with(name, &[("Content-Type", said)], &bytes)
                .await,
        );
        assert_eq!(file.answer["mime"], mime, "{name}");
        assert_eq!(file.answer["name"], name);
        assert_eq!(sides(&file), (10, 10));
        let reply = ann.get(file.url()).await.assert_status(200);
        assert_eq!(reply.header("content-type"), Some(mime));
    }
}

#[tokio::test]
async fn what_is_no_picture_has_no_size_and_no_small_one() {
    let server = Server::start();
    let ann = Asker::at(server.node(0), "ann");
    for (name, bytes) in [
        ("a.txt", b"a text".as_slice()),
        ("a.png", b"a text"),
        ("a.bmp", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("empty.png", b""),
    ] {
        let file = ann.keep(name, bytes).await;
        for field in ["width", "height", "thumbnail"] {
            assert_eq!(file.answer.get(field), None, "{}", file.text);
        }
        let none = ann.get(&file.thumbnail()).await;
        none.assert_is(404, "no_thumbnail");
        let none = ann.look_at(&file.thumbnail(), &[]).await;
        none.assert_status(404);
    }
    assert_eq!(stored(&server).len(), 5);
}

#[tokio::test]
async fn a_small_picture_is_for_those_who_may_read_the_large_one() {
    let server = Server::start();
    let mut ann = Client::connect(&server, "ann").await;
    let up = Asker::at(server.node(0), "ann");
    let file = up.keep("a.png", &png(1_000, 1_000)).await;
    let bob = Asker::at(server.node(1), "bob");
    bob.cannot_read(&file.thumbnail()).await;
    send_file(&mut ann, "bob", &file).await;
    let (picture, _, bytes) = small(&bob, &file).await;
    assert_eq!(picture.dimensions(), (480, 480));
    let eve = Asker::at(server.node(1), "eve");
    eve.cannot_read(&file.thumbnail()).await;
    // It is kept by browsers, and fetched in parts, as any file.
    let reply = bob.get(&file.thumbnail()).await;
    let tag = reply.header("etag").unwrap().to_owned();
    let original = bob.look_at(file.url(), &[]).await;
    assert_ne!(
        original.header("etag"),
        Some(&*tag),
        "they are not the same"
    );
    let known = [("If-None-Match", &*tag)];
    let reply = bob.get_with(&file.thumbnail(), &known).await;
    reply.assert_status(304);
    let range = [("Range", "bytes=2-9")];
    let reply = bob.get_with(&file.thumbnail(), &range).await;
    assert_eq!(reply.assert_status(206).body, &bytes[2..=9]);
}
