//! Kustomize: a folder with a `kustomization.yaml` to resources.
