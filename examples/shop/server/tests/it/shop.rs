//! Processes of the shop, ended when a test ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// The binary under test.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shop"))
}

/// One process.
pub struct Service {
    child: Child,
    log: Receiver<String>,
    pub address: String,
}

/// All three, with one configuration.
pub struct Shop {
    pub storefront: Service,
    pub orders: Service,
    pub payment: Service,
    pub config: PathBuf,
}

impl Shop {
    /// The shop of a Malaysian market.
    pub fn start(name: &str, config: &str) -> Shop {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.conf"));
        fs::write(&path, config).unwrap();
        let file = path.to_str().unwrap();
        let common = [("SHOP_CONFIG", file), ("SHOP_SITE", "my"), ("SHOP_CONFIG_CHECK_MS", "0")];
        let payment = Service::start("payment", &common);
        let payment_url = format!("http://{}", payment.address);
        let orders =
            Service::start("orders", &[common.as_slice(), &[("PAYMENT_URL", &payment_url)]].concat());
        let orders_url = format!("http://{}", orders.address);
        let storefront =
            Service::start("storefront", &[common.as_slice(), &[("ORDERS_URL", &orders_url)]].concat());
        Shop { storefront, orders, payment, config: path }
    }
}

impl Service {
    /// A process that listens.
    pub fn start(role: &str, env: &[(&str, &str)]) -> Service {
        let mut child = command()
            .arg(role)
            .env_clear()
            .env("SHOP_LISTEN", "127.0.0.1:0")
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (told, log) = mpsc::channel();
        // It ends with the process, or with who listens.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| told.send(line)));
        let mut service = Service { child, log, address: String::new() };
        let line = service.log_line("\"message\":\"listening\"");
        service.address = line.split("\"address\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        service
    }

    /// The next line of the log with this text.
    pub fn log_line(&self, text: &str) -> String {
        loop {
            let line = self.next_line(text);
            if line.contains(text) {
                return line;
            }
        }
    }

    fn next_line(&self, text: &str) -> String {
        let line = self.log.recv_timeout(DEADLINE);
        line.unwrap_or_else(|_| panic!("the log has no {text}"))
    }

    /// The same, while something must be done for it to come; each time it is done writes at least one line.
    pub fn log_line_while(&self, text: &str, mut act: impl FnMut()) -> String {
        let begun = Instant::now();
        loop {
            act();
            let line = self.next_line(text);
            if line.contains(text) {
                return line;
            }
            assert!(begun.elapsed() < DEADLINE, "no {text} in the log");
        }
    }

    /// The status and body of an answer.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Asks until the status is this one.
    pub fn until(&self, method: &str, path: &str, status: u16) {
        let begun = Instant::now();
        while self.request(method, path, &[]).0 != status {
            assert!(begun.elapsed() < DEADLINE, "{path} never answered {status}");
        }
    }

    /// What Prometheus would read.
    pub fn metrics(&self) -> String {
        self.request("GET", "/metrics", &[]).1
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status =
            Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(status.success());
    }

    /// How it ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
