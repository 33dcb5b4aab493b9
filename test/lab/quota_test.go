package lab_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

func TestQuotaRefusesThePodThatIsOneTooMany(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "two"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}},
	}
	create(t, quota)
	// Until Kubernetes has counted its usage, a quota refuses every pod with another message.
	if err := shared.Await(within(t, 20*time.Second), quota, func() error {
		if _, ok := quota.Status.Used[corev1.ResourcePods]; !ok {
			return fmt.Errorf("usage %v, want pods to be counted", quota.Status.Used)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	create(t, lab.Sample{Namespace: ns, Name: "web", Version: "v1", Replicas: 3}.Deployment())
	if err := lab.Poll(within(t, 30*time.Second), func() error { return wantFailedCreate(t, ns, 2) }); err != nil {
		t.Error(err)
	}
	var events corev1.EventList
	failed := client.MatchingFields{"reason": "FailedCreate"}
	if err := shared.Client().List(t.Context(), &events, client.InNamespace(ns), failed); err != nil || len(events.Items) == 0 {
		t.Errorf("%d events FailedCreate, %v; want one", len(events.Items), err)
	}
}

// wantFailedCreate checks that the only ReplicaSet of ns has that many pods and was
// refused one more.
func wantFailedCreate(t *testing.T, ns string, pods int32) error {
	var list appsv1.ReplicaSetList
	if err := shared.Client().List(t.Context(), &list, client.InNamespace(ns)); err != nil {
		return err
	}
	var found []appsv1.ReplicaSetStatus
	for _, rs := range list.Items {
		found = append(found, rs.Status)
		for _, c := range rs.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Reason == "FailedCreate" &&
				strings.Contains(c.Message, "exceeded quota: two") && rs.Status.ReadyReplicas == pods {
				return nil
			}
		}
	}
	return fmt.Errorf("ReplicaSets have status %v, want one with %d pods and FailedCreate, exceeded quota", found, pods)
}
