//! Conversion of custom resources by webhook (`validateCustomResourceConversion`).

use crate::cursor::{Field, Findings};
use crate::{check, webhook};

/// Checks the internal form of `spec.conversion`.
pub fn conversion(conversion: &Field<'_>, out: &mut Findings) {
    if !conversion.exists() {
        return;
    }
    let strategy = conversion.get("strategy");
    check::required_one_of(&strategy, &["None", "Webhook"], out);
    let (client, reviews) = (
        conversion.get("webhookClientConfig"),
        conversion.get("conversionReviewVersions"),
    );
    if strategy.str() != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if client.exists() {
            out.push(client.forbidden(detail));
        }
        if !reviews.is_empty() {
            out.push(reviews.forbidden(detail));
        }
        return;
    }
    if client.exists() {
        webhook::client_config(&client, out);
    } else {
        out.push(client.required("required when strategy is set to Webhook"));
    }
    if reviews.is_empty() {
        out.push(reviews.required(""));
    } else {
        webhook::review_versions(&reviews, out);
    }
}
