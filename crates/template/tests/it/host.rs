//! A world in which nothing happens.

use deploy_template::func::Host;

pub(crate) struct NoHost;

impl Host for NoHost {
    fn now_unix_nanos(&self) -> i128 {
        0
    }

    fn time_zone(&self) -> &str {
        "UTC"
    }

    fn fill_random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}
