//! A profile in the form of the OCI runtime specification (config-linux.md, "Seccomp"), and its compilation.
//!
//! seccompiler's filters know one action for what matches and one for what does not. A profile of several actions
//! becomes several filters; the kernel runs all of them and takes the strictest answer, and of two error numbers the
//! one of the filter that was installed last (seccomp(2)).

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use serde::{Deserialize, Serialize};

use super::table::numbers;
use crate::error::SandboxError;
use crate::limits::MAX_FILTER_INSTRUCTIONS;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    pub(super) default_action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default_errno_ret: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) architectures: Vec<String>,
    #[serde(default)]
    pub(super) syscalls: Vec<Calls>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calls {
    pub(super) names: Vec<String>,
    pub(super) action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) errno_ret: Option<u32>,
    #[serde(default)]
    pub(super) args: Option<Vec<Argument>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Argument {
    pub(super) index: u8,
    pub(super) value: u64,
    #[serde(default)]
    pub(super) value_two: u64,
    pub(super) op: String,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

impl Profile {
    pub(crate) fn compile(&self) -> Result<Vec<BpfProgram>, SandboxError> {
        let numbers = numbers();
        let default = action(&self.default_action, self.default_errno_ret)?;
        // Rules by what they ask for; an order that does not depend on hashes.
        let mut groups: Vec<(SeccompAction, Rules)> = Vec::new();
        for calls in &self.syscalls {
            let wanted = action(&calls.action, calls.errno_ret)?;
            if wanted == default {
                continue;
            }
            let place = match groups.iter().position(|(known, _)| *known == wanted) {
                Some(place) => place,
                None => {
                    groups.push((wanted, Rules::new()));
                    groups.len() - 1
                }
            };
            let conditions = conditions(calls.args.as_deref().unwrap_or_default())?;
            for number in calls.names.iter().filter_map(|name| numbers.get(name.as_str())) {
                add(&mut groups[place].1, *number, &conditions)?;
            }
        }
        if default == SeccompAction::Allow {
            return groups
                .into_iter()
                .map(|(wanted, rules)| program(rules, SeccompAction::Allow, wanted))
                .collect();
        }
        // What matches any rule passes the first filter; the others then decide about what is not simply allowed.
        let mut passing = Rules::new();
        for (_, rules) in &groups {
            for (number, chain) in rules {
                merge(&mut passing, *number, chain);
            }
        }
        let mut programs = vec![program(passing, default, SeccompAction::Allow)?];
        for (wanted, rules) in groups {
            if wanted != SeccompAction::Allow {
                programs.push(program(rules, SeccompAction::Allow, wanted)?);
            }
        }
        Ok(programs)
    }
}

/// A call without conditions matches always, whatever else is said of it.
fn add(rules: &mut Rules, number: i64, conditions: &[SeccompCondition]) -> Result<(), SandboxError> {
    let chain = if conditions.is_empty() {
        Vec::new()
    } else {
        vec![SeccompRule::new(conditions.to_vec()).map_err(refused)?]
    };
    merge(rules, number, &chain);
    Ok(())
}

fn merge(rules: &mut Rules, number: i64, chain: &[SeccompRule]) {
    match rules.get_mut(&number) {
        Some(known) if known.is_empty() => {}
        Some(known) if chain.is_empty() => known.clear(),
        Some(known) => known.extend_from_slice(chain),
        None => {
            rules.insert(number, chain.to_vec());
        }
    }
}

fn conditions(arguments: &[Argument]) -> Result<Vec<SeccompCondition>, SandboxError> {
    arguments
        .iter()
        .map(|argument| {
            let (operator, value) = match argument.op.as_str() {
                "SCMP_CMP_NE" => (SeccompCmpOp::Ne, argument.value),
                "SCMP_CMP_LT" => (SeccompCmpOp::Lt, argument.value),
                "SCMP_CMP_LE" => (SeccompCmpOp::Le, argument.value),
                "SCMP_CMP_EQ" => (SeccompCmpOp::Eq, argument.value),
                "SCMP_CMP_GE" => (SeccompCmpOp::Ge, argument.value),
                "SCMP_CMP_GT" => (SeccompCmpOp::Gt, argument.value),
                "SCMP_CMP_MASKED_EQ" => (SeccompCmpOp::MaskedEq(argument.value), argument.value_two),
                other => {
                    return Err(SandboxError::Invalid(format!(
                        "seccomp: unknown operator {other:?}"
                    )));
                }
            };
            SeccompCondition::new(argument.index, SeccompCmpArgLen::Qword, operator, value).map_err(refused)
        })
        .collect()
}

fn action(name: &str, errno: Option<u32>) -> Result<SeccompAction, SandboxError> {
    let errno = errno.unwrap_or(libc::EPERM as u32);
    Ok(match name {
        "SCMP_ACT_ALLOW" => SeccompAction::Allow,
        "SCMP_ACT_ERRNO" => SeccompAction::Errno(errno),
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => SeccompAction::KillThread,
        "SCMP_ACT_KILL_PROCESS" => SeccompAction::KillProcess,
        "SCMP_ACT_TRAP" => SeccompAction::Trap,
        "SCMP_ACT_LOG" => SeccompAction::Log,
        "SCMP_ACT_TRACE" => SeccompAction::Trace(errno),
        other => {
            return Err(SandboxError::Invalid(format!(
                "seccomp: unknown action {other:?}"
            )));
        }
    })
}

fn program(
    rules: Rules,
    mismatch: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(refused)?;
    let program: BpfProgram = SeccompFilter::new(rules, mismatch, matched, architecture)
        .map_err(refused)?
        .try_into()
        .map_err(refused)?;
    if program.len() > MAX_FILTER_INSTRUCTIONS {
        return Err(SandboxError::Limit(format!(
            "the seccomp profile has {} instructions, the kernel takes {MAX_FILTER_INSTRUCTIONS}",
            program.len()
        )));
    }
    Ok(program)
}

fn refused(error: seccompiler::BackendError) -> SandboxError {
    SandboxError::Invalid(format!("seccomp: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(text: &str) -> Result<Vec<BpfProgram>, SandboxError> {
        serde_json::from_str::<Profile>(text).unwrap().compile()
    }

    #[test]
    fn each_action_beside_the_default_is_a_filter() {
        let programs = compile(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
                {"names": ["read", "write", "not_a_call"], "action": "SCMP_ACT_ALLOW"},
                {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
                 "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
        );
        assert_eq!(programs.unwrap().len(), 2);
    }

    #[test]
    fn what_denies_some_is_a_filter_too() {
        let programs = compile(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}"#,
        );
        assert_eq!(programs.unwrap().len(), 1);
        assert_eq!(
            compile(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).unwrap().len(),
            0
        );
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for text in [
            r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_LIKE"}]}]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 9, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
        ] {
            let error = compile(text).unwrap_err();
            assert!(matches!(error, SandboxError::Invalid(_)), "{error}");
        }
    }
}
