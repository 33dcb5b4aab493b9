package robust

import (
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/underload"
)

// TestHistoryIsForgotten: while no manager gets through to the API server, a new template is
// written, etcd is compacted and the API server restarts. So it answers "410 Gone" to a watch
// that goes on from where it was, and the managers have to read everything anew.
func TestHistoryIsForgotten(t *testing.T) {
	a := newApp(t, "50%, 1s, 100%, 1s")
	a.Await(30*time.Second, reason.Ready)
	before := a.Now().ResourceVersion
	api.away.Store(true)
	api.cut()
	a.Ship("v2", nil)
	must(t, shared.ControlPlane.Compact(t.Context()))
	shared.ControlPlane.StopAPIServer(0)
	must(t, shared.ControlPlane.StartAPIServer(t.Context()))
	isGone(t, a.Namespace, before)
	if a.Now().Annotations["headgate.dev/phase"] != "Pending" {
		t.Error("a manager got through")
	}
	api.away.Store(false)
	await(t, a.Deployed(), 2*time.Minute, reason.Promoted)
	a.Gone(30 * time.Second)
	a.Over()
	awaitManagers(t)
}

// TestAPIServerRestarts in the middle of a rollout under load: first as in an upgrade, then
// by a kill. The rollout goes on, and no answer is lost.
func TestAPIServerRestarts(t *testing.T) {
	a := newApp(t, "25%, 3s, 50%, 3s, 100%, 1s")
	weights := watchWeights(t, a)
	a.Ship("v2", nil)
	for _, restart := range []struct {
		weight int
		grace  time.Duration
	}{{25, 5 * time.Second}, {50, 0}} {
		a.AwaitWeight(time.Minute, restart.weight)
		began := time.Now()
		shared.ControlPlane.StopAPIServer(restart.grace)
		must(t, shared.ControlPlane.StartAPIServer(t.Context()))
		t.Logf("at weight %d the API server was away for %s", restart.weight, time.Since(began).Round(100*time.Millisecond))
	}
	await(t, a.Deployed(), 2*time.Minute, reason.Promoted)
	a.Gone(30 * time.Second)
	weights.are(t, 0, 25, 50, 100, -1)
	a.Over()
	awaitManagers(t)
}

// await is underload.App.Await that outlives the API server.
func await(t *testing.T, dep *appsv1.Deployment, limit time.Duration, want reason.Reason) {
	t.Helper()
	must(t, lab.Poll(within(t, limit), func() error {
		if err := shared.Client().Get(t.Context(), client.ObjectKeyFromObject(dep), dep); err != nil {
			return err
		}
		if now, message := underload.Condition(dep); now != want {
			return fmt.Errorf("want %s, it is %s: %s", want, now, message)
		}
		return nil
	}))
}

// TestConnectionsAreCut closes every connection of the managers every two seconds, so every
// watch ends and begins again all the time.
func TestConnectionsAreCut(t *testing.T) {
	a := newApp(t, "50%, 3s, 100%, 1s")
	weights := watchWeights(t, a)
	a.Ship("v2", nil)
	over := make(chan struct{})
	cutting := make(chan struct{})
	go func() {
		defer close(cutting)
		for {
			select {
			case <-over:
				return
			case <-time.After(2 * time.Second):
				api.cut()
			}
		}
	}()
	await(t, a.Deployed(), 2*time.Minute, reason.Promoted)
	a.Gone(time.Minute)
	close(over)
	<-cutting
	weights.are(t, 0, 50, 100, -1)
	a.Over()
	awaitManagers(t)
}

// isGone checks that a watch cannot go on from version.
func isGone(t *testing.T, namespace, version string) {
	t.Helper()
	events, err := shared.Client().Watch(t.Context(), &appsv1.DeploymentList{}, &client.ListOptions{
		Namespace: namespace, Raw: &metav1.ListOptions{ResourceVersion: version},
	})
	if err == nil {
		defer events.Stop()
		select {
		case e := <-events.ResultChan():
			err = apierrors.FromObject(e.Object)
		case <-time.After(5 * time.Second):
			err = errors.New("no event")
		}
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("a watch from version %s: %v, want that it is expired", version, err)
	}
}
