//! Pods in memory: a world that does what the engine asks for, and says so in a line each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::back_off::after;
use super::{
    CreateError, Effect, Engine, Exit, Found, Hook, ImageFacts, Input, Pod, PullFailure, SandboxUp, Survivor,
};
use crate::probe::{Kind, Outcome};

struct Play {
    engine: Engine,
    object: Value,
    now: Timestamp,
    log: Vec<String>,
    /// What the next pulls are answered; then images are there.
    pulls: VecDeque<PullFailure>,
    creations: VecDeque<CreateError>,
    starts: VecDeque<String>,
    /// Whether hooks end by themselves.
    hooks: bool,
    /// Whether a container ends when it is asked to.
    obedient: bool,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

fn object(spec: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": 1},
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    })
}

fn main_container() -> Value {
    json!({"name": "main", "image": "img"})
}

impl Play {
    fn new(spec: Value) -> Play {
        Play::of(object(spec), |_| {})
    }

    fn of(object: Value, prepare: impl FnOnce(&mut Engine)) -> Play {
        let pod = Pod::read(&Arc::new(object.clone()));
        let mut engine = Engine::new(pod, "192.0.2.1", at(0));
        prepare(&mut engine);
        Play {
            engine,
            object,
            now: at(0),
            log: Vec::new(),
            pulls: VecDeque::new(),
            creations: VecDeque::new(),
            starts: VecDeque::new(),
            hooks: true,
            obedient: true,
        }
    }

    fn begin(mut self) -> Play {
        self.give(Input::Tick);
        self
    }

    /// Gives an input, and does all that follows from it.
    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.engine.step(input, self.now) {
                self.carry_out(effect, &mut inputs);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, inputs: &mut VecDeque<Input>) {
        match effect {
            Effect::PrepareVolumes => inputs.push_back(Input::Volumes(Ok(()))),
            Effect::CreateSandbox => {
                self.log.push("sandbox".to_owned());
                inputs.push_back(Input::Sandbox(Ok(SandboxUp {
                    address: "10.0.0.2".to_owned(),
                })));
            }
            Effect::EnsureImage { container } => {
                let image = ImageFacts {
                    name: "img:latest".to_owned(),
                    id: "sha256:1".to_owned(),
                    stop_signal: String::new(),
                };
                let result = self.pulls.pop_front().map_or(Ok(image), Err);
                inputs.push_back(Input::Image { container, result });
            }
            Effect::Create { id, .. } => {
                let result = self.creations.pop_front().map_or(Ok(Value::Null), Err);
                inputs.push_back(Input::Created { id, result });
            }
            Effect::Start { id } => {
                self.log.push(format!("start {id}"));
                let result = self.starts.pop_front().map_or(Ok(self.now), Err);
                inputs.push_back(Input::Started { id, result });
            }
            Effect::Hook { id, hook, .. } => {
                self.log.push(format!("{hook:?} {id}"));
                if self.hooks {
                    inputs.push_back(Input::Hook {
                        id,
                        hook,
                        result: Ok(()),
                    });
                }
            }
            Effect::Probe { id, kind, .. } => self.log.push(format!("{kind} {id}?")),
            Effect::Terminate { id, signal } => {
                self.log
                    .push(format!("terminate {id} {signal}").trim_end().to_owned());
                if self.obedient {
                    inputs.push_back(self.exited(&id, 143));
                }
            }
            Effect::Kill { id } => {
                self.log.push(format!("kill {id}"));
                inputs.push_back(self.exited(&id, 137));
            }
            Effect::Remove { id } => self.log.push(format!("remove {id}")),
            Effect::Clean => {
                self.log.push("clean".to_owned());
                inputs.push_back(Input::Cleaned(Ok(())));
            }
            Effect::Delete => {
                self.log.push(format!(
                    "delete, {}",
                    self.engine.status()["phase"].as_str().unwrap_or_default()
                ));
                inputs.push_back(Input::Gone);
            }
            Effect::Event { reason, message, .. } => self.log.push(format!("{reason}: {message}")),
        }
    }

