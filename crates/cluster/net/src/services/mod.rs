//! From Services and EndpointSlices to a ruleset.
