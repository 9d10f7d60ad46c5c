//! Why an object is as healthy as it is, for people.

use deploy_model::Lang;

/// One reason a variant, so that each can be said in each language; what the cluster says itself is kept in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing to tell.
    Fine,
    /// It was deleted and is not gone.
    Ending,
    /// Its controller has not seen the newest spec.
    Stale,
    /// A rollout that somebody has paused.
    Paused,
    /// A Job that is not to run now.
    Suspended,
    /// Pods of the new version that are made, of those that are wanted.
    Updated {
        /// Made.
        count: i64,
        /// Wanted.
        wanted: i64,
    },
    /// Pods of the old version that are not gone.
    Old {
        /// Still there.
        count: i64,
    },
    /// Pods that are available, of those that should be.
    Available {
        /// Available.
        count: i64,
        /// Wanted.
        wanted: i64,
    },
    /// A rollout that has not come forward for as long as it may.
    DeadlineExceeded,
    /// A StatefulSet's new revision is above the partition only.
    Partitioned {
        /// New.
        count: i64,
        /// Wanted above the partition.
        wanted: i64,
    },
    /// The load balancer has given no address.
    NoAddress,
    /// A container and what it ended with.
    Exited {
        /// Its name.
        container: String,
        /// Its exit code.
        code: i64,
    },
    /// The cluster's own words: a reason of one word and a sentence; either may be missing.
    Told {
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
    },
}

impl Reason {
    pub(crate) fn told(reason: &str, message: &str) -> Reason {
        if reason.is_empty() && message.is_empty() {
            return Reason::Fine;
        }
        Reason::Told {
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    /// The reason as a sentence without its full stop; empty where there is nothing to tell.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.english(),
            Lang::Zh => self.chinese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Reason::Fine => String::new(),
            Reason::Ending => "Deleted, and not gone yet".to_owned(),
            Reason::Stale => "Its controller has not seen the newest version yet".to_owned(),
            Reason::Paused => "Paused".to_owned(),
            Reason::Suspended => "Job suspended".to_owned(),
            Reason::Updated { count, wanted } => format!("{count} of {wanted} new pods are made"),
            Reason::Old { count } => format!("{count} old pods are still ending"),
            Reason::Available { count, wanted } => format!("{count} of {wanted} pods are available"),
            Reason::DeadlineExceeded => "No progress within the rollout's deadline".to_owned(),
            Reason::Partitioned { count, wanted } => {
                format!("{count} of {wanted} pods above the partition are new")
            }
            Reason::NoAddress => "Waiting for an address".to_owned(),
            Reason::Exited { container, code } => {
                format!("Container {container} ended with exit code {code}")
            }
            Reason::Told { reason, message } => told(reason, message),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Reason::Fine => String::new(),
            Reason::Ending => "已删除，尚未清理完".to_owned(),
            Reason::Stale => "控制器还没有看到最新版本".to_owned(),
            Reason::Paused => "已暂停".to_owned(),
            Reason::Suspended => "Job 已挂起".to_owned(),
            Reason::Updated { count, wanted } => format!("新 Pod 已创建 {count}/{wanted}"),
            Reason::Old { count } => format!("还有 {count} 个旧 Pod 正在结束"),
            Reason::Available { count, wanted } => format!("可用 Pod {count}/{wanted}"),
            Reason::DeadlineExceeded => "在发布期限内没有进展".to_owned(),
            Reason::Partitioned { count, wanted } => format!("分区以上的新 Pod {count}/{wanted}"),
            Reason::NoAddress => "正在等待分配地址".to_owned(),
            Reason::Exited { container, code } => format!("容器 {container} 退出，退出码 {code}"),
            Reason::Told { reason, message } => told(reason, message),
        }
    }
}

fn told(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", text) | (text, "") => text.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cluster_says_is_kept_in_its_words() {
        let told = Reason::told("ImagePullBackOff", "no such image");
        for lang in Lang::ALL {
            assert_eq!(told.text(lang), "ImagePullBackOff: no such image");
        }
        assert_eq!(Reason::told("", "no such image").text(Lang::En), "no such image");
        assert_eq!(Reason::told("", ""), Reason::Fine);
    }
}
