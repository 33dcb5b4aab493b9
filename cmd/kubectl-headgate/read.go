package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/status"
)

// read reads everything about one Deployment at the same time. Only the Deployment itself
// is needed; what else cannot be read is named in the Status.
func (e *env) read(ctx context.Context, namespace, name string) (status.Status, error) {
	o := status.Objects{Now: time.Now(), Measured: measured}
	var group sync.WaitGroup
	var mu sync.Mutex
	also := func(what string, ask func() error) {
		group.Go(func() {
			if err := ask(); err != nil && !apierrors.IsNotFound(err) {
				mu.Lock()
				defer mu.Unlock()
				o.Unread = append(o.Unread, fmt.Sprintf("%s: %s", what, explainError(err)))
			}
		})
	}
	cached := metav1.ListOptions{ResourceVersion: "0"} // from the memory of the API server
	also("the canary", func() (err error) {
		canary, err := e.client.apps.Deployments(namespace).Get(ctx, name+"-canary", metav1.GetOptions{})
		if err == nil {
			o.Canary = canary
		}
		return err
	})
	also("ReplicaSets", func() error {
		list, err := e.client.apps.ReplicaSets(namespace).List(ctx, cached)
		if err == nil {
			o.ReplicaSets = list.Items
		}
		return err
	})
	also("pods", func() error {
		list, err := e.client.core.Pods(namespace).List(ctx, cached)
		if err == nil {
			o.Pods = list.Items
		}
		return err
	})
	also("Ingresses", func() error {
		list, err := e.client.network.Ingresses(namespace).List(ctx, cached)
		if err == nil {
			o.Ingresses = list.Items
		}
		return err
	})
	also("events", func() error {
		about := fields.Set{"regarding.kind": "Deployment", "regarding.name": name}.AsSelector().String()
		list, err := e.client.events.Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: about})
		if err == nil {
			o.Events = list.Items
		}
		return err
	})
	dep, err := e.client.apps.Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	group.Wait()
	if err != nil {
		return status.Status{}, err
	}
	o.Deployment = dep
	if o.Canary != nil && !rollout.Owns(dep, o.Canary) {
		o.Canary = nil // somebody else's
	}
	return status.Of(o), nil
}

// summary is the Status of a Deployment from the Deployment alone.
func summary(dep *appsv1.Deployment, now time.Time) status.Status {
	return status.Of(status.Objects{Now: now, Deployment: dep})
}

// measured reads the metrics of a rollout as the judge does.
func measured(rules, evidence string) []status.Metric {
	told, err := analysis.Tell(rules, evidence)
	if err != nil {
		return nil // the Status names the mistake in the annotation
	}
	var metrics []status.Metric
	for _, t := range told {
		m := status.Metric{Name: t.Name, Wanted: t.Wanted, Verdict: t.Verdict, Text: t.Text}
		if t.Compared != nil {
			c, stable, canary := t.Compared, t.Counted.StableCounts(), t.Counted.CanaryCounts()
			m.Stable = &status.Counted{Requests: stable.Requests, Bad: stable.Errors, Share: c.StableShare, Range: status.Range(c.StableRange)}
			m.Canary = &status.Counted{Requests: canary.Requests, Bad: canary.Errors, Share: c.CanaryShare, Range: status.Range(c.CanaryRange)}
			m.AtWeight = &status.Requests{Canary: t.Counted.AtWeight.CanaryRequests, Stable: t.Counted.AtWeight.StableRequests}
			m.Evidence, m.Needs = c.AgainstMargin.Is, c.AgainstMargin.Needs
		}
		metrics = append(metrics, m)
	}
	return metrics
}

// explainError says in a sentence what went wrong.
func explainError(err error) string {
	if s, ok := errors.AsType[*apierrors.StatusError](err); ok {
		d := s.Status().Details
		switch {
		case apierrors.IsForbidden(err) && d != nil:
			return fmt.Sprintf("you may not read or write %s here; ask for the right, or name another namespace with -n (%s)", d.Kind, err)
		case apierrors.IsNotFound(err) && d != nil:
			return fmt.Sprintf("there is no Deployment %q here; \"kubectl headgate list -A\" lists those with rollouts", d.Name)
		case apierrors.IsUnauthorized(err):
			return "the cluster does not know you: log in again (" + err.Error() + ")"
		}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Sprintf("the API server does not answer: %s", u.Err)
	}
	return err.Error()
}
