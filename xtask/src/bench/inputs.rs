//! Inputs that are made, not stored: an umbrella chart, one Service, thousands of resources.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository;

fn folder(name: &str) -> Result<PathBuf, String> {
    let path = repository::root().join("target/bench").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(path)
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().expect("every file of a bench is in its folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|e| format!("{}: {e}", path.display()))
}

/// A chart of `count` subcharts in the manner of public charts: names by include, labels by include and toYaml, values
/// that are templates themselves (`tpl`), a Deployment, a Service and a ConfigMap each.
pub fn umbrella(count: usize) -> Result<PathBuf, String> {
    let root = folder("umbrella")?;
    let mut chart = "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n".to_owned();
    let mut values = "global:\n  registry: registry.example.com\n  labels:\n    team: shop\n".to_owned();
    for n in 0..count {
        write!(
            chart,
            "- name: part{n}\n  version: 1.0.0\n  condition: part{n}.enabled\n"
        )
        .expect("writing to a string cannot fail");
        write!(values, "part{n}:\n  enabled: true\n  replicas: {}\n", n % 5 + 1)
            .expect("writing to a string cannot fail");
        subchart(&root.join(format!("charts/part{n}")), n)?;
    }
    put(&root.join("Chart.yaml"), &chart)?;
    put(&root.join("values.yaml"), &values)?;
    Ok(root)
}

fn subchart(root: &Path, n: usize) -> Result<(), String> {
    put(
        &root.join("Chart.yaml"),
        &format!("apiVersion: v2\nname: part{n}\nversion: 1.0.0\nappVersion: \"2.{n}\"\n"),
    )?;
    let mut settings = String::new();
    for key in 0..20 {
        writeln!(
            settings,
            "  key{key}: '{{{{ .Release.Name }}}}-{{{{ include \"part{n}.fullname\" . }}}}-{key}'"
        )
        .expect("writing to a string cannot fail");
    }
    put(
        &root.join("values.yaml"),
        &format!(
            "enabled: true\nreplicas: 1\nimage:\n  repository: shop/part{n}\n  tag: ''\nresources:\n  requests:\n    cpu: 10m\n    memory: 16Mi\n\
             annotations:\n  checksum: '{{{{ include \"part{n}.fullname\" . | sha256sum }}}}'\nsettings:\n{settings}"
        ),
    )?;
    put(
        &root.join("templates/_helpers.tpl"),
        &HELPERS.replace("PART", &format!("part{n}")),
    )?;
    put(
        &root.join("templates/objects.yaml"),
        &OBJECTS.replace("PART", &format!("part{n}")),
    )
}

const HELPERS: &str = r#"{{- define "PART.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "PART.fullname" -}}
{{- $name := include "PART.name" . -}}
{{- if contains $name .Release.Name -}}{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}{{- end -}}
{{- end -}}
{{- define "PART.render" -}}
{{- if typeIs "string" .value }}{{ tpl .value .context }}{{ else }}{{ tpl (toYaml .value) .context }}{{ end -}}
{{- end -}}
{{- define "PART.labels" -}}
app.kubernetes.io/name: {{ include "PART.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.global.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
"#;

const OBJECTS: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "PART.fullname" . }}
  labels: {{- include "PART.labels" . | nindent 4 }}
  annotations: {{- include "PART.render" (dict "value" .Values.annotations "context" $) | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {{- include "PART.labels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "PART.labels" . | nindent 8 }}
    spec:
      containers:
      - name: {{ .Chart.Name }}
        image: {{ printf "%s/%s:%s" .Values.global.registry .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
        env:
        {{- range $key, $value := .Values.settings }}
        - name: {{ $key | upper | quote }}
          value: {{ include "PART.render" (dict "value" $value "context" $) | quote }}
        {{- end }}
        resources: {{- toYaml .Values.resources | nindent 10 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "PART.fullname" . }}
  labels: {{- include "PART.labels" . | nindent 4 }}
data: {{- include "PART.render" (dict "value" .Values.settings "context" $) | nindent 2 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "PART.fullname" . }}
  labels: {{- include "PART.labels" . | nindent 4 }}
spec:
  selector: {{- include "PART.labels" . | nindent 4 }}
  ports:
  - port: 80
"#;

/// A kustomization of one Service.
pub fn one_service() -> Result<PathBuf, String> {
    let root = folder("one-service")?;
    put(
        &root.join("kustomization.yaml"),
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- service.yaml\n",
    )?;
    put(
        &root.join("service.yaml"),
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector:\n    app: web\n  ports:\n  - port: 80\n",
    )?;
    Ok(root)
}

/// `count` resources, half of them Deployments that name one of the ConfigMaps, with a prefix, labels, an image and a
/// JSON patch for all Deployments.
pub fn many_resources(count: usize) -> Result<PathBuf, String> {
    let root = folder(&format!("resources-{count}"))?;
    put(
        &root.join("kustomization.yaml"),
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: shop-\nresources:\n- all.yaml\nlabels:\n- pairs:\n    \
         team: shop\n  includeSelectors: true\nimages:\n- name: shop/web\n  newTag: '2.0'\npatches:\n- target:\n    kind: Deployment\n  patch: |-\n    \
         - op: replace\n      path: /spec/replicas\n      value: 3\n",
    )?;
    let mut all = String::new();
    for n in 0..count / 2 {
        write!(
            all,
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{n}\ndata:\n  currency: USD\n  number: '{n}'\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{n}\nspec:\n  replicas: 1\n  selector:\n    matchLabels:\n      app: web-{n}\n  \
             template:\n    metadata:\n      labels:\n        app: web-{n}\n    spec:\n      containers:\n      - name: web\n        image: shop/web:1.0\n        \
             envFrom:\n        - configMapRef:\n            name: settings-{n}\n---\n"
        )
        .expect("writing to a string cannot fail");
    }
    put(&root.join("all.yaml"), &all)?;
    Ok(root)
}
