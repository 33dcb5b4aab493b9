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
	r := &reading{clients: e.client, ctx: ctx, namespace: namespace, name: name}
	r.readVersions()
	r.readSurroundings()
	dep, err := r.apps.Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	r.asked.Wait()
	if err != nil {
		return status.Status{}, err
	}
	r.o.Deployment, r.o.Now, r.o.Measured = dep, time.Now(), measured
	if r.o.Canary != nil && !rollout.Owns(dep, r.o.Canary) {
		r.o.Canary = nil // somebody else's
	}
	return printable(status.Of(r.o)), nil
}

// readNamed connects, and reads the Deployment that arg names.
func (e *env) readNamed(ctx context.Context, arg string) (status.Status, error) {
	namespace, name, err := e.target(arg)
	if err != nil {
		return status.Status{}, err
	}
	return e.read(ctx, namespace, name)
}

// reading collects what is asked at the same time.
type reading struct {
	*clients
	ctx             context.Context
	namespace, name string

	asked sync.WaitGroup
	mu    sync.Mutex // of o.Unread
	o     status.Objects
}

// also asks one more question. Its error is told in the Status.
func (r *reading) also(what string, ask func() error) {
	r.asked.Go(func() {
		if err := ask(); err != nil && !apierrors.IsNotFound(err) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.o.Unread = append(r.o.Unread, fmt.Sprintf("%s: %s", what, explainError(err)))
		}
	})
}

// fromMemory lets the API server answer from its memory.
var fromMemory = metav1.ListOptions{ResourceVersion: "0"}

// readVersions asks for what runs.
func (r *reading) readVersions() {
	r.also("the canary", func() error {
		canary, err := r.apps.Deployments(r.namespace).Get(r.ctx, r.name+"-canary", metav1.GetOptions{})
		if err == nil {
			r.o.Canary = canary
		}
		return err
	})
	r.also("ReplicaSets", func() error {
		list, err := r.apps.ReplicaSets(r.namespace).List(r.ctx, fromMemory)
		if err == nil {
			r.o.ReplicaSets = list.Items
		}
		return err
	})
	r.also("pods", func() error {
		list, err := r.core.Pods(r.namespace).List(r.ctx, fromMemory)
		if err == nil {
			r.o.Pods = list.Items
		}
		return err
	})
}

// readSurroundings asks for the routes, and for what was said.
func (r *reading) readSurroundings() {
	r.also("Ingresses", func() error {
		list, err := r.network.Ingresses(r.namespace).List(r.ctx, fromMemory)
		if err == nil {
			r.o.Ingresses = list.Items
		}
		return err
	})
	r.also("events", func() error {
		about := fields.Set{"regarding.kind": "Deployment", "regarding.name": r.name}.AsSelector().String()
		list, err := r.events.Events(r.namespace).List(r.ctx, metav1.ListOptions{FieldSelector: about})
		if err == nil {
			r.o.Events = list.Items
		}
		return err
	})
}

// summary is the Status of a Deployment from the Deployment alone.
func summary(dep *appsv1.Deployment, now time.Time) status.Status {
	return printable(status.Of(status.Objects{Now: now, Deployment: dep}))
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
