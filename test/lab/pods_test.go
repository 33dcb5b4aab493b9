package lab_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

// onlyPod returns the pod of a Sample with one replica.
func onlyPod(t *testing.T, s lab.Sample) *corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	err := lab.Poll(within(t, 20*time.Second), func() error {
		if err := shared.Client().List(t.Context(), &pods, client.InNamespace(s.Namespace)); err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("%d pods, want 1", len(pods.Items))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return &pods.Items[0]
}

func TestKilledPodRestarts(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1"}
	deploy(t, s)
	pod := onlyPod(t, s)
	address := pod.Status.PodIP
	if err := shared.Node.KillPod(pod.Namespace, pod.Name); err != nil {
		t.Fatal(err)
	}
	err := shared.Await(within(t, 20*time.Second), pod, func() error {
		c := pod.Status.ContainerStatuses[0]
		if c.RestartCount != 1 || !c.Ready || c.LastTerminationState.Terminated.ExitCode != 137 {
			return fmt.Errorf("restarted %d times, ready %t; want one restart after exit code 137", c.RestartCount, c.Ready)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Status.PodIP != address {
		t.Errorf("a restart moved the pod from %s to %s", address, pod.Status.PodIP)
	}
}

func TestPodsThatDoNotWork(t *testing.T) {
	for sentence, c := range map[string]struct {
		image, reason string
		env           map[string]string
	}{
		"an unknown image waits with ErrImagePull":     {image: "example.org/none:1", reason: "ErrImagePull"},
		"a program that ends waits with its back-off":  {env: map[string]string{"CRASH_AFTER": "10ms"}, reason: "CrashLoopBackOff"},
		"a program with a wrong setting says so again": {env: map[string]string{"LATENCY": "soon"}, reason: "CrashLoopBackOff"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Env: c.env}
			dep := s.Deployment()
			if c.image != "" {
				dep.Spec.Template.Spec.Containers[0].Image = c.image
			}
			create(t, dep)
			pod := onlyPod(t, s)
			err := shared.Await(within(t, 20*time.Second), pod, func() error {
				for _, status := range pod.Status.ContainerStatuses {
					if w := status.State.Waiting; w != nil && w.Reason == c.reason {
						return nil
					}
				}
				return fmt.Errorf("container statuses %v, want one waiting with %s", pod.Status.ContainerStatuses, c.reason)
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNeverReadyPodIsNotReady(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1", Env: map[string]string{"NEVER_READY": "true"}}
	create(t, s.Deployment())
	pod := onlyPod(t, s)
	err := shared.Await(within(t, 20*time.Second), pod, func() error {
		if pod.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("phase %s, want Running", pod.Status.Phase)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // more than one period of its probe
	if err := shared.Client().Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
		t.Fatal(err)
	}
	if pod.Status.ContainerStatuses[0].Ready {
		t.Error("the pod is ready, though its probe never passed")
	}
}

func TestDeletedPodLeavesAfterItsProcess(t *testing.T) {
	t.Parallel()
	s := lab.Sample{Namespace: namespace(t), Name: "web", Version: "v1"}
	deploy(t, s)
	pod := onlyPod(t, s)
	start := time.Now()
	if err := shared.Client().Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if err := shared.AwaitGone(within(t, 20*time.Second), pod); err != nil {
		t.Fatal(err)
	}
	// The sample still serves for 4 seconds after SIGTERM; its grace period is 30 seconds.
	if took := time.Since(start); took < 4*time.Second || took > 28*time.Second {
		t.Errorf("the pod was gone after %s, want 4s to 28s", took)
	}
}
