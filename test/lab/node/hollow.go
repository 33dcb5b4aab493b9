package node

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hollow returns whether pod needs no process.
func (a *Agent) hollow(pod *corev1.Pod) bool {
	for _, c := range pod.Spec.Containers {
		if program, err := a.Program(c.Image); err != nil || !program.Hollow {
			return false
		}
	}
	return true
}

// syncHollow marks pod as running and ready, or removes it when it is to be deleted. A pod
// whose readiness probe has an initialDelaySeconds becomes ready that much later.
// It keeps nothing in memory: the address is in the pod's status, and is not reused.
func (a *Agent) syncHollow(pod *corev1.Pod) error {
	if pod.DeletionTimestamp != nil {
		return remove(a.ctx, a.Client, pod)
	}
	delay := initialDelay(pod)
	if pod.Status.PodIP == "" {
		address, err := a.addresses.take()
		if err != nil {
			return err
		}
		now := metav1.Now().Rfc3339Copy()
		status := corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: a.Host.String(), StartTime: &now,
			PodIP: address.String(), PodIPs: []corev1.PodIP{{IP: address.String()}},
		}
		return a.writeHollow(pod, status, delay == 0)
	}
	if slices.ContainsFunc(pod.Status.Conditions, isReady) {
		return nil
	}
	// The stored start has whole seconds. The pod is up to one second late, never early.
	if left := time.Until(pod.Status.StartTime.Add(delay + time.Second)); left > 0 {
		a.queue.AddAfter(pod.Namespace+"/"+pod.Name, left)
		return nil
	}
	return a.writeHollow(pod, pod.Status, true)
}

// writeHollow writes status, completed by the conditions and the containers.
func (a *Agent) writeHollow(pod *corev1.Pod, status corev1.PodStatus, ready bool) error {
	status.Conditions = conditions(pod.Status.Conditions, ready)
	status.ContainerStatuses = nil
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, Ready: ready, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: *status.StartTime}},
		})
	}
	return patchStatus(a.ctx, a.Client, pod, status)
}

func isReady(c corev1.PodCondition) bool {
	return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
}

// initialDelay is the longest time that a readiness probe of pod waits before it asks.
func initialDelay(pod *corev1.Pod) time.Duration {
	var delay time.Duration
	for _, c := range pod.Spec.Containers {
		if c.ReadinessProbe != nil {
			delay = max(delay, time.Duration(c.ReadinessProbe.InitialDelaySeconds)*time.Second)
		}
	}
	return delay
}
