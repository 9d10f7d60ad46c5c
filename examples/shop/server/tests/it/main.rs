//! The three services as processes, together.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod shop;

use std::fs;

use shop::{Service, Shop};

#[test]
fn an_order_goes_through_all_three() {
    let shop = Shop::start("order", "currency = MYR\nlanguages = ms, en, zh\n");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("traceparent", parent.as_str()), ("X-User-Id", "u42")];
    let (status, body) = shop.storefront.request("POST", "/checkout?sku=tea&quantity=2", &headers);
    assert_eq!(status, 201, "{body}");
    assert!(body.contains("\"amount\":2580,\"payment\":{\"amount\":2580,\"currency\":\"MYR\"}"), "{body}");
    assert!(body.contains("\"languages\":[\"ms\",\"en\",\"zh\"]"), "{body}");

    assert!(shop.orders.metrics().contains("orders_total{currency=\"MYR\",outcome=\"paid\"} 1\n"));
    assert!(shop.payment.metrics().contains("payments_total{currency=\"MYR\",outcome=\"taken\"} 1\n"));
    let counted = "http_requests_total{route=\"/checkout\",method=\"POST\",status=\"201\"} 1\n";
    assert!(shop.storefront.metrics().contains(counted));

    // One trace, one user, in the logs of all three.
    for service in [&shop.storefront, &shop.orders, &shop.payment] {
        let line = service.log_line("\"message\":\"request\"");
        for part in
            [trace, "\"user_id\":\"u42\"", "\"status_code\":201", "\"site\":\"my\"", "\"latency_ms\":"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}

#[test]
fn a_failing_payment_is_counted_everywhere() {
    let shop = Shop::start("failing", "payment.error_rate = 1\n");
    let (status, body) = shop.storefront.request("POST", "/checkout?sku=cup", &[]);
    assert_eq!(status, 502, "{body}");
    assert!(shop.orders.metrics().contains("orders_total{currency=\"USD\",outcome=\"failed\"} 1\n"));
    assert!(shop.payment.metrics().contains("status=\"500\"} 1\n"));
    // The page needs nobody, and health is not what is broken.
    assert_eq!(shop.storefront.request("GET", "/", &[]).0, 200);
    assert_eq!(shop.payment.request("GET", "/healthz", &[]).0, 200);
}

#[test]
fn a_changed_configuration_takes_effect() {
    let shop = Shop::start("reload", "languages = en, zh\n");
    assert!(shop.storefront.request("GET", "/?lang=zh-CN", &[]).1.contains("茶铺"));
    fs::write(&shop.config, "languages = de\nstorefront.error_rate = 1\n").unwrap();
    shop.storefront.until("GET", "/", 500);
    assert!(shop.storefront.metrics().contains("shop_config_reloads_total{outcome=\"reloaded\"} 1\n"));

    // What cannot be read changes nothing, and is reported.
    fs::write(&shop.config, "error_rate = lots\n").unwrap();
    let line = shop.storefront.log_line_while("configuration refused", || {
        assert_eq!(shop.storefront.request("GET", "/", &[]).0, 500);
    });
    assert!(line.contains("line 1: error_rate is a number from 0 to 1"), "{line}");

    fs::write(&shop.config, "languages = de\n").unwrap();
    shop.storefront.until("GET", "/", 200);
    assert!(shop.storefront.request("GET", "/", &[]).1.contains("Teeladen"));
}

#[test]
fn bad_requests_are_refused() {
    let shop = Shop::start("refused", "");
    for (method, path, expected) in [
        ("POST", "/checkout?sku=gold", 400),
        ("POST", "/checkout?sku=tea&quantity=0", 400),
        ("POST", "/checkout?sku=tea&quantity=101", 400),
        ("GET", "/checkout?sku=tea", 405),
        ("GET", "/orders", 404),
        ("GET", "/../etc/passwd", 404),
        ("HEAD", "/version", 200),
    ] {
        assert_eq!(shop.storefront.request(method, path, &[]).0, expected, "{method} {path}");
    }
}

#[test]
fn sigterm_lets_requests_finish() {
    let mut service = Service::start("storefront", &[("SHOP_DRAIN_MS", "2000")]);
    assert_eq!(service.request("GET", "/readyz", &[]).0, 200);
    service.terminate();
    // Still there, but no longer ready, so that nobody is sent to it.
    service.log_line("\"message\":\"draining\"");
    assert_eq!(service.request("GET", "/readyz", &[]).0, 503);
    assert_eq!(service.request("GET", "/", &[]).0, 200);
    assert!(service.wait().success());
}

#[test]
fn wrong_arguments_are_explained() {
    for role in ["", "cart"] {
        let output = shop::command().arg(role).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("usage: shop storefront|orders|payment"), "{text}");
    }
}
