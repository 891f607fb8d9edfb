//! A Unix socket that says a text to whoever connects.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::FileTypeExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::socket::{getsockopt, sockopt};

/// The socket, and its name, which goes with it.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens under this name, also where one that was killed has left it behind.
    ///
    /// # Errors
    ///
    /// The kernel's, with the name; another program listens there, and which one.
    pub(crate) fn new(path: &Path) -> Result<Self, String> {
        let named = |error: io::Error| format!("{}: {error}", path.display());
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_socket(path) => {
                match UnixStream::connect(path) {
                    Ok(other) => return Err(format!("{}: {error}, by {}", path.display(), name_of(&other))),
                    Err(refused) if refused.kind() == ErrorKind::ConnectionRefused => {
                        fs::remove_file(path).and_then(|()| UnixListener::bind(path))
                    }
                    Err(_) => Err(error),
                }
            }
            bound => bound,
        };
        let listener = listener.map_err(named)?;
        listener.set_nonblocking(true).map_err(named)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Says `text` to one who waits.
    pub(crate) fn answer(&self, text: &str) {
        let Ok((mut stream, _)) = self.listener.accept() else { return };
        // Who does not read has bad luck, and does not hold us up.
        let _ = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(text.as_bytes()));
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Who listens at the other end.
fn name_of(other: &UnixStream) -> String {
    match getsockopt(other, sockopt::PeerCredentials) {
        // One of another PID namespace has no number here.
        Ok(listener) if listener.pid() != 0 => format!("process {}", listener.pid()),
        _ => "another process".into(),
    }
}

const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;

    fn temporary(name: &str) -> PathBuf {
        env::temp_dir().join(format!("vtep-{}-{name}", process::id()))
    }

    #[test]
    fn a_name_that_nobody_listens_under_is_taken_over() {
        let path = temporary("left");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let control = Control::new(&path).unwrap();
        let why = Control::new(&path).unwrap_err();
        let here =
            format!("{}: Address already in use (os error 98), by process {}", path.display(), process::id());
        assert_eq!(why, here);
        assert!(path.exists());
        drop(control);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_stays() {
        let path = temporary("file");
        fs::write(&path, "text").unwrap();
        assert!(Control::new(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        fs::remove_file(&path).unwrap();
    }
}
