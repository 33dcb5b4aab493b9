package node

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// writeStatusUntil writes the pod's status whenever it changes. When the containers have
// ended it tries until the last status is stored: nothing writes it later.
func (r *runner) writeStatusUntil(ended <-chan struct{}) {
	for {
		select {
		case <-r.changed:
			r.writeStatus()
		case <-ended:
			for !r.writeStatus() && r.ctx.Err() == nil {
				time.Sleep(retryDelay)
			}
			return
		}
	}
}

// writeStatus returns whether the API server has the status. If not, it must be tried
// again.
func (r *runner) writeStatus() (stored bool) {
	status := r.status()
	if equality.Semantic.DeepEqual(status, r.written) {
		return true
	}
	if err := patchStatus(r.ctx, r.agent.Client, r.pod, status); err != nil {
		time.AfterFunc(retryDelay, func() {
			select {
			case r.changed <- struct{}{}:
			default:
			}
		})
		return false
	}
	r.written = status
	return true
}

// patchStatus writes status. It ignores a pod that is gone or was replaced.
func patchStatus(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, status corev1.PodStatus) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// status returns the status of the pod, from the state of its containers.
func (r *runner) status() corev1.PodStatus {
	var containers []corev1.ContainerStatus
	for _, c := range r.containers {
		containers = append(containers, c.current())
	}
	s := corev1.PodStatus{
		Phase:             phase(containers),
		HostIP:            r.agent.Host.String(),
		ContainerStatuses: containers,
		StartTime:         r.written.StartTime,
	}
	if s.StartTime == nil {
		now := metav1.Now().Rfc3339Copy()
		s.StartTime = &now
	}
	if r.network != nil {
		s.PodIP = r.address.String()
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
	s.Conditions = conditions(r.written.Conditions, allReady(containers))
	return s
}

func allReady(containers []corev1.ContainerStatus) bool {
	for _, c := range containers {
		if !c.Ready {
			return false
		}
	}
	return true
}

// phase follows the kubelet: Pending until every container has started once.
func phase(containers []corev1.ContainerStatus) corev1.PodPhase {
	ended, failed := 0, false
	for _, c := range containers {
		if c.State.Waiting != nil && c.LastTerminationState.Terminated == nil {
			return corev1.PodPending
		}
		if t := c.State.Terminated; t != nil {
			ended++
			failed = failed || t.ExitCode != 0
		}
	}
	switch {
	case ended < len(containers):
		return corev1.PodRunning
	case failed:
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}

// conditions returns the conditions of a pod whose containers are all ready, or not. A
// condition that has not changed since old keeps its time.
func conditions(old []corev1.PodCondition, ready bool) []corev1.PodCondition {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	all := []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
		{Type: corev1.ContainersReady, Status: status},
		{Type: corev1.PodReady, Status: status},
	}
	now := metav1.Now().Rfc3339Copy()
	for i := range all {
		all[i].LastTransitionTime = now
		for _, was := range old {
			if was.Type == all[i].Type && was.Status == all[i].Status {
				all[i].LastTransitionTime = was.LastTransitionTime
			}
		}
	}
	return all
}
