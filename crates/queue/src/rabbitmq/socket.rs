use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
};

/// Ends the TCP connection when dropped, at whatever stage it is. The client library's thread waits without limit on a
/// peer that accepts and says nothing; only the end of its socket ends it.
#[derive(Debug, Default)]
pub(super) struct Socket(SocketHandle);

/// Tells the [`Socket`] which TCP connection is meant, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct SocketHandle(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Connecting,
    Connected(TcpStream),
    ShutDown,
}

impl Socket {
    pub(super) fn handle(&self) -> SocketHandle {
        self.0.clone()
    }

    pub(super) fn shut_down(&self) {
        if let State::Connected(stream) = self.0.replace(State::ShutDown) {
            // An error says that it is closed already.
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl SocketHandle {
    /// Fails if the connection is no longer wanted.
    pub(super) fn remember(&self, stream: &impl AsFd) -> io::Result<()> {
        let duplicate = stream.as_fd().try_clone_to_owned()?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::ShutDown) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *state = State::Connected(duplicate.into());
        Ok(())
    }

    fn replace(&self, state: State) -> State {
        std::mem::replace(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
            state,
        )
    }
}
