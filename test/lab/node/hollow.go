package node

import (
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

// syncHollow marks pod as running and ready, or removes it when it is to be deleted.
// It keeps nothing in memory: the address is in the pod's status, and is not reused.
func (a *Agent) syncHollow(pod *corev1.Pod) error {
	if pod.DeletionTimestamp != nil {
		return remove(a.ctx, a.Client, pod)
	}
	if pod.Status.PodIP != "" {
		return nil
	}
	address, err := a.addresses.take()
	if err != nil {
		return err
	}
	now := metav1.Now().Rfc3339Copy()
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, HostIP: a.Host.String(), StartTime: &now,
		PodIP: address.String(), PodIPs: []corev1.PodIP{{IP: address.String()}},
		Conditions: conditions(nil, true),
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return patchStatus(a.ctx, a.Client, pod, status)
}
