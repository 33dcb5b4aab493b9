package memory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/test/lab"
)

// leaderLimit is the longest time until a leader has looked at every Deployment.
const leaderLimit = 10 * time.Minute

// replica is a running pod of Headgate, as its metrics show it.
type replica struct {
	pod     string
	leads   bool
	looks   int // reconciles of Deployments so far
	waiting int // reconciles that are due or under way
}

// awaitLeader waits until a replica other than gone leads and has nothing left to do.
func (m *measurement) awaitLeader(ctx context.Context, gone string) (replica, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, leaderLimit, fmt.Errorf("not within %s", leaderLimit))
	defer cancel()
	var leader replica
	err := lab.Poll(ctx, func() error {
		replicas, err := m.replicas(ctx)
		if err != nil {
			return err
		}
		for _, leader = range replicas {
			if leader.leads && leader.pod != gone && leader.looks >= m.sizes.Managed && leader.waiting == 0 {
				return nil
			}
		}
		return fmt.Errorf("no replica leads that has looked at every Deployment: %+v", replicas)
	})
	return leader, err
}

// replicas returns the pods that run and are not being deleted.
func (m *measurement) replicas(ctx context.Context) ([]replica, error) {
	var pods corev1.PodList
	if err := m.lab.Client().List(ctx, &pods, client.InNamespace(lab.HeadgateNamespace)); err != nil {
		return nil, err
	}
	var all []replica
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil || pod.Status.PodIP == "" {
			continue
		}
		r, err := readReplica(ctx, pod)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func readReplica(ctx context.Context, pod *corev1.Pod) (replica, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod.Status.PodIP+":8080/metrics", nil)
	if err != nil {
		return replica{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return replica{}, err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return replica{}, fmt.Errorf("read the metrics of pod %s: %w", pod.Name, err)
	}
	sum := func(name, label, value string) int {
		var total float64
		for _, series := range families[name].GetMetric() {
			for _, l := range series.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					total += series.GetCounter().GetValue() + series.GetGauge().GetValue()
				}
			}
		}
		return int(total)
	}
	if families["leader_election_master_status"] == nil {
		return replica{}, errors.New("there is no metric that says who leads")
	}
	return replica{
		pod:     pod.Name,
		leads:   sum("leader_election_master_status", "name", "headgate") == 1,
		looks:   sum("controller_runtime_reconcile_total", "controller", "rollout"),
		waiting: sum("workqueue_depth", "controller", "rollout") + sum("controller_runtime_active_workers", "controller", "rollout"),
	}, nil
}
