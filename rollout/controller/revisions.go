package controller

import (
	"cmp"
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/headgate/headgate/rollout/spec"
)

// annotationTemplateIdentity holds the identity of the template that Slim removed from
// a ReplicaSet. It exists in memory only.
const annotationTemplateIdentity = "headgate.dev/template"

// The annotations by which the Deployment controller numbers ReplicaSets.
const (
	annotationRevision        = "deployment.kubernetes.io/revision"
	annotationRevisionHistory = "deployment.kubernetes.io/revision-history"
)

// Slim removes the template of rs and keeps its identity, by which versions are told
// apart. A second call changes nothing.
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

// revisionsAgo returns Stable.RevisionsAgo: how many versions ago the template of the
// Deployment was stable. 0: it was not, or nobody asks. sets are the ReplicaSets of the
// Deployment. A version that was restarted has several of them and counts once, with
// its first revision. Example, for the template of v1:
//
//	ReplicaSet         revision  has pods
//	v1                 1         no
//	v2                 2         no
//	v2, restarted      3         no
//	v3                 4         yes
//
// v3 runs. v1 and v2 are older than v3 and not older than v1: 2 versions ago.
func (s *snapshot) revisionsAgo(sets []appsv1.ReplicaSet) int {
	if s.SpecErr != nil || s.Spec.RollbackWindow == 0 {
		return 0
	}
	first := map[string]int64{} // the first revision of each version
	for i := range sets {
		version, revision := s.versionOf(replicaSetIdentity(&sets[i])), firstRevision(&sets[i])
		if earlier, ok := first[version]; !ok || revision < earlier {
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

// firstRevision returns the revision with which rs was created. 0: it has none. The
// present revision does not say when rs was stable: as soon as the Deployment asks for
// that template, held or not, the Deployment controller gives rs the highest revision
// (getNewReplicaSet) and appends the old one to the history. With revision 4 and
// history "1,3" the first revision is 1.
func firstRevision(rs *appsv1.ReplicaSet) int64 {
	first, _, _ := strings.Cut(rs.Annotations[annotationRevisionHistory], ",")
	return parseRevision(cmp.Or(first, rs.Annotations[annotationRevision]))
}

// parseRevision returns 0 for a text that is no revision.
func parseRevision(text string) int64 {
	revision, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return revision
}

// hasPods says whether rs has pods or should have some.
func hasPods(rs *appsv1.ReplicaSet) bool { return *rs.Spec.Replicas > 0 || rs.Status.Replicas > 0 }

// replicaSetIdentity returns the identity of the template of rs, also after Slim.
func replicaSetIdentity(rs *appsv1.ReplicaSet) string {
	if len(rs.Spec.Template.Spec.Containers) == 0 {
		return rs.Annotations[annotationTemplateIdentity]
	}
	return templateIdentity(rs.Spec.Template)
}

// templateIdentity returns the fingerprint of t and the time of its last restart, with a
// slash between them.
func templateIdentity(t corev1.PodTemplateSpec) string {
	return withRestart(fingerprint(withoutHashLabel(t)), t)
}

// withRestart returns the identity of t, which has this fingerprint.
func withRestart(fingerprint string, t corev1.PodTemplateSpec) string {
	return fingerprint + "/" + t.Annotations[spec.AnnotationRestartedAt]
}

// versionOf returns the part of identity in which two versions differ: without the
// restart, unless the user wants a canary for restarts. See sameVersion.
func (s *snapshot) versionOf(identity string) string {
	if s.Spec.Restart == spec.RestartRolling {
		identity, _, _ = strings.Cut(identity, "/")
	}
	return identity
}

// withoutHashLabel returns a copy of t without pod-template-hash, which only the
// template of a ReplicaSet has.
func withoutHashLabel(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	labels := maps.Clone(t.Labels)
	delete(labels, appsv1.DefaultDeploymentUniqueLabelKey)
	t.Labels = labels
	return t
}
