//! What `--help` says about the verbs of helm, in both languages.

use deploy_model::Lang;

use crate::texts::CommandText;

/// The texts of a verb; nothing is `deploy helm` itself.
pub fn of(verb: &str, lang: Lang) -> &'static CommandText {
    let [en, zh] = match verb {
        "template" => &TEMPLATE,
        "lint" => &LINT,
        "show" => &SHOW,
        "show all" => &SHOW_ALL,
        "show chart" => &SHOW_CHART,
        "show crds" => &SHOW_CRDS,
        "show readme" => &SHOW_README,
        "show values" => &SHOW_VALUES,
        _ => &HELM,
    };
    match lang {
        Lang::En => en,
        Lang::Zh => zh,
    }
}

static HELM: [CommandText; 2] = [
    CommandText {
        about: "What helm does with a chart, without a cluster",
        long: "Renders, checks and shows charts, byte for byte as helm 4.3 does; with --helm-compat v3, as helm 3.19 does.",
        examples: "\
deploy helm template shop ./chart -f values/us.yaml
deploy helm lint ./chart
deploy helm show values ./chart",
    },
    CommandText {
        about: "不连接集群，完成 helm 对 chart 的工作",
        long: "渲染、检查和查看 chart，输出与 helm 4.3 逐字节一致；加上 --helm-compat v3 则与 helm 3.19 一致。",
        examples: "\
deploy helm template shop ./chart -f values/us.yaml
deploy helm lint ./chart
deploy helm show values ./chart",
    },
];

static TEMPLATE: [CommandText; 2] = [
    CommandText {
        about: "Render a chart as helm template does",
        long: "Renders the templates of a chart and prints the objects. Nothing is asked of a cluster.

Flags are those of helm:
  -f, --values FILE[,FILE]     files of values, later ones win
      --set K=V                a value; also --set-string, --set-file, --set-json, --set-literal
  -n, --namespace NAME         .Release.Namespace
  -s, --show-only PATTERN      only templates whose path matches (templates/*.yaml)
      --include-crds           the files of crds/, too
      --no-hooks, --skip-tests leave out all hooks, or those of helm test
      --is-upgrade             .Release.IsUpgrade
      --kube-version VERSION   .Capabilities.KubeVersion
  -a, --api-versions LIST      more of .Capabilities.APIVersions
      --name-template TEXT     a template for the release's name
      --output-dir FOLDER      one file for each template; --release-name adds a folder
      --skip-schema-validation do not look at values.schema.json
      --debug                  print what was rendered even where it is no YAML
      --helm-compat v3|v4      which helm to be equal to",
        examples: "\
deploy helm template shop ./chart -n prod-us -f values/us.yaml --set replicas=3

# One template only
deploy helm template shop ./chart -s templates/deployment.yaml

# As helm 3.19 prints it
deploy helm template shop ./chart --helm-compat v3",
    },
    CommandText {
        about: "与 helm template 一样渲染 chart",
        long: "渲染 chart 的模板并输出对象，不访问任何集群。

参数与 helm 相同：
  -f, --values FILE[,FILE]     values 文件，后面的优先
      --set K=V                单个取值；另有 --set-string、--set-file、--set-json、--set-literal
  -n, --namespace NAME         .Release.Namespace
  -s, --show-only PATTERN      只输出路径匹配的模板（templates/*.yaml）
      --include-crds           同时输出 crds/ 中的文件
      --no-hooks, --skip-tests 不输出任何 hook，或不输出 helm test 的 hook
      --is-upgrade             .Release.IsUpgrade
      --kube-version VERSION   .Capabilities.KubeVersion
  -a, --api-versions LIST      追加到 .Capabilities.APIVersions
      --name-template TEXT     用模板生成 release 名称
      --output-dir FOLDER      每个模板写一个文件；--release-name 会多一层目录
      --skip-schema-validation 不校验 values.schema.json
      --debug                  即使渲染结果不是 YAML 也输出
      --helm-compat v3|v4      与哪个版本的 helm 保持一致",
        examples: "\
deploy helm template shop ./chart -n prod-us -f values/us.yaml --set replicas=3

# 只看一个模板
deploy helm template shop ./chart -s templates/deployment.yaml

# 按 helm 3.19 的格式输出
deploy helm template shop ./chart --helm-compat v3",
    },
];

static LINT: [CommandText; 2] = [
    CommandText {
        about: "Find what is wrong with a chart, as helm lint does",
        long: "Checks a chart: [ERROR] will not work, [WARNING] may not, [INFO] is worth a thought.

Flags are those of helm:
  -f, --values, --set...       values, as for deploy helm template
      --strict                 warnings count as errors
      --quiet                  only warnings and errors
      --with-subcharts         the charts below charts/, too
      --kube-version VERSION   for deprecated kinds and .Capabilities
      --skip-schema-validation do not look at values.schema.json",
        examples: "deploy helm lint ./chart --strict --kube-version 1.34",
    },
    CommandText {
        about: "与 helm lint 一样找出 chart 的问题",
        long: "检查 chart：[ERROR] 无法工作，[WARNING] 可能出错，[INFO] 值得留意。

参数与 helm 相同：
  -f, --values, --set...       取值，与 deploy helm template 相同
      --strict                 警告视为错误
      --quiet                  只显示警告和错误
      --with-subcharts         同时检查 charts/ 下的 chart
      --kube-version VERSION   用于判断已弃用的类型和 .Capabilities
      --skip-schema-validation 不校验 values.schema.json",
        examples: "deploy helm lint ./chart --strict --kube-version 1.34",
    },
];

static SHOW: [CommandText; 2] = [
    CommandText {
        about: "Show what is in a chart",
        long: "",
        examples: "deploy helm show all ./chart",
    },
    CommandText {
        about: "查看 chart 的内容",
        long: "",
        examples: "deploy helm show all ./chart",
    },
];

static SHOW_ALL: [CommandText; 2] = [
    CommandText {
        about: "Definition, values, README and CRDs",
        long: "",
        examples: "deploy helm show all ./chart",
    },
    CommandText {
        about: "定义、values、README 和 CRD",
        long: "",
        examples: "deploy helm show all ./chart",
    },
];

static SHOW_CHART: [CommandText; 2] = [
    CommandText {
        about: "The definition (Chart.yaml)",
        long: "",
        examples: "deploy helm show chart ./chart",
    },
    CommandText {
        about: "定义（Chart.yaml）",
        long: "",
        examples: "deploy helm show chart ./chart",
    },
];

static SHOW_CRDS: [CommandText; 2] = [
    CommandText {
        about: "The files of crds/",
        long: "",
        examples: "deploy helm show crds ./chart",
    },
    CommandText {
        about: "crds/ 中的文件",
        long: "",
        examples: "deploy helm show crds ./chart",
    },
];

static SHOW_README: [CommandText; 2] = [
    CommandText {
        about: "The README",
        long: "",
        examples: "deploy helm show readme ./chart",
    },
    CommandText {
        about: "README 文件",
        long: "",
        examples: "deploy helm show readme ./chart",
    },
];

static SHOW_VALUES: [CommandText; 2] = [
    CommandText {
        about: "The default values (values.yaml)",
        long: "",
        examples: "\
deploy helm show values ./chart
deploy helm show values ./chart --jsonpath '{.image.tag}'",
    },
    CommandText {
        about: "默认取值（values.yaml）",
        long: "",
        examples: "\
deploy helm show values ./chart
deploy helm show values ./chart --jsonpath '{.image.tag}'",
    },
];
