package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"
	netv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// follower writes the timeline of a rollout from what the API server reports:
// Headgate's events, the weight of the canary Ingress, and the share of the answers
// that was observed at that weight.
type follower struct {
	*story
	version string
	applied time.Time

	deployments, events, ingresses watch.Interface

	held        bool
	weight      int // -1: none
	weightSince time.Time
	firstWeight time.Time
	verdict     time.Time // of the Fail that ended it
}

func (s *story) follow(ctx context.Context, version string) (*follower, error) {
	f := &follower{story: s, version: version, applied: time.Now(), weight: -1}
	var err error
	in := client.InNamespace(sample.Namespace)
	named := client.MatchingFields{"metadata.name": sample.Name}
	if f.deployments, err = s.lab.Client().Watch(ctx, &appsv1.DeploymentList{}, in, named); err != nil {
		return nil, err
	}
	if f.events, err = s.lab.Client().Watch(ctx, &eventsv1.EventList{}, in); err != nil {
		return nil, err
	}
	f.ingresses, err = s.lab.Client().Watch(ctx, &netv1.IngressList{}, in, client.MatchingLabels{spec.LabelManagedBy: spec.ManagedBy})
	return f, err
}

func (f *follower) stop() {
	f.deployments.Stop()
	f.events.Stop()
	f.ingresses.Stop()
}

// until follows the rollout to its end. It returns an error if it ends in another way
// than wanted.
func (f *follower) until(ctx context.Context, end reason.Reason) (bool, error) {
	for {
		e, err := f.next(ctx)
		if err != nil {
			return false, fmt.Errorf("waiting for %s of %s: %w", end, f.version, err)
		}
		switch obj := e.Object.(type) {
		case *netv1.Ingress:
			f.ingress(e.Type, obj)
		case *appsv1.Deployment:
			f.deployment(obj)
		case *eventsv1.Event:
			if e.Type != watch.Added || obj.EventTime.Time.Before(f.applied) {
				continue
			}
			f.event(obj)
			if reason := reason.Reason(obj.Reason); reason == end {
				return true, nil
			} else if endings[reason] {
				return false, fmt.Errorf("%s ended with %s, which is wrong: %s", f.version, reason, obj.Note)
			}
		}
	}
}

// next returns the next change of an object that is followed.
func (f *follower) next(ctx context.Context) (watch.Event, error) {
	select {
	case <-ctx.Done():
		return watch.Event{}, context.Cause(ctx)
	case e := <-f.ingresses.ResultChan():
		return e, nil
	case e := <-f.deployments.ResultChan():
		return e, nil
	case e := <-f.events.ResultChan():
		return e, nil
	}
}

// endings are the ways in which a rollout of the demo can end.
var endings = map[reason.Reason]bool{
	reason.Promoted: true, reason.AnalysisFailed: true, reason.ProgressDeadlineExceeded: true,
	reason.CanaryUnavailable: true, reason.CanaryRoutesDeleted: true, reason.InvalidState: true,
}

func (f *follower) deployment(dep *appsv1.Deployment) {
	id := dep.Annotations[spec.AnnotationRollout]
	if f.held || id == "" || !dep.Spec.Paused || !strings.HasSuffix(dep.Spec.Template.Spec.Containers[0].Image, f.version) {
		return
	}
	f.held = true
	f.out.at(time.Now(), "held", "the Deployment says %s, held as rollout %s; the version before keeps serving", f.version, id)
}

func (f *follower) ingress(kind watch.EventType, ing *netv1.Ingress) {
	weight, err := strconv.Atoi(ing.Annotations["nginx.ingress.kubernetes.io/canary-weight"])
	if err != nil || kind == watch.Deleted {
		weight = -1
	}
	if weight == f.weight {
		return
	}
	now := time.Now()
	f.observed(now)
	f.weight, f.weightSince = weight, now
	switch {
	case weight > 0:
		if f.firstWeight.IsZero() {
			f.firstWeight = now
		}
		f.out.at(now, "weight", "%3d%%", weight)
	case weight < 0:
		f.out.at(now, "weight", "the canary Ingress is deleted: all traffic is stable's")
	}
}

// settled is how long the lab's ingress controller may take to apply a weight.
const settled = time.Second

// observed prints the share of the answers that the version had at this weight.
func (f *follower) observed(until time.Time) {
	if f.weight <= 0 {
		return
	}
	r := f.load.Report().Between(f.weightSince.Add(settled), until)
	if len(r.Answers) == 0 {
		return
	}
	share := r.Share(f.version)
	f.out.at(until, "observed", "%s  %5.1f%% of %d answers were %s's, the weight was %d%%",
		bar(share), 100*share, len(r.Answers), f.version, f.weight)
}

// firstMetric is what a note says of the first metric. The others say much the same.
func firstMetric(note string) string {
	first, _, more := strings.Cut(note, "; ")
	if more {
		first += "; …"
	}
	return first
}

// event prints an event, unless the weight says the same.
func (f *follower) event(e *eventsv1.Event) {
	when, note := e.EventTime.Time, e.Note
	if _, rest, ok := strings.Cut(note, ": "); ok {
		note = rest // without the number of the rollout
	}
	switch reason.Reason(e.Reason) {
	case reason.CanaryStarting, reason.RoutesSettling:
		f.out.at(when, "canary", "%s", note)
	case reason.MeasurementPassed:
		f.out.at(when, "Pass", "%s", firstMetric(strings.TrimPrefix(note, "Pass ")))
	case reason.MeasurementFailed:
		f.verdict = when
		f.out.at(when, "Fail", "%s", strings.TrimPrefix(note, "Fail "))
	case reason.MeasurementInconclusive, reason.MeasurementError:
		f.out.at(when, "no word", "%s", firstMetric(note))
	case reason.Releasing, reason.TrafficReturning:
		f.out.at(when, "promote", "%s", note)
	case reason.Promoted:
		f.out.at(when, "promoted", "%s", note)
	case reason.AnalysisFailed:
		f.out.at(when, "rollback", "%s", note)
	default: // the weight says it
	}
}
