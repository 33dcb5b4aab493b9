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

// observePodFailures finds why canary pods are not Available. It lists pods only while
// the rollout waits for some. The result is only shown in a message, so the rollout
// goes on if the list fails.
func (r *Reconciler) observePodFailures(ctx context.Context, s *snapshot) error {
	if s.waitsForStablePods() {
		return r.observeMissingPods(ctx, s)
	}
	if !s.waitsForPods() {
		return nil
	}
	if message := refusedPods(s.canaryDep); message != "" {
		s.Canary.Trouble = normalizeMessage(message, s.canaryDep.Name)
		return nil
	}
	var pods corev1.PodList
	selected := client.MatchingLabels(s.canaryDep.Spec.Selector.MatchLabels)
	if err := r.Live.List(ctx, &pods, client.InNamespace(s.canaryDep.Namespace), selected); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing canary pods", "namespace", s.canaryDep.Namespace, "deployment", s.canaryDep.Name)
	}
	s.Canary.Trouble = s.firstPodFailure(pods.Items)
	return nil
}

// refusedPods returns why the API server refuses pods of dep. "": it does not.
func refusedPods(dep *appsv1.Deployment) string {
	for _, c := range dep.Status.Conditions {
		noPods := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if noPods || c.Reason == "ReplicaSetCreateError" {
			return c.Message
		}
	}
	return ""
}

// waitsForPods says whether the rollout goes on and has fewer Available canary pods
// than it wants.
func (s *snapshot) waitsForPods() bool {
	c := s.Canary
	return c.StateErr == nil && c.State.Mode == rollout.ModeProgressing && c.Available < c.Replicas
}

// podFailure is one reason why a pod is not Available. The rank orders failures by when
// they occur on the way to a running container. The lowest rank is shown.
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

// firstPodFailure returns the failure of pods with the lowest rank. "": there is none.
// It names no pod, because pods are replaced.
func (s *snapshot) firstPodFailure(pods []corev1.Pod) string {
	var all []podFailure
	for i := range pods {
		if pod := &pods[i]; pod.DeletionTimestamp == nil && !isAvailable(pod, s.canaryDep, s.Now) {
			all = append(all, failuresOfPod(pod, "a canary pod")...)
		}
	}
	return normalizeMessage(lowestRank(all), s.canaryDep.Name)
}

// lowestRank returns the text of the failure with the lowest rank. "": there is no
// failure. Of two with the same rank it returns the first in alphabetical order: the
// order of pods in a list changes.
func lowestRank(all []podFailure) string {
	if len(all) == 0 {
		return ""
	}
	return slices.MinFunc(all, func(a, b podFailure) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.text, b.text))
	}).text
}

// isAvailable says whether a pod of dep has been Ready for minReadySeconds: with 3, a
// pod that is Ready since 10:00:00 is Available from 10:00:03 on. A pod without a probe
// that crashes every two seconds is Ready in between, but never Available. Without
// minReadySeconds no clock counts, as in Kubernetes: that of the node may be ahead.
func isAvailable(pod *corev1.Pod, dep *appsv1.Deployment, now time.Time) bool {
	wait := time.Duration(dep.Spec.MinReadySeconds) * time.Second
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && (wait == 0 || !c.LastTransitionTime.Add(wait).After(now))
	})
}

// failuresOfPod returns why pod is not Available, as far as its status says. name is
// what a message calls the pod.
func failuresOfPod(pod *corev1.Pod, name string) []podFailure {
	var all []podFailure
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			// The rest says why no other pod is evicted for this one.
			message, _, _ := strings.Cut(c.Message, " preemption: ")
			all = append(all, podFailure{notScheduled, name + " cannot be scheduled: " + message})
		}
	}
	for _, c := range pod.Status.InitContainerStatuses {
		if !c.Ready { // it is not done, or it is a sidecar that does not run
			all = append(all, failuresOfContainer(c)...)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		all = append(all, failuresOfContainer(c)...)
	}
	return all
}

// failuresOfContainer returns why a container does not run. It uses only what is the
// same in each attempt, so that the message does not change: a container that crashes
// is Terminated, waiting (CrashLoopBackOff) and running in turn, but each time it
// shows the exit code of the last attempt.
func failuresOfContainer(c corev1.ContainerStatus) []podFailure {
	if w := c.State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
			"ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
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
		text += ": " + last.Message // from the container runtime, not from the application
	}
	return []podFailure{{exited, text}}
}

// knownPullErrors maps words in the messages of registries and runtimes to a cause. The
// messages themselves differ in each attempt, for example in the port of a connection.
// The first entry that matches counts. Denied access comes first: for a private image
// a registry says both that access is denied and that the image may not exist.
var knownPullErrors = []struct {
	cause string
	words []string
}{
	{"access is denied, or there is no such repository", []string{"denied", "unauthorized", "authorization failed", "forbidden"}},
	{"there is no such image", []string{"not found", "manifest unknown"}},
	{"it is not built for the platform of the node", []string{"no match for platform", "no matching manifest"}},
	{"the certificate of the registry is not trusted", []string{"x509"}},
	{"the registry limits the number of pulls", []string{"toomanyrequests", "too many requests"}},
	{"the host name of the registry cannot be resolved", []string{"no such host"}},
	{"the registry does not answer", []string{"timeout", "deadline exceeded", "connection refused", "unavailable"}},
	{"the disk of the node is full", []string{"no space left"}},
	{"its signature is not accepted", []string{"signature"}},
}

// explainPullError returns the cause of w as the end of a sentence. "": it is not
// known. The result is the same after an attempt that failed (ErrImagePull) and while
// the kubelet waits for the next one (ImagePullBackOff): since Kubernetes 1.32 both
// messages have the cause (kubernetes/kubernetes#127918).
func explainPullError(w *corev1.ContainerStateWaiting) string {
	switch w.Reason {
	case "InvalidImageName":
		return ": the name of the image is not valid"
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
