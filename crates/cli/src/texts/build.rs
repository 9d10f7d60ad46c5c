//! What the builder says, in both languages.

use super::CommandText;

/// Flags and messages of `deploy build` and `deploy image base`.
#[allow(missing_docs, reason = "the English text says what each is")]
pub struct BuildWords {
    pub context: &'static str,
    pub file: &'static str,
    pub tag: &'static str,
    pub target: &'static str,
    pub build_arg: &'static str,
    pub secret: &'static str,
    pub push: &'static str,
    pub output: &'static str,
    pub no_cache: &'static str,
    pub pull: &'static str,
    pub platform: &'static str,
    pub epoch: &'static str,
    pub quiet: &'static str,
    pub no_reference: &'static str,
    pub no_pair: &'static str,
    pub no_secret: &'static str,
    pub secret_unreadable: &'static str,
    pub no_epoch: &'static str,
    pub other_platform: &'static str,
    pub push_without_tag: &'static str,
    pub cached: &'static str,
    pub pulling: &'static str,
    pub pushing: &'static str,
    pub unused: &'static str,
    pub summary: &'static str,
    pub suite: &'static str,
    pub name: &'static str,
    pub include: &'static str,
    pub making: &'static str,
}

pub const BUILD_EN: CommandText = CommandText {
    about: "Build an image from a Dockerfile",
    long: "Builds an image from a Dockerfile, without a daemon, and keeps it with the images of this machine's cluster: a pod can \
           use it at once. Steps run in sandboxes, as root; only what a step has written becomes a layer. Steps whose input has \
           not changed are not carried out again. Names go to stdout, talk to stderr.",
    examples: "\
# The Dockerfile of this folder
deploy build -t shop/web:1.0.0 .

# One stage of another file, with an argument and a secret that is in no layer
deploy build -f docker/api.Dockerfile --target api --build-arg VERSION=7 --secret id=npm,src=.npmrc -t shop/api:7 .

# To the registry, and as a file; equal input gives equal bytes
deploy build -t 127.0.0.1:7050/shop/web:1.0.0 --push --output web.tar --source-date-epoch 1700000000 .",
};

pub const IMAGE_EN: CommandText = CommandText {
    about: "Images of this machine",
    long: "",
    examples: "\
# A Debian to build on
deploy image base debian",
};

pub const BASE_EN: CommandText = CommandText {
    about: "Make a base image from the packages of a distribution",
    long: "Makes a small image of Debian with mmdebstrap and the package sources of this machine, so that no registry is needed \
           to build on. It is kept under the name debian and its suite. Only packages that are essential, and apt, are in it.",
    examples: "\
# debian:bookworm
deploy image base debian

# With more packages, under another name
deploy image base debian --suite bookworm --include ca-certificates,curl --name base/web:1",
};

pub const EN: BuildWords = BuildWords {
    context: "The folder that COPY takes files from",
    file: "The Dockerfile; else Dockerfile in the folder",
    tag: "A name of the image; may be repeated",
    target: "The stage that becomes the image; else the last one",
    build_arg: "An argument, NAME=VALUE; NAME alone takes it from the environment; may be repeated",
    secret: "A secret for RUN --mount=type=secret: id=NAME,src=FILE or id=NAME,env=VARIABLE; may be repeated",
    push: "Push every name to its registry",
    output: "Write the image as an OCI archive",
    no_cache: "Carry every step out",
    pull: "Ask the registries for base images, even if they are here",
    platform: "What the image is for; only this machine's own",
    epoch: "No time in the image is later, in seconds of Unix: equal input gives equal bytes (SOURCE_DATE_EPOCH)",
    quiet: "Say nothing but errors",
    no_reference: "{name} is no name of an image",
    no_pair: "{argument} is neither NAME=VALUE nor a variable of the environment",
    no_secret: "{secret} is not of the form id=NAME,src=FILE or id=NAME,env=VARIABLE",
    secret_unreadable: "The secret {id} cannot be read: {reason}",
    no_epoch: "{value} is no number of seconds",
    other_platform: "Images are built for {own}, not for {asked}",
    push_without_tag: "--push needs a name: -t HOST/NAME:TAG",
    cached: "unchanged",
    pulling: "Fetching {name}",
    pushing: "Pushing {name}",
    unused: "No stage declares the arguments: {names}",
    summary: "Built in {seconds} s: {layers} layers, {size}; {cached} of {steps} steps unchanged.",
    suite: "The release of the distribution",
    name: "The name of the image; else the distribution and its suite",
    include: "Packages to add, with commas between them; may be repeated",
    making: "Making {name} with mmdebstrap; this takes a minute or two.",
};

