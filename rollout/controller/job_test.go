package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// atJobStep is a rollout at a step that runs a Job of CronJob smoke, and a
// client that knows it and objects.
func atJobStep(t *testing.T, objects ...client.Object) fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme} {
		utilruntime.Must(add(scheme))
	}
	dep := stableDeployment()
	canary := newCanary(dep, "7", map[string]string{"app": "web-canary"}, "{}", 2)
	canary.UID = "u2"
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	l := &ledger{}
	c := indexed(scheme).WithObjects(append(objects, dep, canary, svc)...).Build()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(canary), canary); err != nil {
		t.Fatal(err)
	}
	s := &snapshot{dep: dep, canaryDep: canary}
	s.Canary = &rollout.CanaryStatus{Replicas: 2, State: rollout.State{
		Rollout: "7", Mode: rollout.ModeProgressing, Weight: 10, Step: 1,
		Steps: []spec.Step{{Kind: spec.SetWeight, Weight: 10}, {Kind: spec.RunJob, Job: "smoke"}, {Kind: spec.SetWeight, Weight: 20}},
	}}
	s.target = rollout.Target{Deployment: dep, Rollout: "7"}
	s.Spec.ProgressDeadline = 10 * time.Minute
	s.Traffic = rollout.Traffic{
		Services: []string{"web"}, CanaryService: "web-canary", Port: "http",
		Selectors: []map[string]string{{"app": "web"}, {"tier": "front"}},
	}
	return fixture{&Reconciler{Client: interceptor.NewClient(c, l.funcs()), Live: c}, s, l}
}

// smoke is a CronJob of which a Job can be made.
func smoke() *batchv1.CronJob {
	return &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "smoke", Namespace: "shop"},
		Spec: batchv1.CronJobSpec{
			Suspend: ptr.To(true),
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "smoke"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "curl", Image: "curl"}}},
			}}},
		},
	}
}

// jobOf is a Job of the canary, in the state that condition says, if any.
func jobOf(s *snapshot, name string, condition ...batchv1.JobCondition) *batchv1.Job {
	job := newJob(s, smoke(), name, "")
	job.UID = "j1"
	job.Status.Conditions = condition
	return job
}

