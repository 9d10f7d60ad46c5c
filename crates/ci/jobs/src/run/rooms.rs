//! Who gets which room, who waits, and one room that is made ahead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore};
use tokio_util::task::TaskTracker;

use crate::error::JobsError;
use crate::labels::Place;
use crate::room::{Ground, Limits, Room, Rooms, locked};

/// All rooms of a runner.
pub(super) struct Hotel {
    /// None once it is closed.
    rooms: RwLock<Option<Rooms>>,
    limits: Limits,
    slots: Arc<Semaphore>,
    size: usize,
    number: AtomicU64,
    spare: Mutex<Spare>,
    tasks: TaskTracker,
}

#[derive(Default)]
enum Spare {
    #[default]
    None,
    /// It is being made.
    Coming,
    Ready(Place, Box<Room>),
}

/// The right to have a room.
pub(super) type Slot = OwnedSemaphorePermit;

impl Hotel {
    pub(super) async fn open(ground: &Ground, limits: Limits, size: usize) -> Result<Hotel, JobsError> {
        Ok(Hotel {
            rooms: RwLock::new(Some(Rooms::open(ground).await?)),
            limits,
            slots: Arc::new(Semaphore::new(size)),
            size,
            number: AtomicU64::new(0),
            spare: Mutex::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// A slot, if one is free.
    pub(super) fn try_slot(&self) -> Option<Slot> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// A slot, when one is free.
    pub(super) async fn slot(&self) -> Result<Slot, JobsError> {
        self.slots
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| JobsError::Stopped)
    }

    /// Jobs at a time.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Takes copies of what a job hands to a builder.
    pub(super) async fn scratch(&self) -> std::path::PathBuf {
        self.rooms
            .read()
            .await
            .as_ref()
            .map(Rooms::scratch)
            .unwrap_or_default()
    }

    /// A room in which the first step can run.
    pub(super) async fn room(&self, place: &Place) -> Result<Room, JobsError> {
        let spare = {
            let mut spare = locked(&self.spare);
            match std::mem::take(&mut *spare) {
                Spare::Ready(made, room) if made == *place => Some(room),
                other => {
                    *spare = other;
                    None
                }
            }
        };
        match spare {
            Some(room) => Ok(*room),
            None => self.make(place).await,
        }
    }

    async fn make(&self, place: &Place) -> Result<Room, JobsError> {
        let rooms = self.rooms.read().await;
        let rooms = rooms.as_ref().ok_or(JobsError::Stopped)?;
        let name = format!("runner-{}", self.number.fetch_add(1, Ordering::Relaxed));
        let room = rooms.make(&name, place, &self.limits).await?;
        match room.warm().await {
            Ok(()) => Ok(room),
            Err(error) => {
                rooms.close(&room).await?;
                Err(error.into())
            }
        }
    }

    /// Makes a room for later, if none is made ahead yet.
    pub(super) fn prepare(hotel: &Arc<Hotel>, place: Place) {
        {
            let mut spare = locked(&hotel.spare);
            if !matches!(*spare, Spare::None) {
                return;
            }
            *spare = Spare::Coming;
        }
        let this = hotel.clone();
        hotel.tasks.spawn(async move {
            // Who needs one tries again and hears why there is none.
            let made = this.make(&place).await;
            *locked(&this.spare) = match made {
                Ok(room) => Spare::Ready(place, Box::new(room)),
                Err(_) => Spare::None,
            };
        });
    }

    /// Takes a room away.
    pub(super) async fn leave(&self, room: &Room) -> Result<(), JobsError> {
        match self.rooms.read().await.as_ref() {
            Some(rooms) => rooms.close(room).await,
            None => Ok(()),
        }
    }

    /// Takes all away.
    pub(super) async fn close(&self) -> Result<(), JobsError> {
        self.slots.close();
        self.tasks.close();
        self.tasks.wait().await;
        let spare = std::mem::take(&mut *locked(&self.spare));
        if let Spare::Ready(_, room) = spare {
            self.leave(&room).await?;
        }
        let rooms = self.rooms.write().await.take();
        match rooms {
            Some(rooms) => rooms.end().await,
            None => Ok(()),
        }
    }
}
