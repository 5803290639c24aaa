//! What must be asked of the system: sizes of terminals, hidden input, the home folder.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use crate::console::Size;

/// The size of the terminal that standard output is; `None` if it is none.
pub(crate) fn stdout_size() -> Option<Size> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the address given, which is that of a live one.
    let answered = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) } == 0;
    let size = Size {
        columns: usize::from(size.ws_col),
        rows: usize::from(size.ws_row),
    };
    // Some terminals do not know their size; a classical one is a fair guess.
    Some(match (answered, size.columns) {
        (true, 1..) => size,
        _ => Size {
            columns: 80,
            rows: 24,
        },
    })
}

/// Whether the user types at a terminal and reads at one.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The user's home folder.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

/// Asks for a password at the terminal, without showing what is typed.
///
/// # Errors
///
/// Standard input is no terminal, or cannot be read.
pub(crate) fn ask_password() -> io::Result<String> {
    if !io::stdin().is_terminal() {
        return Err(io::Error::other("standard input is no terminal"));
    }
    let mut out = io::stderr();
    out.write_all(b"Enter password: ")?;
    out.flush()?;
    // SAFETY: `termios` is plain data; `tcgetattr` fills it before it is used.
    let mut shown: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and the address is that of a live `termios`.
    if unsafe { libc::tcgetattr(libc::STDIN_FILENO, &mut shown) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut hidden = shown;
    hidden.c_lflag &= !libc::ECHO;
    // SAFETY: as above, for reading.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &hidden) };
    let mut password = String::new();
    let read = io::stdin().lock().read_line(&mut password);
    // SAFETY: as above, for reading.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &shown) };
    out.write_all(b"\n")?;
    read?;
    Ok(password.trim_end_matches(['\n', '\r']).to_owned())
}
