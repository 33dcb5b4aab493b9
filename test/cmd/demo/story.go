package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// optIn is the annotations that the user adds.
var optIn = map[string]string{
	spec.AnnotationStrategy: "canary",
	spec.AnnotationSteps:    "10%, 10s, 25%, 10s, 50%, 10s, 100%, 10s",
	spec.AnnotationAnalysis: "auto",
}

// story is the demo, beginning with the user's first apply.
type story struct {
	lab     *lab.Lab
	out     *timeline
	rate    int
	load    *load.Load
	summary summary
}

var sample = lab.Sample{Namespace: "shop", Name: "web", Version: "v1", Replicas: 4}

func (s *story) tell(ctx context.Context) error {
	s.out.chapter("v1: an ordinary Deployment, Service and Ingress")
	if err := s.deploy(ctx); err != nil {
		return err
	}
	s.load = load.Start(ctx, load.Options{URL: s.lab.Ingress.URL() + "/", Host: sample.Host(), Rate: s.rate})
	defer s.load.Stop()
	pods, err := s.pods(ctx)
	if err != nil {
		return err
	}
	if err := s.patch(ctx, map[string]any{"metadata": map[string]any{"annotations": optIn}}); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(optIn)) {
		s.out.at(time.Now(), "annotate", "%s: %s", key, optIn[key])
	}
	before, err := s.lab.HeadgateWrites()
	if err != nil {
		return err
	}
	if err := s.goodVersion(ctx, pods); err != nil {
		return err
	}
	if err := s.badVersion(ctx); err != nil {
		return err
	}
	after, err := s.lab.HeadgateWrites()
	if err != nil {
		return err
	}
	report := s.load.Stop()
	s.summary.Requests = len(report.Answers)
	s.summary.FailedByRollout = len(report.FailedByRollout())
	s.summary.BadServed = len(report.Bad()) - s.summary.FailedByRollout
	s.summary.APIWrites = len(after) - len(before)
	return nil
}

func (s *story) deploy(ctx context.Context) error {
	dep := sample.Deployment()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: sample.Namespace}}
	for _, obj := range []client.Object{ns, sample.Service(), sample.Ingress(), dep} {
		if err := s.lab.Client().Create(ctx, obj); err != nil {
			return fmt.Errorf("deploying the sample service: %w", err)
		}
	}
	if err := s.lab.Available(ctx, dep); err != nil {
		return err
	}
	s.out.at(time.Now(), "serving", "4 pods of v1, %d requests a second through the Ingress", s.rate)
	return s.lab.AwaitRoute(ctx, sample.Host())
}

func (s *story) goodVersion(ctx context.Context, pods map[string]bool) error {
	now, err := s.pods(ctx)
	if err != nil {
		return err
	}
	for name := range pods {
		if !now[name] {
			return fmt.Errorf("adopting the Deployment restarted its pod %s", name)
		}
	}
	s.out.at(time.Now(), "adopted", "no pod restarted")
	s.out.chapter("v2: a good version")
	f, err := s.ship(ctx, "v2", nil)
	if err != nil {
		return err
	}
	defer f.stop()
	s.summary.Promoted, err = f.until(ctx, reason.Promoted)
	s.summary.SecondsToFirstWeight = f.firstWeight.Sub(f.applied).Seconds()
	return err
}

func (s *story) badVersion(ctx context.Context) error {
	s.out.chapter("v3: a bad version, healthy to every probe, 20% of its answers are 500s")
	f, err := s.ship(ctx, "v3", map[string]string{"ERROR_RATE": "0.2"})
	if err != nil {
		return err
	}
	defer f.stop()
	if s.summary.RolledBack, err = f.until(ctx, reason.AnalysisFailed); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // to see whether it answers once more
	report := s.load.Report()
	last := report.LastOf("v3")
	s.summary.SecondsToZero = max(0, last.Sub(f.verdict).Seconds())
	s.out.at(report.LastBad(), "last bad", "the last 500 that a user got")
	s.out.at(last, "last v3", "the last answer of v3, %.1fs after the verdict", s.summary.SecondsToZero)
	s.out.at(time.Now(), "end", "v2 serves all traffic; the Deployment stays held at v3 until git moves")
	return nil
}

// ship changes the template as a user's apply would, and follows the rollout.
func (s *story) ship(ctx context.Context, version string, env map[string]string) (*follower, error) {
	next := sample
	next.Version, next.Env = version, env
	f, err := s.follow(ctx, version)
	if err != nil {
		return nil, err
	}
	if err := s.patch(ctx, map[string]any{"spec": map[string]any{"template": next.Deployment().Spec.Template}}); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

// pods returns the names of the running pods.
func (s *story) pods(ctx context.Context) (map[string]bool, error) {
	var list corev1.PodList
	if err := s.lab.Client().List(ctx, &list, client.InNamespace(sample.Namespace)); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, pod := range list.Items {
		names[pod.Name] = true
	}
	return names, nil
}

func (s *story) patch(ctx context.Context, content map[string]any) error {
	patch, err := json.Marshal(content)
	if err != nil {
		return err
	}
	dep := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: sample.Namespace, Name: sample.Name}}
	return s.lab.Client().Patch(ctx, dep, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("user"))
}
