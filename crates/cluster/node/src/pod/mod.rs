//! The pure engine of one pod: from the object, what runs and the time, to effects and the status.
