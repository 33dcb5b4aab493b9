package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/analysis"
	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/cmd/kubectl-headgate/lint"
	"github.com/headgate/headgate/cmd/kubectl-headgate/plan"
	"github.com/headgate/headgate/rollout/spec"
)

type planOptions struct {
	files         []string
	requests      float64
	errors, fault string
	output        string
}

const planExample = `  kubectl headgate plan web
  kubectl headgate plan -f deploy/
  kubectl headgate plan -f deploy/ web --rps 5 --error-rate 0.5%
  kubectl headgate plan web -o json | jq '.items[0].steps'`

const planLong = `Show how a rollout would go with the annotations of a Deployment, in a cluster or in files:
when each weight comes at the earliest, how many pods the canary has, and how many requests the
analysis needs at each weight to find a version that fails more often.

The last is tried out, by the test that judges rollouts, with traffic that is made up: it never
changes, and no errors come together. "headgate backtest" takes the real traffic of the past.`

func (e *env) plan() *cobra.Command {
	var o planOptions
	c := &cobra.Command{
		Use: "plan [NAME]", Short: "Show how a rollout would go: times, weights, pods and requests", Long: planLong, Example: planExample,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: e.completeNames(everyName),
		RunE: func(c *cobra.Command, args []string) error { return e.runPlan(c.Context(), args, o) },
	}
	c.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "files, folders, or - for standard input, instead of the cluster")
	c.Flags().Float64Var(&o.requests, "rps", 50, "requests in a second that the Deployment gets")
	c.Flags().StringVar(&o.errors, "error-rate", "0.1%", "percentage of them that fails at stable")
	c.Flags().StringVar(&o.fault, "fault", "1%", "percentage of the good answers that fail in the faulty version")
	addOutput(c, &o.output, "json, yaml")
	return c
}

func (e *env) runPlan(ctx context.Context, args []string, o planOptions) error {
	traffic, err := o.traffic()
	if err != nil {
		return err
	}
	deployments, reader, err := e.planned(ctx, args, o.files)
	if err != nil {
		return err
	}
	plans := []plan.Plan{}
	for _, dep := range deployments {
		p, err := planOf(ctx, reader, dep, traffic)
		if err != nil {
			return fmt.Errorf("%s/%s: %w\n\"kubectl headgate lint\" finds all mistakes", dep.Namespace, dep.Name, err)
		}
		plans = append(plans, printable(p))
	}
	if o.output != "" {
		return encode(e.out, o.output, map[string]any{"schema": plan.Schema, "items": plans})
	}
	for i, p := range plans {
		if i > 0 {
			fmt.Fprintln(e.out)
		}
		fmt.Fprint(e.out, draw.Plan(p, e.look()))
	}
	return nil
}

func (o planOptions) traffic() (plan.Options, error) {
	bad, err := percentage("--error-rate", o.errors)
	if err != nil {
		return plan.Options{}, err
	}
	fault, err := percentage("--fault", o.fault)
	if err != nil {
		return plan.Options{}, err
	}
	if o.requests <= 0 || o.requests > 1e6 || fault == 0 {
		return plan.Options{}, errors.New("--rps and --fault: want more than 0, e.g. --rps 50 --fault 1%")
	}
	return plan.Options{Requests: o.requests, Bad: bad, Fault: fault}, nil
}

func percentage(flag, text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(n >= 0 && n < 100) {
		return 0, fmt.Errorf("%s %q: want a percentage, e.g. 0.1%%", flag, text)
	}
	return n / 100, nil
}

// planned returns the Deployments that are asked for, and what reads their ConfigMaps.
func (e *env) planned(ctx context.Context, args, files []string) ([]*appsv1.Deployment, client.Reader, error) {
	if len(files) == 0 {
		if len(args) == 0 {
			return nil, nil, errors.New("which Deployment? Give its name, or files with -f")
		}
		return e.plannedInCluster(ctx, args[0])
	}
	set, err := lint.Read(files, e.in, cmp.Or(*e.flags.Namespace, "default"))
	if err != nil {
		return nil, nil, err
	}
	all := set.OptedIn()
	if len(args) > 0 {
		name, err := nameOf(args[0])
		if err != nil {
			return nil, nil, err
		}
		all = slices.DeleteFunc(all, func(d *appsv1.Deployment) bool { return d.Name != name })
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("no such Deployment with the annotation %s is among the files", spec.AnnotationStrategy)
	}
	return all, set, nil
}

func (e *env) plannedInCluster(ctx context.Context, arg string) ([]*appsv1.Deployment, client.Reader, error) {
	namespace, name, err := e.target(arg)
	if err != nil {
		return nil, nil, err
	}
	dep, err := e.client.apps.Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	if !spec.OptedIn(dep.Annotations) {
		return nil, nil, fmt.Errorf("deployment %s has no annotation %s: opt it in, or try the annotations in a file with -f",
			name, spec.AnnotationStrategy)
	}
	set := lint.NewSet()
	if a, err := analysis.Parse(dep.Annotations[spec.AnnotationAnalysis]); err == nil && a.ConfigMap != "" && !a.OfOperator {
		if cm, err := e.client.core.ConfigMaps(namespace).Get(ctx, a.ConfigMap, metav1.GetOptions{}); err == nil {
			set.Add(cm) // without it the plan says that it is not known
		}
	}
	return []*appsv1.Deployment{dep}, set, nil
}

func planOf(ctx context.Context, reader client.Reader, dep *appsv1.Deployment, traffic plan.Options) (plan.Plan, error) {
	wanted, err := spec.ParseSpec(dep.Annotations)
	if err != nil {
		return plan.Plan{}, err
	}
	rules := wanted.Analysis
	if resolved, err := lint.Analyses(reader).Resolve(ctx, dep.Namespace, rules); err == nil && resolved != nil {
		rules = resolved.Rules()
	}
	return plan.Of(dep, wanted, rules, traffic)
}
