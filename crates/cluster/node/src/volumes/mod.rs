//! Volumes of pods: configMap, secret, downwardAPI, projected, emptyDir, hostPath, persistent volume claims.
