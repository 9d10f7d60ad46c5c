//! What each of the three services does.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client;
use crate::config::{Change, Config, WatchedConfig};
use crate::http::{Handler, Request, Response};
use crate::json::{self, Object};
use crate::log::{Access, Log};
use crate::metrics::Metrics;
use crate::random;

/// An order of more is a mistake.
const MAX_QUANTITY: u32 = 100;

/// What the shop sells: stock keeping unit, price in hundredths of the currency.
const GOODS: [(&str, u64); 3] = [("tea", 1_290), ("pot", 4_900), ("cup", 850)];

/// Which of the services this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The page; takes orders from people.
    Storefront,
    /// Keeps orders, has them paid.
    Orders,
    /// Takes money.
    Payment,
}

impl Role {
    /// As arguments, logs and configuration write it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Storefront => "storefront",
            Role::Orders => "orders",
            Role::Payment => "payment",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        [Role::Storefront, Role::Orders, Role::Payment]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("usage: shop storefront|orders|payment, not {text:?}"))
    }
}

/// What does not change while the process runs.
pub struct Settings {
    pub role: Role,
    pub site: String,
    pub version: String,
    pub orders_url: String,
    pub payment_url: String,
}

/// A running service.
pub struct Service {
    settings: Settings,
    config: WatchedConfig,
    pub log: Log,
    metrics: Metrics,
    orders: AtomicU64,
    draining: AtomicBool,
    stopped: AtomicBool,
}

/// What a request carries from service to service.
struct Caller {
    trace_id: String,
    user_id: String,
}

impl Service {
    /// A service that is ready.
    pub fn new(settings: Settings, config: WatchedConfig, log: Log) -> Service {
        Service {
            settings,
            config,
            log,
            metrics: Metrics::default(),
            orders: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }
    }

