package status

import (
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// annotationRevision is where the Deployment controller writes the revision.
const annotationRevision = "deployment.kubernetes.io/revision"

// readVersions reads which versions run, and their pods.
func (r *reader) readVersions() {
	r.out.Stable = r.stable()
	if r.Canary == nil {
		return
	}
	canary := Version{
		Images: images(r.Canary.Spec.Template.Spec), Replicas: ptr.Deref(r.Canary.Spec.Replicas, 1),
		Available: r.Canary.Status.AvailableReplicas, Pods: r.podsOf(r.ReplicaSetsOf(r.Canary)),
	}
	r.out.Canary = &canary
}

// stable is the version of the ReplicaSet with pods: while a template is held, the one in
// the Deployment is not running.
func (r *reader) stable() Version {
	dep := r.Deployment
	v := Version{
		Replicas: ptr.Deref(dep.Spec.Replicas, 1), Available: dep.Status.AvailableReplicas,
		Revision: dep.Annotations[annotationRevision],
	}
	own := r.ReplicaSetsOf(dep)
	v.Pods = r.podsOf(own)
	for _, rs := range own {
		if rs.Status.Replicas > 0 || ptr.Deref(rs.Spec.Replicas, 0) > 0 {
			v.Images, v.Revision = images(rs.Spec.Template.Spec), rs.Annotations[annotationRevision]
			return v
		}
	}
	if r.out.Rollout == "" {
		v.Images = images(dep.Spec.Template.Spec)
	}
	return v
}

// RevisionNumber returns the revision of rs; 0 if it has none, as if it were the oldest.
func RevisionNumber(rs *appsv1.ReplicaSet) int {
	n, _ := strconv.Atoi(rs.Annotations[annotationRevision])
	return n
}

func images(pod corev1.PodSpec) []string {
	var names []string
	for _, c := range pod.Containers {
		names = append(names, c.Image)
	}
	return names
}

// podsOf returns the pods of some ReplicaSets, sorted by name.
func (r *reader) podsOf(sets []appsv1.ReplicaSet) []Pod {
	var pods []Pod
	for _, p := range r.Pods {
		if slices.ContainsFunc(sets, func(rs appsv1.ReplicaSet) bool { return metav1.IsControlledBy(&p, &rs) }) {
			pods = append(pods, describePod(&p))
		}
	}
	slices.SortFunc(pods, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

func describePod(p *corev1.Pod) Pod {
	pod := Pod{Name: p.Name, State: string(p.Status.Phase)}
	if p.Status.StartTime != nil {
		pod.Started = timeOf(*p.Status.StartTime)
	}
	for _, c := range p.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady:
			pod.Ready = c.Status == corev1.ConditionTrue
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			pod.State = c.Reason
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		pod.Restarts += c.RestartCount
		if c.State.Waiting != nil && c.State.Waiting.Reason != "" {
			pod.State = c.State.Waiting.Reason
		}
	}
	if p.DeletionTimestamp != nil {
		pod.State, pod.Ready = "Terminating", false
	}
	return pod
}

// weightIn returns the weight that an Ingress carries. nil: none of keys has a number.
func weightIn(annotations map[string]string, keys []string) *int {
	for _, key := range keys {
		if n, err := strconv.Atoi(annotations[key]); err == nil {
			return &n
		}
	}
	return nil
}

// timeOf is nil for a time that is not set.
func timeOf(t metav1.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return pointer(t.Time)
}

// pointer returns t in UTC.
func pointer(t time.Time) *time.Time { return ptr.To(t.UTC()) }