    fn exited(&self, id: &str, code: i32) -> Input {
        let exit = Exit {
            code,
            reason: String::new(),
            message: String::new(),
            at: self.now,
        };
        Input::Exited {
            id: id.to_owned(),
            exit,
        }
    }

    fn exit(&mut self, id: &str, code: i32) {
        let input = self.exited(id, code);
        self.give(input);
    }

    fn answer(&mut self, id: &str, kind: Kind, good: bool) {
        let outcome = if good {
            Outcome::Success
        } else {
            Outcome::Failure("no".to_owned())
        };
        self.give(Input::Probed {
            id: id.to_owned(),
            kind,
            outcome,
        });
    }

    /// Time goes by; the engine is woken when it wants to.
    fn pass(&mut self, seconds: u64) {
        let until = after(self.now, Duration::from_secs(seconds));
        while let Some(wake) = self.engine.wake().filter(|wake| *wake <= until) {
            assert!(wake >= self.now, "nobody is woken in the past");
            let before = (wake, self.log.len());
            self.now = wake;
            self.give(Input::Tick);
            assert!(
                self.engine.wake() != Some(before.0) || self.log.len() > before.1,
                "an engine that is woken makes progress"
            );
        }
        self.now = until;
    }

    fn delete(&mut self, grace: i64) {
        self.object["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
        self.object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        let pod = Pod::read(&Arc::new(self.object.clone()));
        self.give(Input::Pod(Box::new(pod)));
    }

    /// What has happened since the last time it was asked.
    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn phase(&self) -> &str {
        self.engine.status()["phase"]
            .as_str()
            .expect("there is always one")
    }

    fn container(&self, name: &str) -> &Value {
        let status = self.engine.status();
        let lists = ["containerStatuses", "initContainerStatuses"].map(|list| status[list].as_array());
        let mut all = lists.into_iter().flatten().flatten();
        all.find(|status| status["name"] == name)
            .expect("it has a status")
    }

    fn condition(&self, name: &str) -> String {
        let conditions = self.engine.status()["conditions"].as_array().expect("a list");
        let found = conditions
            .iter()
            .find(|condition| condition["type"] == name)
            .expect("it is there");
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("status"), text("reason"), text("message"))
            .trim_end()
            .to_owned()
    }
}

