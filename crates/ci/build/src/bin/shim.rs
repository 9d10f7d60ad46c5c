//! The program that the tests of this crate execute as a shim.

fn main() {
    deploy_sandbox::shim::dispatch();
}
