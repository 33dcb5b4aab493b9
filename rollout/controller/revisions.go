package controller

import (
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// annotationTemplateIdentity is on a ReplicaSet whose template Slim has dropped, in memory
// only: the identity of that template.
const annotationTemplateIdentity = "headgate.dev/template"

// Slim drops the template of rs and keeps what tells it from others. It is for
// the cache that a Reconciler reads, and for ReplicaSets without pods: there are
// ten of them for each Deployment. Doing it again changes nothing.
func Slim(rs *appsv1.ReplicaSet) {
	if len(rs.Spec.Template.Spec.Containers) == 0 {
		return
	}
	if rs.Annotations == nil {
		rs.Annotations = map[string]string{}
	}
	rs.Annotations[annotationTemplateIdentity] = templateIdentity(rs.Spec.Template)
	rs.Spec.Template = corev1.PodTemplateSpec{}
}

// revisionsAgo is Stable.RevisionsAgo, found in the ReplicaSets of the Deployment.
// It counts versions, of which one that was restarted has several ReplicaSets.
func (s *snapshot) revisionsAgo(sets []appsv1.ReplicaSet) int {
	if s.SpecErr != nil || s.Spec.RollbackWindow == 0 {
		return 0
	}
	first := map[string]int64{} // revision of each version
	for i := range sets {
		version, revision := s.versionOf(replicaSetIdentity(&sets[i])), firstRevision(&sets[i])
		if at, ok := first[version]; !ok || revision < at {
			first[version] = revision
		}
	}
	var running int64
	for i := range sets {
		if hasPods(&sets[i]) {
			running = max(running, first[s.versionOf(replicaSetIdentity(&sets[i]))])
		}
	}
	wanted, ago := first[s.versionOf(templateIdentity(s.dep.Spec.Template))], 0
	for _, revision := range first {
		if wanted > 0 && wanted <= revision && revision < running {
			ago++
		}
	}
	return ago
}

// firstRevision is the revision with which rs was created. 0: it has none. The
// present one does not say when rs was stable: it is raised above all others as
// soon as the Deployment asks for that template, held or not
// (getNewReplicaSet of the Deployment controller).
func firstRevision(rs *appsv1.ReplicaSet) int64 {
	first, _, _ := strings.Cut(rs.Annotations["deployment.kubernetes.io/revision-history"], ",")
	if first == "" {
		first = rs.Annotations["deployment.kubernetes.io/revision"]
	}
	revision, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0
	}
	return revision
}

// hasPods says whether rs has pods, or is to have some.
func hasPods(rs *appsv1.ReplicaSet) bool { return *rs.Spec.Replicas > 0 || rs.Status.Replicas > 0 }

func replicaSetIdentity(rs *appsv1.ReplicaSet) string {
	if len(rs.Spec.Template.Spec.Containers) == 0 {
		return rs.Annotations[annotationTemplateIdentity]
	}
	return templateIdentity(rs.Spec.Template)
}

// templateIdentity is the fingerprint of t, and when it was restarted.
func templateIdentity(t corev1.PodTemplateSpec) string {
	return fingerprint(withoutHashLabel(t)) + "/" + t.Annotations[spec.AnnotationRestartedAt]
}

// versionOf is as much of an identity as makes a version; see sameVersion.
func (s *snapshot) versionOf(identity string) string {
	if s.Spec.Restart == spec.RestartRolling {
		identity, _, _ = strings.Cut(identity, "/")
	}
	return identity
}

// withoutHashLabel returns t without the label that only the template of a ReplicaSet
// has. It leaves t alone.
func withoutHashLabel(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	labels := maps.Clone(t.Labels)
	delete(labels, appsv1.DefaultDeploymentUniqueLabelKey)
	t.Labels = labels
	return t
}