    /// From now on `/readyz` fails, and connections are closed after their answer.
    pub fn stop_being_ready(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// From now on no connection is taken.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// The route as metrics name it, and the answer. Unknown paths share one name: a scanner must not make series.
    fn route(&self, request: &Request, caller: &Caller) -> (&'static str, Response) {
        match (request.path.as_str(), self.settings.role) {
            ("/healthz", _) => ("/healthz", text(200, "ok\n")),
            ("/readyz", _) if self.is_draining() => ("/readyz", text(503, "draining\n")),
            ("/readyz", _) => ("/readyz", text(200, "ready\n")),
            ("/metrics", _) => ("/metrics", self.print_metrics()),
            ("/version", _) => ("/version", self.version()),
            ("/", Role::Storefront) => ("/", self.business(|config| self.page(request, config))),
            ("/checkout", Role::Storefront) => {
                ("/checkout", self.posted(request, |config| self.checkout(request, caller, config)))
            }
            ("/orders", Role::Orders) => {
                ("/orders", self.posted(request, |config| self.order(request, caller, config)))
            }
            ("/payments", Role::Payment) => {
                ("/payments", self.posted(request, |config| self.pay(request, config)))
            }
            _ => ("other", text(404, "not found\n")),
        }
    }

    fn posted(&self, request: &Request, answer: impl FnOnce(&Config) -> Response) -> Response {
        if request.method == "POST" { self.business(answer) } else { text(405, "use POST\n") }
    }

    /// What people pay us for: the configuration can make it slow and wrong. Health and metrics stay honest.
    fn business(&self, answer: impl FnOnce(&Config) -> Response) -> Response {
        let config = self.configuration();
        if config.latency_ms > 0 {
            thread::sleep(Duration::from_millis(config.latency_ms));
        }
        if random::happens(config.error_rate) { failure(500, "failed on purpose") } else { answer(&config) }
    }

    fn configuration(&self) -> Arc<Config> {
        let (config, change) = self.config.current();
        match change {
            Change::None => {}
            Change::Reloaded => {
                self.log.event("info", "configuration reloaded", &[]);
                self.metrics.count("shop_config_reloads_total", &[("outcome", "reloaded")]);
            }
            Change::Refused(why) => {
                self.log.event("error", "configuration refused", &[("error", &why)]);
                self.metrics.count("shop_config_reloads_total", &[("outcome", "refused")]);
            }
        }
        config
    }

    fn version(&self) -> Response {
        let body = Object::new()
            .text("service", self.settings.role.name())
            .text("version", &self.settings.version)
            .text("site", &self.settings.site);
        answer(200, body)
    }

    fn print_metrics(&self) -> Response {
        // Without a look at the file a changed configuration would show only with the next customer.
        self.configuration();
        let build = [
            ("service", self.settings.role.name()),
            ("version", self.settings.version.as_str()),
            ("site", self.settings.site.as_str()),
        ];
        Response {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: self.metrics.print(&build),
        }
    }

    fn page(&self, request: &Request, config: &Config) -> Response {
        let wanted = request.parameter("lang").or(request.header("accept-language")).unwrap_or_default();
        let language = config.languages.iter().find(|language| wanted.starts_with(language.as_str()));
        let language = language.or(config.languages.first()).map_or("en", String::as_str);
        let (title, buy) = match language {
            "zh" => ("茶铺", "购买"),
            "de" => ("Teeladen", "Kaufen"),
            "es" => ("Tienda de té", "Comprar"),
            "ms" => ("Kedai teh", "Beli"),
            _ => ("Tea shop", "Buy"),
        };
        let goods: String = GOODS
            .iter()
            .map(|(sku, price)| {
                format!(
                    "<li>{sku} {}.{:02} {} <form method=\"post\" action=\"/checkout?sku={sku}&amp;quantity=1\">\
                     <button>{buy}</button></form></li>\n",
                    price / 100,
                    price % 100,
                    config.currency
                )
            })
            .collect();
        let body = format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <h1>{title}</h1>\n<ul>\n{goods}</ul>\n<footer>{} {}</footer>\n</html>\n",
            self.settings.site, self.settings.version
        );
        Response { status: 200, content_type: "text/html; charset=utf-8", body }
    }

    fn checkout(&self, request: &Request, caller: &Caller, config: &Config) -> Response {
        let (sku, quantity, _) = match basket(request) {
            Ok(basket) => basket,
            Err(why) => return failure(400, why),
        };
        let path = format!("/orders?sku={sku}&quantity={quantity}");
        match self.call(&self.settings.orders_url, &path, caller) {
            Ok(order) => {
                let body = Object::new()
                    .raw("order", order)
                    .text("site", &self.settings.site)
                    .raw("languages", json::list(&config.languages));
                answer(201, body)
            }
            Err(why) => failure(502, &why),
        }
    }

    fn order(&self, request: &Request, caller: &Caller, config: &Config) -> Response {
        let (sku, quantity, amount) = match basket(request) {
            Ok(basket) => basket,
            Err(why) => return failure(400, why),
        };
        let path = format!("/payments?amount={amount}");
        let paid = self.call(&self.settings.payment_url, &path, caller);
        let outcome = if paid.is_ok() { "paid" } else { "failed" };
        self.metrics.count("orders_total", &[("currency", &config.currency), ("outcome", outcome)]);
        match paid {
            Ok(payment) => {
                let number = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
                let body = Object::new()
                    .raw("number", number)
                    .text("sku", sku)
                    .raw("quantity", quantity)
                    .raw("amount", amount)
                    .raw("payment", payment);
                answer(201, body)
            }
            Err(why) => failure(502, &why),
        }
    }

    fn pay(&self, request: &Request, config: &Config) -> Response {
        let Some(amount) = request.parameter("amount").and_then(|amount| amount.parse::<u64>().ok()) else {
            return failure(400, "amount is a whole number of hundredths");
        };
        self.metrics.count("payments_total", &[("currency", &config.currency), ("outcome", "taken")]);
        answer(201, Object::new().raw("amount", amount).text("currency", &config.currency))
    }

