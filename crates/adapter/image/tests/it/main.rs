//! The store as a whole: what honest and hostile layers, archives and disks do to it. Root is needed, because layers
//! have owners and devices; without it each test says so and passes.

mod archives;
mod hostile;
mod layers;
mod peers;
mod stored;
mod support;