func TestObserveJob(t *testing.T) {
	const name = "web-canary-7-1-0"
	with := func(change func(*batchv1.CronJob)) []client.Object {
		cron := smoke()
		change(cron)
		return []client.Object{cron}
	}
	labelled := func(key, value string) []client.Object {
		return with(func(c *batchv1.CronJob) {
			c.Spec.JobTemplate.Spec.Template.Labels = map[string]string{key: value, spec.LabelRollout: "7"}
		})
	}
	job := func(kind batchv1.JobConditionType, reason, message string) []client.Object {
		return []client.Object{jobOf(atJobStep(t).snapshot, name, batchv1.JobCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		})}
	}
	foreign := jobOf(atJobStep(t).snapshot, name)
	foreign.OwnerReferences = nil
	unlabelled := jobOf(atJobStep(t).snapshot, name)
	unlabelled.Labels = nil
	status := func(phase rollout.JobPhase, message string) *rollout.JobStatus {
		return &rollout.JobStatus{Run: "7-1-0", Phase: phase, Message: message}
	}
	matches := func(selector string) *rollout.JobStatus {
		return status(rollout.JobUnmakable, "the pods of CronJob smoke match the selector of "+selector+
			", as if they belonged to the application: give its jobTemplate other labels")
	}
	const nameTaken = "the Job needs the name web-canary-7-1-0, but another Job has it, " +
		"or a Job of an earlier canary that is still being deleted: rename or remove that Job"
	tests := map[string]struct {
		objects []client.Object
		change  func(*snapshot)
		want    *rollout.JobStatus
	}{
		"the step runs none": {
			objects: []client.Object{smoke()}, change: func(s *snapshot) { s.Canary.State.Step = 0 }, want: nil,
		},
		"one can be made": {objects: []client.Object{smoke()}, want: status(rollout.JobMissing, "")},
		"there is no CronJob": {
			want: status(rollout.JobUnmakable, "there is no CronJob smoke: create one with suspend: true as the template of the Job"),
		},
		"the CronJob has a life of its own": {
			objects: with(func(c *batchv1.CronJob) { c.Spec.Suspend = nil }),
			want: status(rollout.JobUnmakable,
				"CronJob smoke is not suspended, so it also runs on its own schedule: set its spec.suspend to true"),
		},
		"its pods look like stable ones": {
			objects: labelled("app", "web"),
			want:    matches("Deployment web"),
		},
		"its pods look like canary ones": {
			objects: labelled("app", "web-canary"),
			want:    matches("Deployment web-canary"),
		},
		"a Service would send them requests": {
			objects: labelled("tier", "front"),
			want:    matches("a Service (tier=front)"),
		},
		"nobody knows any more what is split": {
			objects: []client.Object{smoke()},
			change:  func(s *snapshot) { s.Problem = &rollout.Problem{Message: "no Service"} },
			want:    status(rollout.JobUnmakable, "no Service"),
		},
		"nothing leads to the canary": {
			objects: []client.Object{smoke()},
			change:  func(s *snapshot) { s.Traffic.Services = nil },
			want:    status(rollout.JobUnmakable, "there is no Service through which the Job can reach the canary"),
		},
		"nobody knows how long it may take": {
			objects: []client.Object{smoke()},
			change:  func(s *snapshot) { s.SpecErr = errors.New("no duration") },
			want:    status(rollout.JobUnmakable, "no duration"),
		},
		"its name is somebody's": {
			objects: []client.Object{smoke(), foreign},
			want:    status(rollout.JobUnmakable, nameTaken),
		},
		"its name is that of one that lost its label, which no cache holds": {
			objects: []client.Object{smoke(), unlabelled},
			want:    status(rollout.JobUnmakable, nameTaken),
		},
		"it runs, and the CronJob is gone": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, name)}, want: status(rollout.JobActive, ""),
		},
		"a condition that is not so": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, name, batchv1.JobCondition{
				Type: batchv1.JobFailed, Status: corev1.ConditionFalse,
			})},
			want: status(rollout.JobActive, ""),
		},
		"it succeeded":                       {objects: job(batchv1.JobComplete, "", ""), want: status(rollout.JobSucceeded, "")},
		"it succeeded, and a pod still runs": {objects: job(batchv1.JobSuccessCriteriaMet, "", ""), want: status(rollout.JobSucceeded, "")},
		"it failed": {
			objects: job(batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit"),
			want: status(rollout.JobFailedPhase,
				"Job web-canary-7-1-0 failed: BackoffLimitExceeded: Job has reached the specified backoff limit"),
		},
		"it failed, and a pod still runs": {
			objects: job(batchv1.JobFailureTarget, batchv1.JobReasonPodFailurePolicy, "exit code 3"),
			want:    status(rollout.JobFailedPhase, "Job web-canary-7-1-0 failed: PodFailurePolicy: exit code 3"),
		},
		"it took too long": {
			objects: job(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline"),
			want:    status(rollout.JobFailedPhase, "Job web-canary-7-1-0 ran out of time: it was not done after 10m0s"),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := atJobStep(t, tt.objects...)
			if tt.change != nil {
				tt.change(s.snapshot)
			}
			if err := s.lookAtJob(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.Job); diff != "" {
				t.Errorf("Job (-want +got):\n%s", diff)
			}
			if canMake := tt.want != nil && tt.want.Phase == rollout.JobMissing; canMake != (s.canaryJobs.toCreate != nil) {
				t.Errorf("the Job to make is %v", s.canaryJobs.toCreate)
			}
		})
	}
}

// After a change of leaders the cache may be behind.
func TestObserveJobOfAnotherManager(t *testing.T) {
	s := atJobStep(t, jobOf(atJobStep(t).snapshot, "web-canary-7-1-0"))
	s.Client = interceptor.NewClient(s.Live.(client.WithWatch), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})
	if err := s.lookAtJob(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobActive}, s.Job); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
}

