package controller

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Preflight finds, without a manager and without a rollout, what a manager would find if a
// new template came now. It reads, and writes nothing.
type Preflight struct {
	// Client reads by the indexes of SetupIndexes, and also what a manager reads from the
	// API server: pods, ReplicaSets, CronJobs and PersistentVolumeClaims.
	Client      client.Client
	Router      Surveyor
	Autoscalers Autoscalers
}

// Surveyor is a Router that tells every Problem, where Observe tells the first.
type Surveyor interface {
	Router
	Problems(ctx context.Context, t rollout.Target) ([]*rollout.Problem, error)
}

// Findings are what a person should correct before a rollout, or know.
type Findings struct {
	Problems []*rollout.Problem // each keeps a rollout from beginning, or from going on
	Notes    []rollout.Note     // these do not
	Traffic  rollout.Traffic

	// Track has the labels that differ on canary pods. nil: there is no choice.
	Track map[string]string
}

// Look returns what stands in the way of a canary of dep, with what its user wrote.
func (p *Preflight) Look(ctx context.Context, dep *appsv1.Deployment, wanted spec.Spec) (Findings, error) {
	r := &Reconciler{Client: p.Client, Live: p.Client, Router: p.Router, Autoscalers: p.Autoscalers}
	s := &snapshot{dep: dep}
	s.Spec = wanted
	// Any rollout will do: nothing that is found depends on which it is.
	s.target = rollout.Target{Deployment: dep, Spec: wanted, Rollout: "0", Canary: canaryLabel(dep)}
	f := Findings{}
	if err := r.findName(ctx, s, &f); err != nil {
		return f, err
	}
	var err error
	if s.Traffic, err = p.Router.Observe(ctx, s.target); err != nil {
		return f, err
	}
	f.Traffic = s.Traffic
	s.chooseTrack()
	f.Track = s.target.Track
	problems, err := p.Router.Problems(ctx, s.target)
	if err != nil {
		return f, err
	}
	f.add(problems...)
	f.add(strategyProblem(dep), s.Problem)
	if err := r.findStartProblems(ctx, s, &f); err != nil {
		return f, err
	}
	return f, r.findNotes(ctx, s, &f)
}

// add adds those of problems that are not nil.
func (f *Findings) add(problems ...*rollout.Problem) {
	for _, p := range problems {
		if p != nil {
			f.Problems = append(f.Problems, p)
		}
	}
}

func (r *Reconciler) findName(ctx context.Context, s *snapshot, f *Findings) error {
	canary := &appsv1.Deployment{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: canaryName(s.dep)}, canary)
	if err == nil {
		f.add(nameProblem(s.dep, canary))
	}
	return client.IgnoreNotFound(err)
}

// findStartProblems finds what the API server alone knows.
func (r *Reconciler) findStartProblems(ctx context.Context, s *snapshot, f *Findings) error {
	foreign, err := r.Router.CheckPods(ctx, s.target)
	if err != nil {
		return err
	}
	volume, err := r.findVolumeConflict(ctx, s)
	if err != nil {
		return err
	}
	f.add(foreign, volume)
	if s.Problem = nil; len(f.Traffic.Services) == 0 || len(f.Track) == 0 {
		return nil // what a Job would be told of is not known
	}
	s.canaryDep = newCanary(s.dep, s.target.Rollout, s.target.Track, "", 1)
	for _, step := range s.Spec.Steps {
		if step.Kind != spec.RunJob {
			continue
		}
		why, err := r.whyNoJob(ctx, s, rollout.JobGoal{Template: step.Job, Result: step.Result})
		if err != nil {
			return err
		}
		if why != "" {
			f.add(&rollout.Problem{Reason: reason.JobUnavailable, Message: fmt.Sprintf("step %s: %s", step, why)})
		}
	}
	return nil
}

// whyNoJob says why no Job can be made for goal. "": one can, as far as the API server lets
// Headgate create it.
func (r *Reconciler) whyNoJob(ctx context.Context, s *snapshot, goal rollout.JobGoal) (string, error) {
	cron := &batchv1.CronJob{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.dep.Namespace, Name: goal.Template}, cron)
	if apierrors.IsNotFound(err) {
		return fmt.Sprintf(noCronJob, goal.Template), nil
	}
	return cmp.Or(s.cronJobProblem(cron), resultProblem(cron, goal)), err
}

// findNotes finds what a person should know before a canary starts.
func (r *Reconciler) findNotes(ctx context.Context, s *snapshot, f *Findings) error {
	if len(s.target.Track) > 0 {
		if err := r.observePolicies(ctx, s); err != nil {
			return err
		}
	}
	s.observeHostPorts()
	if err := r.observeScaleDown(ctx, s); err != nil {
		return err
	}
	f.Notes = s.Gaps
	rolling := s.Spec.Promotion == spec.PromotionRolling
	if why := s.unfit(); why != "" && !rolling {
		rolling = true
		f.Notes = append(f.Notes, rollout.Note{Reason: reason.RollingInstead, Message: "the promotion will be a rolling update, because " + why})
	}
	if gap := updateGap(s.dep); gap != "" && rolling && strategyProblem(s.dep) == nil {
		f.Notes = append(f.Notes, rollout.Note{Reason: reason.UpdateGap, Message: fmt.Sprintf(
			"the rollout will wait before its end, because %s: set maxUnavailable to 0 in the strategy of the Deployment", gap)})
	}
	return nil
}

// unfit says why canary pods could not become pods of the Deployment. "": they could.
func (s *snapshot) unfit() string {
	if s.canaryDep == nil {
		return ""
	}
	return notAdoptable(s.dep, s.canaryDep, s.target.Track)
}
