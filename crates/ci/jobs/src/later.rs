use std::future::Future;
use std::pin::Pin;

/// What a part that is chosen at run time gives where it has to wait.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