// An abort is obeyed only where an observation succeeds.
func TestObserveJobWithoutPermission(t *testing.T) {
	s := atJobStep(t, smoke())
	s.Live = interceptor.NewClient(s.Live.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if obj.GetObjectKind().GroupVersionKind().Kind == "CronJob" {
				return apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "cronjobs"}, key.Name, errors.New("no"))
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
	if err := s.lookAtJob(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := &rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobUnmakable, Message: `cronjobs.batch "smoke" is forbidden: no`}
	if diff := cmp.Diff(want, s.Job); diff != "" {
		t.Errorf("Job (-want +got):\n%s", diff)
	}
}

// What the API server would refuse is said, not tried for ever; what only a dry
// run meets is tried.
func TestObserveJobThatIsRefused(t *testing.T) {
	jobs := schema.GroupResource{Group: "batch", Resource: "jobs"}
	tests := map[string]struct {
		err  error
		want rollout.JobStatus
	}{
		"by a quota": {
			apierrors.NewForbidden(jobs, "web-canary-7-1-0", errors.New(
				"exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=5, limited: count/jobs.batch=5")),
			rollout.JobStatus{
				Run: "7-1-0", Phase: rollout.JobUnmakable,
				Message: `jobs.batch "web-canary-7-1-0" is forbidden: ` +
					"exceeded quota: q, requested: count/jobs.batch=1, limited: count/jobs.batch=5",
			},
		},
		"because a webhook does not support dry runs": {
			apierrors.NewBadRequest("no dry run"), rollout.JobStatus{Run: "7-1-0", Phase: rollout.JobMissing},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := atJobStep(t, smoke())
			s.Client = interceptor.NewClient(s.Live.(client.WithWatch), interceptor.Funcs{
				Create: func(_ context.Context, _ client.WithWatch, _ client.Object, opts ...client.CreateOption) error {
					options := (&client.CreateOptions{}).ApplyOptions(opts)
					if len(options.DryRun) == 0 || !options.DisableReadYourWritesConsistency {
						t.Errorf("an observation writes: %+v", options)
					}
					return tt.err
				},
			})
			if err := s.lookAtJob(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, s.Job); diff != "" {
				t.Errorf("Job (-want +got):\n%s", diff)
			}
			if canMake := tt.want.Phase == rollout.JobMissing; canMake != (s.canaryJobs.toCreate != nil) {
				t.Errorf("the Job to make is %v", s.canaryJobs.toCreate)
			}
		})
	}
}

