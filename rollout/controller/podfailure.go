package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
)

// observePodFailures finds why canary pods that should be Available are not. Pods
// are listed only while some are missing. Nothing depends on the answer but a
// sentence, so where it cannot be had the rollout goes on without.
func (r *Reconciler) observePodFailures(ctx context.Context, s *snapshot) error {
	if !s.waitsForPods() {
		return nil
	}
	for _, c := range s.canaryDep.Status.Conditions {
		noPods := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if noPods || c.Reason == "ReplicaSetCreateError" {
			s.Canary.Trouble = normalizeMessage(c.Message, s.canaryDep.Name)
			return nil
		}
	}
	var pods corev1.PodList
	if err := r.Live.List(ctx, &pods, client.InNamespace(s.canaryDep.Namespace), client.MatchingLabels(s.canaryDep.Spec.Selector.MatchLabels)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing canary pods", "namespace", s.canaryDep.Namespace, "deployment", s.canaryDep.Name)
	}
	s.Canary.Trouble = s.firstPodFailure(pods.Items)
	return nil
}

func (s *snapshot) waitsForPods() bool {
	c := s.Canary
	return c.StateErr == nil && c.State.Stage == rollout.StageProgressing && c.Available < c.Replicas
}

// podFailure is one reason why a pod does not start. One that comes earlier on the
// way to a running container has the lower rank, and is told.
type podFailure struct {
	rank int
	text string
}

const (
	notScheduled = iota
	notPulled
	notCreated
	exited
)

// firstPodFailure is the first of the troubles of pods, whichever pods have it: pods
// are replaced, and their names mean nothing to anybody.
func (s *snapshot) firstPodFailure(pods []corev1.Pod) string {
	var all []podFailure
	for i := range pods {
		if pod := &pods[i]; pod.DeletionTimestamp == nil && !s.isAvailable(pod) {
			all = append(all, failuresOfPod(pod)...)
		}
	}
	if len(all) == 0 {
		return ""
	}
	first := slices.MinFunc(all, func(a, b podFailure) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.text, b.text))
	})
	return normalizeMessage(first.text, s.canaryDep.Name)
}

// isAvailable says whether pod is Available: Ready for long enough. One that crashes
// every few seconds is Ready in between, if it has no probe.
func (s *snapshot) isAvailable(pod *corev1.Pod) bool {
	wait := time.Duration(s.canaryDep.Spec.MinReadySeconds) * time.Second
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.Add(wait).After(s.Now)
	})
}

func failuresOfPod(pod *corev1.Pod) []podFailure {
	var all []podFailure
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			// What follows is why nothing is evicted for it.
			message, _, _ := strings.Cut(c.Message, " preemption: ")
			all = append(all, podFailure{notScheduled, "no node takes a canary pod: " + message})
		}
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if !c.Ready { // done, or beside the others
			all = append(all, failuresOfContainer(c)...)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		all = append(all, failuresOfContainer(c)...)
	}
	return all
}

// failuresOfContainer goes by what stays so from one attempt to the next: waiting
// for CrashLoopBackOff and running turn by turn, a container has always ended
// before.
func failuresOfContainer(c corev1.ContainerStatus) []podFailure {
	if w := c.State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
			return []podFailure{{notPulled, fmt.Sprintf("image %q of container %s cannot be pulled%s", c.Image, c.Name, explainPullError(w))}}
		case "CreateContainerConfigError", "CreateContainerError":
			return []podFailure{{notCreated, fmt.Sprintf("container %s cannot be created: %s", c.Name, w.Message)}}
		}
	}
	last := cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
	if last == nil {
		return nil
	}
	text := fmt.Sprintf("container %s ended with exit code %d (%s)", c.Name, last.ExitCode, last.Reason)
	if last.Reason == "StartError" || last.Reason == "ContainerCannotRun" {
		text += ": " + last.Message // the runtime's, not what the application wrote
	}
	return []podFailure{{exited, text}}
}

// pullCauses tell the errors of registries and runtimes apart by what they have
// in common: their texts differ from one attempt to the next, by the port of a
// connection. Refusals come first: a registry that hides what is private says of
// it that it may not exist, too.
var knownPullErrors = []struct {
	cause string
	words []string
}{
	{"access is denied, or there is no such repository", []string{"denied", "unauthorized", "authorization failed", "forbidden"}},
	{"there is no such image", []string{"not found", "manifest unknown"}},
	{"it is not made for this kind of node", []string{"no match for platform", "no matching manifest"}},
	{"the certificate of the registry is not trusted", []string{"x509"}},
	{"the registry limits the number of pulls", []string{"toomanyrequests", "too many requests"}},
	{"the registry is not known by that name", []string{"no such host"}},
	{"the registry does not answer", []string{"timeout", "deadline exceeded", "connection refused", "unavailable"}},
	{"the disk of the node is full", []string{"no space left"}},
	{"its signature is not accepted", []string{"signature"}},
}

// explainPullError reads the same from an attempt that failed as from the wait for the
// next: since Kubernetes 1.32 a kubelet says in both why
// (kubernetes/kubernetes#127918).
func explainPullError(w *corev1.ContainerStateWaiting) string {
	switch w.Reason {
	case "InvalidImageName":
		return ": that is no name of an image"
	case "ErrImageNeverPull":
		return ": it is not on the node, and imagePullPolicy is Never"
	}
	message := strings.ToLower(w.Message)
	for _, c := range knownPullErrors {
		if slices.ContainsFunc(c.words, func(word string) bool { return strings.Contains(message, word) }) {
			return ": " + c.cause
		}
	}
	return ""
}