pub const BUILD_ZH: CommandText = CommandText {
    about: "用 Dockerfile 构建镜像",
    long: "无需守护进程，直接用 Dockerfile 构建镜像，并存入本机集群的镜像目录，Pod 可立即使用。\
           构建步骤以 root 身份在沙箱中运行，只有该步骤写入的内容会成为一层；输入没有变化的步骤不会重复执行。\
           镜像名输出到 stdout，其余信息输出到 stderr。",
    examples: "\
# 构建当前目录的 Dockerfile
deploy build -t shop/web:1.0.0 .

# 构建另一个文件中的某个阶段，传入参数，以及不会进入任何层的密钥
deploy build -f docker/api.Dockerfile --target api --build-arg VERSION=7 --secret id=npm,src=.npmrc -t shop/api:7 .

# 推送到镜像仓库，同时写成文件；输入相同则字节相同
deploy build -t 127.0.0.1:7050/shop/web:1.0.0 --push --output web.tar --source-date-epoch 1700000000 .",
};

pub const IMAGE_ZH: CommandText = CommandText {
    about: "本机的镜像",
    long: "",
    examples: "\
# 制作一个 Debian 基础镜像
deploy image base debian",
};

pub const BASE_ZH: CommandText = CommandText {
    about: "用发行版的软件包制作基础镜像",
    long: "用 mmdebstrap 和本机的软件源制作精简的 Debian 镜像，构建时无需任何镜像仓库。\
           镜像名为 debian 加版本代号，只包含必需的软件包和 apt。",
    examples: "\
# 得到 debian:bookworm
deploy image base debian

# 加入更多软件包，并另取名称
deploy image base debian --suite bookworm --include ca-certificates,curl --name base/web:1",
};

pub const ZH: BuildWords = BuildWords {
    context: "COPY 取文件的目录",
    file: "Dockerfile 的路径；默认为目录中的 Dockerfile",
    tag: "镜像名；可重复",
    target: "作为镜像的阶段；默认为最后一个",
    build_arg: "构建参数，格式 NAME=VALUE；只写 NAME 时取自环境变量；可重复",
    secret: "供 RUN --mount=type=secret 使用的密钥：id=NAME,src=FILE 或 id=NAME,env=VARIABLE；可重复",
    push: "把每个镜像名推送到其镜像仓库",
    output: "把镜像写成 OCI 归档",
    no_cache: "执行所有步骤，不使用缓存",
    pull: "即使本机已有基础镜像，也向镜像仓库查询",
    platform: "镜像的目标平台；只支持本机平台",
    epoch: "镜像中的时间不晚于该时刻（Unix 秒）：输入相同则字节相同（SOURCE_DATE_EPOCH）",
    quiet: "除错误外不输出信息",
    no_reference: "{name} 不是有效的镜像名",
    no_pair: "{argument} 既不是 NAME=VALUE，也不是环境变量",
    no_secret: "{secret} 不符合格式 id=NAME,src=FILE 或 id=NAME,env=VARIABLE",
    secret_unreadable: "无法读取密钥 {id}：{reason}",
    no_epoch: "{value} 不是秒数",
    other_platform: "只能为 {own} 构建镜像，不支持 {asked}",
    push_without_tag: "--push 需要镜像名：-t HOST/NAME:TAG",
    cached: "无变化",
    pulling: "正在获取 {name}",
    pushing: "正在推送 {name}",
    unused: "没有阶段声明这些参数：{names}",
    summary: "构建完成，用时 {seconds} 秒：共 {layers} 层，{size}；{steps} 个步骤中 {cached} 个无变化。",
    suite: "发行版的版本代号",
    name: "镜像名；默认为发行版加版本代号",
    include: "要加入的软件包，用逗号分隔；可重复",
    making: "正在用 mmdebstrap 制作 {name}，需要一两分钟。",
};
