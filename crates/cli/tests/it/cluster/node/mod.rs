//! The node as people meet it: real containers, in a network namespace of the test's own.
//!
//! Where each point of the node is proved. A name in italics is a scenario of `fixtures/cluster/node`, whose answers a real
//! kubelet with containerd has given; `compared` holds this node to them.
//!
//! | point | proof |
//! |---|---|
//! | a pod runs, has an address, says why it fails | `pods`, *runs* |
//! | init and sidecar order | *init-order*, *init-fails*, `pods::init_containers_and_jobs_come_to_an_end` |
//! | restart policies, back-off | *restart-policies*, *crash-loop* |
//! | startup, readiness, liveness by exec, HTTP, TCP | *probes-exec*, *probes-http*, *probes-tcp* |
//! | hooks | *hooks* |
//! | graceful and slow termination, deadlines | *grace*, `pods::probes_and_grace_are_kept` |
//! | termination messages | *last-words* |
//! | OOM, exit codes, classes of service, limits as seen inside | *limits* |
//! | limit of processes | `hostile::containers_that_mean_harm_harm_themselves` |
//! | configMap, secret, downwardAPI, projected as files, subPath | *files* |
//! | live update through the atomic link | *live-update* |
//! | emptyDir and its limits | *folders* (memory), *too-much* (disk) |
//! | hostPath, fsGroup | *folders*; what is missing: *volumes-missing* |
//! | claims, local-path, WaitForFirstConsumer | `volumes` |
//! | securityContext, writes to /proc, mounts | *security* |
//! | environment, expansion | *environment* |
//! | /etc/hosts, resolv.conf | *names* |
//! | readiness gates, shared processes | *gates* |
//! | quota exceeded | *quota* |
//! | logs, exec, attach, cp, port-forward | `streams` |
//! | DNS from a pod: A, SRV, PTR, CNAME, search path, headless | `network::pods_find_each_other_by_name` |
//! | ClusterIP, NodePort, LoadBalancer, hairpin | `network::services_reach_their_pods` |
//! | Ingress with TLS of a Secret, HTTP/2 | `network::the_ingress_leads_in` |
//! | websockets through the Ingress | `other_protocols_pass_after_a_switch` of deploy-cluster-net |
//! | bad image, no such program | *images*, *no-program* |
//! | corrupt layer, wrong digest, escaping tar, no platform, config no JSON | `hostile::broken_images_fail_alone` |
//! | full disk in an unpack | `hostile::a_full_disk_fails_one_pull` |
//! | a cgroup that cannot be made | `hostile::a_cgroup_that_cannot_be_made_is_tried_again` |
//! | fork bomb, log flood | `hostile::containers_that_mean_harm_harm_themselves` |
//! | links and races in volumes | `hostile::a_link_in_a_volume_leads_nobody_out` |
//! | 100 pods at once | `pods::a_hundred_pods_run` |
//! | restart and kill -9 of the server with pods alive | `restart`, `volumes` |
//! | two clusters side by side | `leaves::two_clusters_live_side_by_side` |
//! | `cluster down` after a crash leaves nothing | `leaves::down_after_a_crash_leaves_nothing`, and the end of every test here |

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod compared;
mod hostile;
mod leaves;
mod machine;
mod measures;
mod network;
mod pods;
mod restart;
mod streams;
mod volumes;
