package spec

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// Restart is what becomes of a template that differs from the one before only
// by when it was restarted; see Unrestarted.
type Restart string

// What becomes of a restart.
const (
	RestartRolling Restart = "rolling" // the default: the same version, restarted as Kubernetes does it
	RestartCanary  Restart = "canary"  // held like any new template
)

func parseRestart(text string) (Restart, error) {
	switch r := Restart(text); r {
	case RestartRolling, RestartCanary:
		return r, nil
	default:
		return "", wrong(text, "a restart is rolling or canary")
	}
}

// Unrestarted returns t without AnnotationRestartedAt: two templates of which it
// returns the same are one version. It leaves t alone.
func Unrestarted(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	annotations := maps.Clone(t.Annotations)
	delete(annotations, AnnotationRestartedAt)
	t.Annotations = annotations
	return t
}