#[test]
fn a_pod_that_is_new_waits_and_then_runs() {
    let mut play = Play::new(json!({"containers": [main_container()]}));
    let waits = play.engine.compute_status(at(0));
    assert_eq!(
        waits["containerStatuses"][0]["state"],
        json!({"waiting": {"reason": "ContainerCreating"}})
    );
    assert_eq!(waits["containerStatuses"][0]["imageID"], "");
    assert_eq!(waits["phase"], "Pending");
    play.give(Input::Tick);
    assert_eq!(
        play.log(),
        [
            "sandbox",
            "Created: Created container: main",
            "start main.0",
            "Started: Started container main"
        ]
    );
    assert_eq!(play.phase(), "Running");
    let status = play.container("main");
    assert_eq!(status["state"]["running"]["startedAt"], "2023-11-14T22:13:20Z");
    assert_eq!(status["containerID"], "deploy://u.main.0");
    assert_eq!(status["imageID"], "sha256:1");
    assert_eq!(
        (&status["ready"], &status["started"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(play.engine.status()["podIP"], "10.0.0.2");
    for name in [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ] {
        assert_eq!(play.condition(name), "True");
    }
}

#[test]
fn conditions_say_what_is_waited_for() {
    let object = object(
        json!({"containers": [main_container(), {"name": "b"}], "readinessGates": [{"conditionType": "g"}]}),
    );
    let mut play = Play::of(object, |_| {});
    let status = play.engine.compute_status(at(0));
    let ready = &status["conditions"][2];
    assert_eq!(ready["message"], "containers with unready status: [main b]");
    assert_eq!(ready["lastProbeTime"], Value::Null);
    play.give(Input::Tick);
    let gate =
        "False ReadinessGatesNotReady corresponding condition of pod readiness gate \"g\" does not exist.";
    assert_eq!(play.condition("Ready"), gate);
    play.object["status"]["conditions"] = json!([{"type": "g", "status": "True"}]);
    let pod = Pod::read(&Arc::new(play.object.clone()));
    play.give(Input::Pod(Box::new(pod)));
    assert_eq!(play.condition("Ready"), "True");
    assert_eq!(
        play.engine.status()["conditions"][0]["type"],
        "g",
        "those of others stay"
    );
}

#[test]
fn a_crash_loop_waits_longer_each_time() {
    let mut play = Play::new(json!({"containers": [main_container()]})).begin();
    play.log();
    play.exit("main.0", 1);
    assert_eq!(
        play.log(),
        [
            "Created: Created container: main",
            "remove main.0",
            "start main.1",
            "Started: Started container main"
        ]
    );
    assert_eq!(
        play.container("main")["lastState"]["terminated"]["reason"],
        "Error"
    );
    play.exit("main.1", 1);
    assert_eq!(
        play.log(),
        ["BackOff: Back-off restarting failed container main in pod p_n(u)"]
    );
    let status = play.container("main");
    assert_eq!(
        status["state"]["waiting"],
        json!({"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=main pod=p_n(u)"})
    );
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(status["restartCount"], 1);
    assert_eq!(play.phase(), "Running");
    assert_eq!(
        play.condition("Ready"),
        "False ContainersNotReady containers with unready status: [main]"
    );
    play.pass(9);
    assert_eq!(play.log().len(), 0);
    play.pass(1);
    assert_eq!(play.container("main")["restartCount"], 2);
    play.exit("main.2", 0);
    let told = play.container("main")["state"]["waiting"]["message"]
        .as_str()
        .expect("it waits");
    assert!(told.starts_with("back-off 20s "), "{told}");
}

#[test]
fn a_job_succeeds_or_fails() {
    for (policy, code, phase, reason) in [
        ("Never", 0, "Succeeded", "False PodCompleted"),
        ("Never", 3, "Failed", "False PodFailed"),
        ("OnFailure", 0, "Succeeded", "False PodCompleted"),
    ] {
        let mut play = Play::new(json!({"containers": [main_container()], "restartPolicy": policy})).begin();
        play.log();
        play.exit("main.0", code);
        assert_eq!(play.log(), ["clean"]);
        assert_eq!((play.phase(), play.condition("Ready").as_str()), (phase, reason));
        assert_eq!(play.condition("PodReadyToStartContainers"), "False");
        assert_eq!(play.engine.status()["podIP"], "10.0.0.2");
        assert!(!play.engine.is_over());
        play.delete(30);
        assert_eq!(play.log(), [format!("delete, {phase}")]);
        assert!(play.engine.is_over());
    }
}

#[test]
fn init_containers_run_one_after_the_other_and_again_when_they_fail() {
    let spec = json!({"containers": [main_container()], "initContainers": [{"name": "a"}, {"name": "b"}]});
    let mut play = Play::new(spec).begin();
    assert_eq!(play.phase(), "Pending");
    assert_eq!(
        play.container("main")["state"]["waiting"]["reason"],
        "PodInitializing"
    );
    assert_eq!(
        play.condition("Initialized"),
        "False ContainersNotInitialized containers with incomplete status: [a b]"
    );
    play.exit("a.0", 1);
    assert_eq!(play.container("a")["restartCount"], 1);
    play.exit("a.1", 0);
    assert_eq!(play.container("a")["ready"], true);
    assert_eq!(
        play.condition("Initialized"),
        "False ContainersNotInitialized containers with incomplete status: [b]"
    );
    play.log();
    play.exit("b.0", 0);
    assert_eq!(play.log()[1], "start main.0");
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.condition("Initialized"), "True");
    play.exit("main.0", 1);
    assert_eq!(play.container("b")["restartCount"], 0, "what is done is done");
    assert_eq!(play.container("main")["restartCount"], 1);
}

#[test]
fn an_init_container_that_fails_for_good_fails_the_pod() {
    let spec = json!({"containers": [main_container()], "initContainers": [{"name": "a"}], "restartPolicy": "Never"});
    let mut play = Play::new(spec).begin();
    play.exit("a.0", 2);
    assert_eq!(play.phase(), "Failed");
    assert_eq!(play.container("a")["state"]["terminated"]["exitCode"], 2);
    assert_eq!(
        play.container("main")["state"]["waiting"]["reason"],
        "PodInitializing"
    );
}

#[test]
fn sidecars_begin_first_and_end_last() {
    let sidecar = |name: &str| json!({"name": name, "restartPolicy": "Always"});
    let mut first = sidecar("first");
    first["startupProbe"] = json!({"exec": {"command": ["x"]}, "periodSeconds": 1});
    let spec = json!({"containers": [main_container()], "initContainers": [first, sidecar("second")], "restartPolicy": "Never"});
    let mut play = Play::new(spec).begin();
    assert_eq!(play.log().last().map(String::as_str), Some("Startup first.0?"));
    assert_eq!(play.phase(), "Pending");
    play.answer("first.0", Kind::Startup, true);
    let started: Vec<String> = play
        .log()
        .into_iter()
        .filter(|line| line.starts_with("start "))
        .collect();
    assert_eq!(started, ["start second.0", "start main.0"]);
    assert_eq!(play.phase(), "Running");
    play.exit("second.0", 1);
    assert_eq!(play.container("second")["restartCount"], 1, "whatever the policy");
    play.log();
    play.exit("main.0", 0);
    let ends: Vec<String> = play
        .log()
        .into_iter()
        .filter(|line| !line.contains("Killing"))
        .collect();
    assert_eq!(ends, ["terminate second.1", "terminate first.0", "clean"]);
    assert_eq!(play.phase(), "Succeeded", "sidecars do not count");
}

#[test]
fn a_pod_ends_gracefully_and_then_by_force() {
    let spec = json!({"containers": [
        {"name": "main", "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}
    ], "terminationGracePeriodSeconds": 30});
    let mut play = Play::new(spec).begin();
    play.log();
    (play.hooks, play.obedient) = (false, false);
    play.delete(10);
    assert_eq!(play.log(), ["Killing: Stopping container main", "PreStop main.0"]);
    assert_eq!(play.phase(), "Running");
    play.pass(10);
    assert_eq!(play.log(), ["terminate main.0"], "the hook has used it all up");
    play.pass(1);
    assert_eq!(play.log().len(), 0);
    play.pass(1);
    assert_eq!(play.log(), ["kill main.0", "clean", "delete, Failed"]);
    assert_eq!(play.container("main")["state"]["terminated"]["exitCode"], 137);
    assert!(play.engine.is_over());
}

#[test]
fn a_shorter_grace_hurries_up() {
    let mut play = Play::new(json!({"containers": [main_container()]})).begin();
    play.log();
    play.obedient = false;
    play.delete(30);
    play.pass(5);
    assert_eq!(
        play.log(),
        ["Killing: Stopping container main", "terminate main.0"]
    );
    play.delete(1);
    assert_eq!(play.log(), ["kill main.0", "clean", "delete, Failed"]);
}

#[test]
fn liveness_restarts_and_the_text_says_so() {
    let probe = json!({"exec": {"command": ["x"]}, "periodSeconds": 1, "failureThreshold": 1});
    let spec =
        json!({"containers": [{"name": "main", "livenessProbe": probe}], "restartPolicy": "OnFailure"});
    let mut play = Play::new(spec).begin();
    play.log();
    play.obedient = false;
    play.answer("main.0", Kind::Liveness, false);
    assert_eq!(
        play.log(),
        [
            "Unhealthy: Liveness probe failed: no",
            "Killing: Container main failed liveness probe, will be restarted",
            "terminate main.0",
        ]
    );
    play.exit("main.0", 0);
    assert!(
        play.log().contains(&"start main.1".to_owned()),
        "also where it ended well"
    );
}

#[test]
fn readiness_only_takes_it_out() {
    let probe = json!({"exec": {"command": ["x"]}, "periodSeconds": 1, "failureThreshold": 1});
    let mut play = Play::new(json!({"containers": [{"name": "main", "readinessProbe": probe}]})).begin();
    assert_eq!(
        (
            &play.container("main")["ready"],
            &play.container("main")["started"]
        ),
        (&json!(false), &json!(true))
    );
    play.answer("main.0", Kind::Readiness, true);
    assert_eq!(play.condition("Ready"), "True");
    play.pass(1);
    play.answer("main.0", Kind::Readiness, false);
    assert_eq!(
        play.condition("Ready"),
        "False ContainersNotReady containers with unready status: [main]"
    );
    assert_eq!(play.container("main")["restartCount"], 0);
}

#[test]
fn a_bad_image_is_pulled_again_and_again() {
    let mut play = Play::new(json!({"containers": [main_container()]}));
    let failure = PullFailure {
        reason: "ErrImagePull".to_owned(),
        message: "not found".to_owned(),
        pulled: true,
    };
    play.pulls = VecDeque::from([failure.clone(), failure]);
    play.give(Input::Tick);
    assert_eq!(play.log(), ["sandbox", "Failed: Error: ErrImagePull"]);
    assert_eq!(
        play.container("main")["state"]["waiting"],
        json!({"reason": "ErrImagePull", "message": "not found"})
    );
    play.pass(2);
    assert_eq!(
        play.log(),
        [
            "BackOff: Back-off pulling image \"img\"",
            "Failed: Error: ImagePullBackOff"
        ]
    );
    assert_eq!(
        play.container("main")["state"]["waiting"],
        json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image \"img\": ErrImagePull: not found"})
    );
    play.pass(8);
    assert_eq!(play.log(), ["Failed: Error: ErrImagePull"]);
    play.pass(20);
    assert_eq!(play.phase(), "Running");
    assert_eq!(play.container("main")["restartCount"], 0);
}

#[test]
fn what_cannot_be_made_or_started_says_why() {
    let mut play = Play::new(json!({"containers": [main_container()]}));
    play.creations = VecDeque::from([CreateError::Config("configmap \"c\" not found".to_owned())]);
    play.starts = VecDeque::from(["exec: \"x\": not found".to_owned()]);
    play.give(Input::Tick);
    let waiting = &play.container("main")["state"]["waiting"];
    assert_eq!(
        waiting,
        &json!({"reason": "CreateContainerConfigError", "message": "configmap \"c\" not found"})
    );
    play.pass(10);
    let status = play.container("main");
    assert_eq!(status["state"]["waiting"]["reason"], "RunContainerError");
    assert_eq!(status["lastState"]["terminated"]["reason"], "StartError");
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 128);
    play.pass(10);
    assert_eq!(play.container("main")["restartCount"], 1);
    assert_eq!(play.phase(), "Running");
}

