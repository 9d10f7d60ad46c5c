//! Every bound of the node, with its reason.

use std::time::Duration;

/// Pods of this node; upstream's `maxPods`.
pub const PODS_MAX: usize = 110;

/// A container that ended is started again at once, then after this, twice this ... (`pkg/kubelet/kubelet.go`
/// `initialBackOff`).
pub const RESTART_BACK_OFF: Duration = Duration::from_secs(10);

/// The longest wait between two restarts or two pulls (`MaxCrashLoopBackOff`). What runs for twice as long starts afresh.
pub const RESTART_BACK_OFF_MAX: Duration = Duration::from_secs(300);

/// A container that could not be made is tried again after this (`backOffPeriod` of the pod workers).
pub const CREATE_RETRY: Duration = Duration::from_secs(10);

/// Volumes that cannot be prepared are tried again after this, twice this ... (`exponentialbackoff.initialDurationBeforeRetry`).
pub const VOLUME_BACK_OFF: Duration = Duration::from_millis(500);

/// The longest wait of volumes (`exponentialbackoff.maxDurationBeforeRetry`).
pub const VOLUME_BACK_OFF_MAX: Duration = Duration::from_secs(122);

/// A sandbox that could not be made is tried again after this, twice this ...
pub const SANDBOX_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait of a sandbox: a machine that lacks something now may have it later.
pub const SANDBOX_BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// Whatever a preStop hook has used up, a container has this long to end by itself (`minimumGracePeriodInSeconds`).
pub const GRACE_MIN: Duration = Duration::from_secs(2);

/// What exceeds its own limits of disk has this long to end (`immediateEvictionGracePeriodSeconds`).
pub const EVICTION_GRACE_SECONDS: i64 = 1;

/// Between two looks at what volumes with a limit hold (`monitoringInterval` of the eviction manager): the kernel tells
/// nobody when a folder has grown.
pub const VOLUME_LIMIT_CHECK: Duration = Duration::from_secs(10);

/// A process that was killed is gone at once; if it is not, it is told again after this.
pub const KILL_AGAIN: Duration = Duration::from_secs(5);

/// The first look of a readiness probe whose container has just started; the next ones come after twice as long each,
/// until the period of the probe is reached. A container of a fraction of a second is not kept waiting for a period.
pub const EARLY_PROBE: Duration = Duration::from_millis(100);

/// A termination message is cut here (`MaxContainerTerminationMessageLength`).
pub const TERMINATION_MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// All containers of a pod share this for their messages (`MaxPodTerminationMessageLogLength` of the status manager).
pub const POD_MESSAGES_BYTES_MAX: usize = 12 * 1024;

/// A termination message from logs has as many lines (`MaxContainerTerminationMessageLogLines`) ...
pub const MESSAGE_LOG_LINES_MAX: usize = 80;

/// ... and as many bytes (`MaxContainerTerminationMessageLogLength`).
pub const MESSAGE_LOG_BYTES_MAX: usize = 2 * 1024;

/// What a probe answers is kept this long (`maxRespBodyLength`, `maxReadLength` of exec).
pub const PROBE_BODY_BYTES_MAX: usize = 10 * 1024;

/// Redirects that an HTTP probe follows (`RedirectChecker`, as Go's default).
pub const PROBE_REDIRECTS_MAX: usize = 10;

/// A probe is asked again at once where asking itself failed (`maxProbeRetries`).
pub const PROBE_RETRIES: usize = 3;

/// Processes and threads of a pod: a fork bomb must not take the machine's (`kernel.pid_max` is 32,768 on small ones).
/// Upstream's `podPidsLimit` is off by default.
pub const POD_PROCESSES_MAX: i64 = 4096;

/// The longest path of a file in a volume (`atomic_writer.go maxPathLength`, PATH_MAX).
pub const VOLUME_PATH_BYTES_MAX: usize = 4096;

/// The longest name of a file in a volume (`atomic_writer.go maxFileNameLength`, NAME_MAX).
pub const VOLUME_FILE_NAME_BYTES_MAX: usize = 255;

/// Entries of a folder that are read at once when it is removed: a pod may have left millions.
pub const REMOVED_AT_A_TIME: usize = 4096;

/// Less memory than this is pressure, and is not given to pods (`memory.available<100Mi`).
pub const MEMORY_AVAILABLE_MIN: u64 = 100 << 20;

/// Less than this on the disk is pressure, or less than a tenth of it where that is less. Upstream's tenth alone (and it
/// evicts) would make large and well-filled disks of developers useless.
pub const DISK_AVAILABLE_MIN: u64 = 2 << 30;