    /// The body of a successful answer of the next service.
    fn call(&self, url: &str, path: &str, caller: &Caller) -> Result<String, String> {
        let span = format!("{:016x}", random::bits());
        let parent = format!("00-{}-{span}-01", caller.trace_id);
        let headers = [("traceparent", parent.as_str()), ("X-User-Id", &caller.user_id)];
        match client::post(url, path, &headers) {
            Ok(answer) if answer.status < 300 => Ok(answer.body),
            Ok(answer) => Err(format!("{url} answered {}", answer.status)),
            Err(error) => Err(format!("{url}: {error}")),
        }
    }
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Response {
        let begun = Instant::now();
        self.metrics.in_flight(1);
        let caller = Caller {
            trace_id: trace_id(request.header("traceparent")),
            user_id: user_id(request.header("x-user-id")),
        };
        let (route, response) = self.route(request, &caller);
        let duration = begun.elapsed();
        self.metrics.in_flight(-1);
        // Any token can stand for a method; a series for each would be the client's to make.
        let method = if matches!(request.method.as_str(), "GET" | "HEAD" | "POST") {
            &request.method
        } else {
            "other"
        };
        self.metrics.request(route, method, response.status, duration);
        // Probes and scrapes would drown what people do.
        if !matches!(route, "/healthz" | "/readyz" | "/metrics") {
            self.log.access(&Access {
                trace_id: &caller.trace_id,
                user_id: &caller.user_id,
                method: &request.method,
                path: &request.path,
                status_code: response.status,
                latency_ms: duration.as_secs_f64() * 1_000.0,
            });
        }
        response
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// What is bought, how many, and what it costs in hundredths.
fn basket(request: &Request) -> Result<(&'static str, u32, u64), &'static str> {
    let wanted = request.parameter("sku").unwrap_or_default();
    let Some((sku, price)) = GOODS.iter().find(|(sku, _)| *sku == wanted) else {
        return Err("there is no such sku");
    };
    match request.parameter("quantity").unwrap_or("1").parse() {
        Ok(quantity @ 1..=MAX_QUANTITY) => Ok((sku, quantity, price * u64::from(quantity))),
        _ => Err("quantity is a whole number from 1 to 100"),
    }
}

/// The trace of a W3C `traceparent`, or a new one.
fn trace_id(parent: Option<&str>) -> String {
    let given = parent.and_then(|parent| parent.split('-').nth(1));
    let valid = |id: &&str| {
        id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0')
    };
    given
        .filter(valid)
        .map(str::to_ascii_lowercase)
        .unwrap_or_else(|| format!("{:016x}{:016x}", random::bits(), random::bits()))
}

/// Who asks, if it looks like an id: it goes into logs and into the next request's headers.
fn user_id(given: Option<&str>) -> String {
    let valid = |id: &&str| {
        !id.is_empty()
            && id.len() <= 64
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
    };
    given.filter(valid).unwrap_or("anonymous").to_owned()
}

fn text(status: u16, body: &str) -> Response {
    Response { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

fn answer(status: u16, body: Object) -> Response {
    Response { status, content_type: "application/json", body: body.end() }
}

fn failure(status: u16, why: &str) -> Response {
    answer(status, Object::new().text("error", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_checked() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(Some(&format!("00-{id}-00f067aa0ba902b7-01"))), id);
        for wrong in [None, Some("00-xyz-1-01"), Some("00-00000000000000000000000000000000-1-01")] {
            let made = trace_id(wrong);
            assert!(made.len() == 32 && made != trace_id(wrong), "{made}");
        }
        assert_eq!(user_id(Some("u-1@shop")), "u-1@shop");
        assert_eq!(user_id(Some("a b")), "anonymous");
    }
}
