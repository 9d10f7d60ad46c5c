//! What bounds this crate's work, each with its reason.

/// Bytes of a chart, unpacked, all its files and nested archives together: helm's own limit (`MaxDecompressedChartSize`).
pub const CHART_BYTES: u64 = 100 * 1024 * 1024;

/// Files of one chart with everything below it. helm has no such limit; the largest public chart has some 3,000 files,
/// and a folder of empty files would pass the limit of bytes.
pub const CHART_FILES: usize = 50_000;

/// Folders inside folders of a chart, and charts inside charts; far above any real chart, far below the stack.
pub const CHART_DEPTH: usize = 100;

/// Bytes of a line of `.helmignore` (Go's `bufio.MaxScanTokenSize`), which helm refuses to exceed.
pub const IGNORE_LINE_BYTES: usize = 64 * 1024;

/// The highest index in `--set a[N]=x` (helm's `strvals.MaxIndex`).
pub const SET_INDEX: usize = 65_536;

/// Names below names in `--set a.b.c=x` (helm's `strvals.MaxNestedNameLevel`).
pub const SET_NAME_LEVELS: usize = 30;

/// Lists below lists in `--set a[0][0]=x`. helm has no limit; a value nested deeper could not be printed.
pub const SET_LIST_LEVELS: usize = 1_000;

/// Objects inside objects in JSON that a template reads. Go allows 10,000; the stack here does not.
pub const JSON_DEPTH: usize = 1_000;

/// Tables and lists inside one another in the values of a chart. Go allows 10,000; nothing that people write has 50, and
/// every level costs stack wherever values are walked.
pub const VALUE_LEVELS: usize = 500;

/// Entries of all tables of one chart after `import-values`, which can make tables hold one another.
pub const VALUE_ENTRIES: usize = 5_000_000;

/// Folders inside folders of a plain folder of manifests. A link to a parent would otherwise never end.
pub const PLAIN_DEPTH: usize = 50;

/// Files of a plain folder, and objects in them. A cluster that holds more is not described by one folder.
pub const PLAIN_OBJECTS: usize = 100_000;

/// Levels of a `values.schema.json`, which is walked by recursion. Hand-written schemas have some 20.
pub const SCHEMA_LEVELS: usize = 500;

/// Schemas applied to values while one chart is checked. References can make small schemas explode; a large chart takes
/// some 20,000.
pub const SCHEMA_STEPS: usize = 500_000;

/// How often `include` may nest one template: helm's own bound (`recursionMaxNums`).
pub const INCLUDE_DEPTH: usize = 1_000;

/// How often `tpl` may nest. Helm has no bound and dies of it; no chart gets here.
pub const TPL_DEPTH: usize = 1_000;

/// How many texts of `tpl` are kept parsed; an umbrella chart has some hundred different ones.
pub const TPL_CACHE: usize = 10_000;
