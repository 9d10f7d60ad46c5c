//! Waits until a log that is followed has grown, or its container has ended.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use deploy_sandbox::{Event, Events, Sandbox};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

/// Watches one log.
pub(super) struct Follow {
    changes: AsyncFd<OwnedFd>,
    container: String,
    sandbox: Option<Sandbox>,
    /// None once the container has ended: what it has written is in the log then.
    events: Option<Events>,
    stop: CancellationToken,
}

impl Follow {
    /// Watches from now on: what is read after this call, together with what is told, is everything.
    pub fn begin(
        folder: &Path,
        sandbox: Option<Sandbox>,
        container: String,
        stop: CancellationToken,
    ) -> io::Result<Follow> {
        let changes = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        add_watch(
            &changes,
            folder,
            WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO,
        )?;
        // What tokio warns of is a type whose descriptor changes or closes behind its back: an `OwnedFd` does neither.
        #[allow(deprecated)]
        let changes = AsyncFd::new(changes)?;
        let events = sandbox.as_ref().map(Sandbox::events);
        let mut follow = Follow {
            changes,
            container,
            sandbox,
            events,
            stop,
        };
        follow.look();
        Ok(follow)
    }

    /// Waits; false if there will be nothing more than what has been read before this call.
    pub async fn more(&mut self) -> bool {
        let Some(events) = &mut self.events else {
            return false;
        };
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                ready = self.changes.readable() => {
                    let Ok(mut ready) = ready else {
                        return false;
                    };
                    let mut told = [0; 4096];
                    let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut told[..])?));
                    if matches!(read, Ok(Ok(_))) {
                        return true;
                    }
                }
                event = events.next() => match event {
                    Some(Event::Exited { container, .. }) if container != self.container => {}
                    Some(Event::Started { .. }) => {}
                    Some(Event::Missed) => {
                        self.look();
                        return true;
                    }
                    Some(Event::Exited { .. } | Event::Lost) | None => {
                        self.events = None;
                        // The last words may have been written after the last read.
                        return true;
                    }
                },
            }
        }
    }

    /// Whether the container has ended already.
    fn look(&mut self) {
        let info = self
            .sandbox
            .as_ref()
            .and_then(|sandbox| sandbox.container(&self.container));
        if info.is_none_or(|info| info.exit.is_some()) {
            self.events = None;
        }
    }
}
