//! The terminal as it was found.

use std::io::{Write as _, stdin, stdout};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// Ends that what is pasted comes as one piece (bracketed paste, of xterm).
const END_PASTE: &[u8] = b"\x1b[?2004l";

/// Puts the terminal back into the state in which it was, when this is dropped.
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// Remembers the state, where there is a terminal.
    pub fn keep() -> Self {
        Self(tcgetattr(stdin()).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            let _ = tcsetattr(stdin(), OptionalActions::Now, state);
            let _ = stdout()
                .write_all(END_PASTE)
                .and_then(|()| stdout().flush());
        }
    }
}
