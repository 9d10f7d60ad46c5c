//! The shell: watches the pods of this node, one bounded task per pod, and carries the effects of the engines out.

mod carry;
mod container;
mod events;
mod ground;
mod last_words;
mod node;
mod retire;
mod source;
mod status;
mod worker;

pub use events::Recorder;
pub use node::{Node, Parts, View, folder};
pub use retire::{Retiring, retire};
pub use source::{Answer, Ask, Identity, ImageSource, PodsNow, ReadyImage, Tell, Warn};