#[test]
fn a_post_start_hook_is_waited_for() {
    let spec = json!({"containers": [
        {"name": "main", "lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}, {"name": "next"}
    ]});
    let mut play = Play::new(spec);
    play.hooks = false;
    play.give(Input::Tick);
    assert_eq!(play.phase(), "Pending");
    assert!(!play.log().contains(&"start next.0".to_owned()));
    play.give(Input::Hook {
        id: "main.0".to_owned(),
        hook: Hook::PostStart,
        result: Err("no".to_owned()),
    });
    let log = play.log();
    assert_eq!(
        log[..3],
        [
            "FailedPostStartHook: PostStartHook failed",
            "Killing: FailedPostStartHook",
            "terminate main.0"
        ]
    );
    assert!(log.contains(&"start next.0".to_owned()));
}

#[test]
fn a_deadline_fails_the_pod() {
    let mut play = Play::new(json!({"containers": [main_container()], "activeDeadlineSeconds": 5})).begin();
    play.log();
    play.pass(5);
    assert_eq!(
        play.log(),
        [
            "DeadlineExceeded: Pod was active on the node longer than the specified deadline",
            "Killing: Stopping container main",
            "terminate main.0",
            "clean",
        ]
    );
    assert_eq!(play.phase(), "Failed");
    assert_eq!(play.engine.status()["reason"], "DeadlineExceeded");
}

#[test]
fn a_pod_that_uses_more_than_it_may_is_evicted() {
    let mut play = Play::new(json!({"containers": [main_container()], "terminationGracePeriodSeconds": 100}));
    play = play.begin();
    play.log();
    let message = "Usage of EmptyDir volume \"disk\" exceeds the limit \"1Mi\". ";
    play.give(Input::Evicted(message.to_owned()));
    assert_eq!(
        play.log(),
        [
            format!("Evicted: {message}").as_str(),
            "Killing: Stopping container main",
            "terminate main.0",
            "clean",
        ]
    );
    assert_eq!(play.phase(), "Failed");
    assert_eq!(play.engine.status()["reason"], "Evicted");
    assert_eq!(play.engine.status()["message"], message);
}

#[test]
fn a_server_that_comes_back_finds_its_containers() {
    let mut play = Play::new(json!({"containers": [main_container()]})).begin();
    play.exit("main.0", 1);
    let mut object = play.object.clone();
    object["status"] = play.engine.status().clone();
    let survivor = Survivor {
        address: "10.0.0.2".to_owned(),
        containers: vec![Found {
            id: "main.1".to_owned(),
            since: Some(at(0)),
            exit: None,
            image: ImageFacts::default(),
        }],
    };
    let before = object["status"].clone();
    let mut again = Play::of(object, |engine| engine.restore(Some(survivor), at(60))).begin();
    assert_eq!(again.log().len(), 0, "nothing is to be done");
    let status = again.engine.status();
    assert_eq!(status["containerStatuses"][0]["restartCount"], 1);
    assert_eq!(
        status["containerStatuses"][0]["state"],
        before["containerStatuses"][0]["state"]
    );
    assert_eq!(
        status["containerStatuses"][0]["lastState"],
        before["containerStatuses"][0]["lastState"]
    );
    assert_eq!(status["conditions"], before["conditions"]);
    again.exit("main.1", 1);
    assert_eq!(again.container("main")["restartCount"], 2);
}

#[test]
fn a_machine_that_comes_back_starts_its_pods_anew() {
    let mut play =
        Play::new(json!({"containers": [main_container()], "initContainers": [{"name": "a"}]})).begin();
    play.exit("a.0", 0);
    let mut object = play.object.clone();
    object["status"] = play.engine.status().clone();
    let mut again = Play::of(object, |engine| engine.restore(None, at(60))).begin();
    assert_eq!(again.log()[0], "sandbox");
    again.exit("a.1", 0);
    let status = again.container("main");
    assert_eq!(status["restartCount"], 1);
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 255);
    assert!(status["state"]["running"].is_object());
}

