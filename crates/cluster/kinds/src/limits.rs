//! Bounds of this crate, each with its reason.

/// Longest DNS label; RFC 1035 2.3.4.
pub const LABEL_MAX: usize = 63;
/// Longest DNS name; RFC 1035 2.3.4, less the dot and the length byte.
pub const SUBDOMAIN_MAX: usize = 253;
/// Longest name part of a qualified name; upstream chose the length of a DNS label.
pub const QUALIFIED_NAME_MAX: usize = 63;
/// Longest value of a label; the same reason.
pub const LABEL_VALUE_MAX: usize = 63;
/// Longest name of a port; RFC 6335 5.1.
pub const PORT_NAME_MAX: usize = 15;
/// All annotations of an object together, in bytes (`apimachinery/pkg/api/validation TotalAnnotationSizeLimitB`).
pub const ANNOTATIONS_MAX_BYTES: usize = 256 * 1024;
/// Longest name of a field manager (`FieldManagerMaxLength`).
pub const FIELD_MANAGER_MAX: usize = 128;
/// Longest name of a subresource in managedFields (`MaxSubresourceNameLength`).
pub const SUBRESOURCE_MAX: usize = 256;
/// All data of a ConfigMap or Secret, in bytes (`core.MaxSecretSize`): an object must fit into one storage entry.
pub const CONFIG_DATA_MAX_BYTES: usize = 1024 * 1024;
/// Largest power of ten of a quantity in exponent form; the amounts hold 38 digits, so beyond it all are the same.
pub const QUANTITY_MAX_EXPONENT: i64 = 1000;
/// Longest name of an image without tag and digest (`distribution/reference NameTotalLengthMax`).
pub const IMAGE_NAME_MAX: usize = 255;
/// Longest name of a sysctl (`SysctlMaxLength`).
pub const SYSCTL_NAME_MAX: usize = 253;
/// Largest GMSA credential spec of a Windows container, in KiB (`maxGMSACredentialSpecLengthInKiB`).
pub const GMSA_SPEC_MAX_KIB: usize = 64;
/// A Windows domain is shorter than this (`maxRunAsUserNameDomainLength`).
pub const WINDOWS_DOMAIN_MAX: usize = 256;
/// Longest name of a Windows user (`maxRunAsUserNameUserLength`).
pub const WINDOWS_USER_MAX: usize = 104;
/// Name servers of a pod's DNS configuration (`MaxDNSNameservers`), as glibc reads them.
pub const DNS_NAMESERVERS_MAX: usize = 3;
/// Search paths of a pod's DNS configuration (`MaxDNSSearchPaths`).
pub const DNS_SEARCHES_MAX: usize = 32;
/// The search list written out (`MaxDNSSearchListChars`).
pub const DNS_SEARCH_CHARS_MAX: usize = 2048;
/// Longest `hostnameOverride`: the kernel's limit.
pub const HOSTNAME_OVERRIDE_MAX: usize = 64;
/// How far ahead the next time of a schedule is looked for, in years: 29 February comes within it (`cron/v3 spec.go`).
pub const SCHEDULE_YEARS_MAX: i16 = 5;
/// Pods at once of a Job whose pods have indexes (`maxParallelismForIndexedJob`).
pub const JOB_PARALLELISM_MAX: i64 = 100_000;
/// Failed indexes that a Job may wait for (`maxFailedIndexesForIndexedJob`).
pub const FAILED_INDEXES_MAX: i64 = 100_000;
/// Completions above which the status of a Job gets long (`completionsSoftLimit`).
pub const JOB_COMPLETIONS_SOFT_MAX: i64 = 100_000;
/// What such a Job may run at once, and how many may fail (`parallelismLimitForHighCompletions`).
pub const JOB_HIGH_COMPLETIONS_MAX: i64 = 10_000;
/// Rules of a Job's failure or success policy, and conditions of a rule.
pub const POLICY_RULES_MAX: usize = 20;
/// Longest list of indexes of a success policy, in bytes.
pub const SUCCEEDED_INDEXES_MAX: usize = 64 * 1024;
