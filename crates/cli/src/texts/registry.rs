//! What the registry says, in both languages.

use super::CommandText;

/// Flags and messages of `deploy run registry`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct RegistryWords {
    pub listen: &'static str,
    pub users: &'static str,
    pub anonymous: &'static str,
    pub external_url: &'static str,
    pub mutable_tags: &'static str,
    pub refuse_latest: &'static str,
    pub ready: &'static str,
    pub stopping: &'static str,
    pub stopped: &'static str,
}

pub const RUN_EN: CommandText = CommandText {
    about: "Run the image registry until it is told to stop",
    long: "Runs a registry of the OCI distribution specification 1.1: docker, podman, skopeo, crane and Kubernetes push and \
           pull. Its data are in the folder registry of the data folder. Tags that are a commit or a version do not move. On \
           loopback and without --users everybody on this machine may do everything.",
    examples: "\
# Start, and push from another terminal
deploy run registry
skopeo copy --dest-tls-verify=false oci:./image docker://127.0.0.1:7050/shop/web:1.0.0

# For others: accounts as htpasswd -B writes them, behind a proxy that has a certificate
deploy run registry --users users.htpasswd --external-url https://registry.example.com

# Nobody pushes latest to production
deploy run registry --refuse-latest 'prod/*'",
};

pub const EN: RegistryWords = RegistryWords {
    listen: "Where it listens, port 0 is any that is free; beyond loopback only with --users",
    users: "Accounts: a line for each, name:bcrypt, as htpasswd -B writes it; then : and what it may do, as in \
            shop/*=pull,push *=pull",
    anonymous: "What may be done without an account: nothing, pull from anywhere, or all from this machine",
    external_url: "The URL that clients use when something stands before the registry",
    mutable_tags: "Let tags move that are a commit or a version",
    refuse_latest: "Refuse the tag latest in this repository, * at its end for all that begin so; may be repeated",
    ready: "The registry listens on {address}.",
    stopping: "Stopping: what is under way comes to its end.",
    stopped: "The registry has stopped.",
};

pub const RUN_ZH: CommandText = CommandText {
    about: "运行镜像仓库，直到收到停止信号",
    long: "运行一个符合 OCI distribution 1.1 规范的镜像仓库，docker、podman、skopeo、crane 和 Kubernetes 都能推送和拉取。\
           数据存放在数据目录的 registry 子目录中。提交号和版本号形式的标签不可移动。\
           监听回环地址且未指定 --users 时，本机上的任何人都拥有全部权限。",
    examples: "\
# 启动后，在另一个终端中推送
deploy run registry
skopeo copy --dest-tls-verify=false oci:./image docker://127.0.0.1:7050/shop/web:1.0.0

# 供他人使用：账号由 htpasswd -B 生成，前面放一个带证书的代理
deploy run registry --users users.htpasswd --external-url https://registry.example.com

# 生产环境禁止推送 latest
deploy run registry --refuse-latest 'prod/*'",
};

pub const ZH: RegistryWords = RegistryWords {
    listen: "监听地址，端口 0 表示任意空闲端口；监听非回环地址时必须指定 --users",
    users: "账号文件：每行一个，格式为 name:bcrypt，即 htpasswd -B 的输出；其后可加 : 和权限，例如 shop/*=pull,push *=pull",
    anonymous: "无账号时的权限：没有、任何来源均可拉取、本机拥有全部权限",
    external_url: "镜像仓库前面还有代理时，客户端使用的 URL",
    mutable_tags: "允许移动提交号和版本号形式的标签",
    refuse_latest: "在该仓库中拒绝 latest 标签，末尾的 * 表示所有以此开头的仓库；可重复指定",
    ready: "镜像仓库正在监听 {address}。",
    stopping: "正在停止：等待进行中的请求完成。",
    stopped: "镜像仓库已停止。",
};
