//! The bounds of this crate. Whatever a template or its data say, rendering ends, and ends in an error, not a crash.

/// How deep `{{template}}` may nest. Go's own bound, which templates that call themselves run into.
pub const TEMPLATE_DEPTH: usize = 100_000;

/// How deep parentheses may nest in one expression. Go's own bound.
pub const PAREN_DEPTH: usize = 10_000;

/// How deep `if`, `with`, `range`, `block` and `define` may nest. Go has no bound but its memory; no author gets here.
pub const CONTROL_DEPTH: usize = 10_000;

/// How deep lists and maps may nest where they are printed, compared or turned to JSON: a map that `set` put into
/// itself has no end. Go's JSON encoder starts to look for cycles at 1,000; its printer would run out of memory.
pub const VALUE_DEPTH: usize = 10_000;

/// How deep lists and maps may nest in JSON that a template reads. Go's own bound.
pub const JSON_DEPTH: usize = 10_000;

/// The largest width or precision of a `printf` verb, as in Go (`fmt` tooLarge).
pub const FORMAT_NUMBER: usize = 1_000_000;

/// How much stack must be left before a step deeper; a step never needs more than this.
pub const STACK_RED_ZONE_BYTES: usize = 160 << 10;

/// How much stack is added where less than the red zone is left.
pub const STACK_SEGMENT_BYTES: usize = 4 << 20;

/// Steps of all templates of one render: nodes and calls. A large chart takes some hundred thousand, an umbrella of
/// a hundred charts some million. Go has no bound; this many take it ten seconds.
pub const RENDER_STEPS: u64 = 20_000_000;

/// Bytes that all templates of one render write, make and hand to functions. A large chart comes to some 20 MB. Go has
/// no bound but its memory; a cluster refuses a release above 1 MB.
pub const RENDER_BYTES: u64 = 1 << 30;

/// What a byte of output counts: it is copied again when documents are split, sorted and printed.
pub const OUTPUT_WEIGHT: usize = 4;

/// What a value counts, in bytes, where a function follows its arguments down to the last one.
pub const WALKED_VALUE_BYTES: usize = 64;

/// What a method of an object counts as, in steps: `.Files.Glob` looks at each file of the chart.
pub const METHOD_STEPS: u64 = 100;
