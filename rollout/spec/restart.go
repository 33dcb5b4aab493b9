package spec

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// Restart says what happens to a template that differs from the one before only
// in the time of its restart; see Unrestarted.
type Restart string

// The values of Restart.
const (
	RestartRolling Restart = "rolling" // the default: Kubernetes restarts the same version
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

// Unrestarted returns a copy of t without AnnotationRestartedAt. Two templates are
// the same version if this returns the same for both, as far as the API types of this
// program tell; Template has every field.
func Unrestarted(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	annotations := maps.Clone(t.Annotations)
	delete(annotations, AnnotationRestartedAt)
	t.Annotations = annotations
	return t
}