#[test]
fn a_lost_sandbox_is_made_anew() {
    let mut play = Play::new(json!({"containers": [main_container()]})).begin();
    play.log();
    play.give(Input::SandboxLost);
    let log = play.log();
    assert_eq!(
        log[0],
        "SandboxChanged: Pod sandbox changed, it will be killed and re-created."
    );
    assert_eq!(log[1], "sandbox");
    assert_eq!(play.container("main")["restartCount"], 1);
}

#[test]
fn a_pod_that_ended_before_is_only_cleaned_up() {
    let mut object = object(json!({"containers": [main_container()]}));
    object["status"]["phase"] = json!("Failed");
    object["status"]["reason"] = json!("Evicted");
    let mut play = Play::of(object, |engine| engine.restore(None, at(0))).begin();
    assert_eq!(play.log(), ["clean"]);
    assert_eq!(play.phase(), "Failed");
    assert_eq!(play.engine.status()["reason"], "Evicted");
}

#[test]
fn a_pod_that_is_gone_is_stopped_all_the_same() {
    let mut play = Play::new(json!({"containers": [main_container()]})).begin();
    play.log();
    play.give(Input::Gone);
    assert_eq!(
        play.log(),
        ["Killing: Stopping container main", "terminate main.0", "clean"]
    );
    assert!(play.engine.is_over());
}