/// Images that the Node names (`nodeStatusMaxImages`).
pub const NODE_IMAGES_MAX: usize = 50;

/// A node that has not renewed its lease for so long is lost (`nodeLeaseDurationSeconds`).
pub const LEASE: Duration = Duration::from_secs(40);

/// The lease is renewed, and the machine looked at, each time this has gone by (a quarter of [`LEASE`]).
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// A status that says nothing new is written all the same after this (`nodeStatusReportFrequency`).
pub const STATUS_REPORT: Duration = Duration::from_secs(300);

/// Events that wait to be written; what comes beyond them is lost, as upstream's (`maxQueuedEvents`).
pub const EVENTS_WAITING_MAX: usize = 1000;

/// Events that are remembered to be counted (`maxLruCacheEntries`).
pub const EVENTS_KNOWN_MAX: usize = 4096;

/// Longer messages of events are cut (`maxNoteLength`).
pub const EVENT_MESSAGE_BYTES_MAX: usize = 1024;

/// A log is rotated beyond this (`containerLogMaxSize`) ...
pub const LOG_BYTES_MAX: u64 = 10 << 20;

/// ... and so many files of an attempt are kept (`containerLogMaxFiles`).
pub const LOG_FILES_MAX: u32 = 5;

/// A postStart hook that runs for longer has failed. Upstream waits for ever.
pub const POST_START_MAX: Duration = Duration::from_secs(3600);

/// Sandboxes and containers that are made or started at the same time: the kernel and two cores gain nothing by more.
pub const STARTS_MAX: usize = 8;

/// A status that could not be written is tried again after this.
pub const STATUS_RETRY: Duration = Duration::from_secs(1);

/// What a command has written is read for so long after its end; what it has left running may hold its output open.
pub const OUTPUT_AFTER_EXIT: Duration = Duration::from_millis(100);

/// The folder of a persistent volume that could not be removed is tried again after this, twice this ...
pub const RECLAIM_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest wait of a folder that cannot be removed.
pub const RECLAIM_BACK_OFF_MAX: Duration = Duration::from_secs(120);

/// A line of a log file that is longer was not written by the sandbox, which cuts at 16 KiB: it is left out.
pub const LOG_LINE_BYTES_MAX: usize = 32 << 10;

/// What is read of a log at once, and sent as one piece.
pub const LOG_READ_BYTES: usize = 64 << 10;

/// What is read at once of a process, a connection or a client: a pipe holds 64 KiB, and kubectl reads 32 KiB.
pub const STREAM_READ_BYTES: usize = 32 << 10;

/// Pieces that wait in one direction of a stream before its source has to wait.
pub const STREAM_QUEUE: usize = 8;

/// The size of a terminal, or the number of a channel, as a client says it.
pub const STREAM_WORD_BYTES_MAX: usize = 1024;

/// A client that was told good-bye has so long to close the connection.
pub const STREAM_CLOSE: Duration = Duration::from_secs(2);

/// Headers of one stream, inflated: those of Kubernetes are four short ones.
pub const SPDY_HEADERS_BYTES_MAX: usize = 64 << 10;

/// A control frame of SPDY.
pub const SPDY_FRAME_BYTES_MAX: usize = 16 << 10;

/// Streams of one connection at a time: 256 forwarded connections.
pub const SPDY_STREAMS_MAX: usize = 512;

/// A port of a pod is on this machine: it answers at once, or its queue is full.
pub const FORWARD_CONNECT: Duration = Duration::from_secs(5);

/// A pod that is proxied to accepts a connection within this time (`DialContext` of the API server's proxy: 30 s).
pub const PROXY_CONNECT: Duration = Duration::from_secs(30);

/// How often the node is measured for `kubectl top`: the `--metric-resolution` of metrics-server's manifest. Reading 100
/// pods takes some 20 ms.
pub const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// A container that is younger has a rate that says little (`freshContainerMinMetricsResolution` of metrics-server).
pub const FRESH_MIN: Duration = Duration::from_secs(10);

/// Files of one folder that are counted for `/stats/summary`: a volume with more than these would hold its reader up for
/// seconds.
pub const COUNTED_FILES_MAX: u64 = 100_000;

/// When a node ends, its pods have their grace, and this to be killed and cleared away; what is left then is removed by
/// force.
pub const RETIRE_AFTER_GRACE: Duration = Duration::from_secs(10);