func TestApplyJob(t *testing.T) {
	done := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}
	stranger := jobOf(atJobStep(t).snapshot, "web-canary-7-0-0")
	stranger.OwnerReferences[0].UID = "u9"
	leaving := jobOf(atJobStep(t).snapshot, "web-canary-7-0-0")
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"example.com/slow"}
	tests := map[string]struct {
		objects []client.Object
		at      func(*rollout.State) // where the decision stands
		wanted  bool                 // by the decision
		want    []string
	}{
		"it is made":                    {wanted: true, want: []string{"create web-canary-7-1-0"}},
		"it is not made unless decided": {},
		"one that runs is let run":      {objects: []client.Object{jobOf(atJobStep(t).snapshot, "web-canary-7-1-0")}},
		"a pause does not stop it": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, "web-canary-7-1-0")},
			at:      func(s *rollout.State) { s.Paused = true },
		},
		"whoever skips the step stops it": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, "web-canary-7-1-0")},
			at:      func(s *rollout.State) { s.Skipped = true },
			want:    []string{"delete web-canary-7-1-0"},
		},
		"a rollback stops it": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, "web-canary-7-1-0")},
			at:      func(s *rollout.State) { s.Mode = rollout.ModeRolledBack },
			want:    []string{"delete web-canary-7-1-0"},
		},
		"another try stops that of the one before": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, "web-canary-7-1-0")},
			at:      func(s *rollout.State) { s.Losses = 1 },
			want:    []string{"delete web-canary-7-1-0"},
		},
		"a result stays": {
			objects: []client.Object{jobOf(atJobStep(t).snapshot, "web-canary-7-1-0", done)},
			at:      func(s *rollout.State) { s.Mode = rollout.ModeRolledBack },
		},
		"that of another Deployment is none of its business": {objects: []client.Object{stranger}},
		"one is not stopped twice":                           {objects: []client.Object{leaving}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := atJobStep(t, append(tt.objects, smoke())...)
			if err := s.lookAtJob(t.Context()); err != nil {
				t.Fatal(err)
			}
			d := rollout.Decision{Canary: &rollout.CanaryGoal{State: s.Canary.State}}
			if tt.at != nil {
				tt.at(&d.Canary.State)
			}
			if tt.wanted {
				d.Job = s.Canary.State.DueJob()
			}
			s.ledger.writes = nil // what was asked
			if err := s.applyJob(t.Context(), s.snapshot, d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.ledger.writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

// A test may write anywhere, so none begins for a rollout that another manager
// aborted meanwhile.
func TestApplyJobStale(t *testing.T) {
	s := atJobStep(t, smoke())
	if err := s.lookAtJob(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := rollout.Decision{Canary: &rollout.CanaryGoal{State: s.Canary.State}, Job: s.Canary.State.DueJob()}
	newer := s.canaryDep.DeepCopy()
	newer.Generation++
	if err := s.Live.(client.Client).Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	s.ledger.writes = nil
	if err := s.applyJob(t.Context(), s.snapshot, d); !errors.Is(err, errStale) || len(s.ledger.writes) > 0 {
		t.Errorf("runJob() = %v, writes %v; want errStale and none", err, s.ledger.writes)
	}
}

// A Job that is deleted without a word on its pods leaves them running.
func TestStopJobsStopsPods(t *testing.T) {
	s := atJobStep(t, jobOf(atJobStep(t).snapshot, "web-canary-7-1-0"))
	if err := s.lookAtJob(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got client.DeleteOptions
	s.Client = interceptor.NewClient(s.Live.(client.WithWatch), interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, opts ...client.DeleteOption) error {
			got.ApplyOptions(opts)
			return nil
		},
	})
	if err := s.stopJobs(t.Context(), s.snapshot, rollout.Decision{}); err != nil {
		t.Fatal(err)
	}
	background := ptr.Deref(got.PropagationPolicy, "") == metav1.DeletePropagationBackground
	if !background || got.Preconditions == nil || *got.Preconditions.UID != "j1" {
		t.Errorf("deleted with %+v, want in the background, and that very Job", got)
	}
}

func TestRolloutTestedBy(t *testing.T) {
	s := atJobStep(t)
	ours := jobOf(s.snapshot, "web-canary-7-1-0")
	users, orphan, cronned := ours.DeepCopy(), ours.DeepCopy(), ours.DeepCopy()
	users.Labels = nil
	orphan.OwnerReferences[0].Name = "gone"
	cronned.OwnerReferences[0].Kind = "CronJob"
	tests := map[string]struct {
		job  *batchv1.Job
		want int
	}{
		"ours":                        {ours, 1},
		"a user's":                    {users, 0},
		"one whose canary is gone":    {orphan, 0},
		"one that a CronJob made":     {cronned, 0},
		"one that somebody cut loose": {&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Labels: ours.Labels}}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.rolloutTestedBy(t.Context(), tt.job)
			if len(got) != tt.want || tt.want == 1 && got[0].String() != "shop/web" {
				t.Errorf("got %v, want %d, of shop/web", got, tt.want)
			}
		})
	}
}

// lookAtJob observes Jobs and answers what a decision asks about the present one.
func (s fixture) lookAtJob(ctx context.Context) error {
	if err := s.observeJobs(ctx, s.snapshot); err != nil {
		return err
	}
	if goal := s.Canary.State.DueJob(); goal != nil {
		return s.answer(ctx, s.snapshot, rollout.Needs{Job: goal})
	}
	return nil
}
