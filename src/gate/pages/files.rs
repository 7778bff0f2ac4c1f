//! The pages and what they load: each is a file of `client-js/pages`.

use super::{Asset, Lazy, PAGE, SCRIPT};

/// A file of `client-js/pages`.
macro_rules! file {
    ($media:expr, $name:literal) => {
        Lazy::new(|| Asset::new($media, include_str!(concat!("../../../client-js/pages/", $name))))
    };
}

/// The page at `/`.
pub(in crate::gate) static DEMO: Lazy = file!(PAGE, "index.html");
/// The page at `/camera` and `/camera/{scene}`.
pub(super) static CAMERA: Lazy = file!(PAGE, "camera.html");
/// The page at `/chat/{room}`.
pub(super) static ROOM: Lazy = file!(PAGE, "room.html");
/// What is said of a name that none can have; [`WHY`] stands where the reason goes.
pub(super) const WRONG: &str = include_str!("../../../client-js/pages/wrong.html");
/// The place of the reason in [`WRONG`].
pub(super) const WHY: &str = "<!--why-->";

/// Those that have one address, and say the same to everybody.
pub(in crate::gate) static FILES: [(&str, Lazy); 17] = [
    ("/widget", file!(PAGE, "widget.html")),
    ("/chat", file!(PAGE, "chat.html")),
    ("/pages/demo.js", file!(SCRIPT, "demo.js")),
    ("/pages/people.js", file!(SCRIPT, "people.js")),
    ("/pages/snippets.js", file!(SCRIPT, "snippets.js")),
    ("/pages/camera.js", file!(SCRIPT, "camera.js")),
    ("/pages/cameras.js", file!(SCRIPT, "cameras.js")),
    ("/pages/drawing.js", file!(SCRIPT, "drawing.js")),
    ("/pages/pilot.js", file!(SCRIPT, "pilot.js")),
    ("/pages/scene.js", file!(SCRIPT, "scene.js")),
    ("/pages/sender.js", file!(SCRIPT, "sender.js")),
    ("/pages/chat.js", file!(SCRIPT, "chat.js")),
    ("/pages/room.js", file!(SCRIPT, "room.js")),
    ("/pages/rooms.js", file!(SCRIPT, "rooms.js")),
    ("/pages/board.js", file!(SCRIPT, "board.js")),
    ("/pages/pages.css", file!("text/css; charset=utf-8", "pages.css")),
    ("/pages/icon.svg", file!("image/svg+xml", "icon.svg")),
];
