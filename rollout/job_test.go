package rollout_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// What a job step does about what is seen of its Job.
func TestJobs(t *testing.T) {
	due := &rollout.JobGoal{Template: "smoke", Run: "7-1-0"}
	seen := func(phase rollout.JobPhase) *rollout.JobStatus {
		return &rollout.JobStatus{Run: "7-1-0", Phase: phase, Message: "as seen"}
	}
	deadline := func(o *rollout.Observation) { o.Now = noon.AddDate(0, 0, 1) }
	clockSet := func(o *rollout.Observation) { o.SteadySince = o.Now } // so nobody knows whether routers know
	pausedThere := func(o *rollout.Observation) { o.Canary.State.Paused = true }
	cases := map[string]struct {
		job    *rollout.JobStatus
		at     func(*rollout.Observation)
		goal   *rollout.JobGoal
		reason reason.Reason
	}{
		"nobody has looked yet":                {nil, nil, nil, reason.JobRunning},
		"there is none":                        {seen(rollout.JobMissing), nil, due, reason.JobRunning},
		"there is none, and the clock was set": {seen(rollout.JobMissing), clockSet, nil, reason.JobRunning},
		"it runs":                              {seen(rollout.JobActive), nil, due, reason.JobRunning},
		"it runs, for as long as it likes":     {seen(rollout.JobActive), deadline, due, reason.JobRunning},
		"it has succeeded":                     {seen(rollout.JobSucceeded), nil, nil, reason.CanaryStarting},
		"it has failed":                        {seen(rollout.JobFailedPhase), nil, nil, reason.JobFailed},
		"it cannot be made":                    {seen(rollout.JobUnmakable), nil, nil, reason.JobUnavailable},
		"it cannot be made for too long":       {seen(rollout.JobUnmakable), deadline, nil, reason.ProgressDeadlineExceeded},
		"it can be made late":                  {seen(rollout.JobMissing), deadline, due, reason.JobRunning},
		"another one has failed":               {&rollout.JobStatus{Run: "7-0-0", Phase: rollout.JobFailedPhase}, nil, nil, reason.JobRunning},
		"another one has succeeded":            {&rollout.JobStatus{Run: "6-1-0", Phase: rollout.JobSucceeded}, nil, nil, reason.JobRunning},
		"it runs, in a pause by command":       {seen(rollout.JobActive), pausedThere, due, reason.PausedByCommand},
		"there is none, in a pause by command": {seen(rollout.JobMissing), pausedThere, nil, reason.PausedByCommand},
		"it fails in a pause by command":       {seen(rollout.JobFailedPhase), pausedThere, nil, reason.PausedByCommand},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Plan, o.Canary.State.Steps[1], o.Job = nil, step("job=smoke"), c.job
			if c.at != nil {
				c.at(&o)
			}
			d := rollout.Next(o)
			if diff := cmp.Diff(c.goal, d.Job); diff != "" || d.Reason != c.reason {
				t.Errorf("%s: %s\n%s", d.Reason, d.Message, diff)
			}
		})
	}
}

// What a job step with a condition does about the number that its Job wrote.
func TestJobResult(t *testing.T) {
	cases := map[string]struct {
		condition string
		number    float64
		reason    reason.Reason
		told      string
	}{
		"a good score": {
			">= 0.9", 0.93, reason.CanaryStarting,
			"JobPassed: rollout 7: at weight 10: Job web-canary-7-1-0 has the result 0.93, want >= 0.9",
		},
		"a score at the bound": {
			">= 90%", 0.9, reason.CanaryStarting,
			"JobPassed: rollout 7: at weight 10: Job web-canary-7-1-0 has the result 90%, want >= 90%",
		},
		"a bad score": {
			">= 0.9", 0.89996, reason.JobFailed,
			"JobFailed: rollout 7: rolled back, stable serves all traffic: at weight 10: " +
				"Job web-canary-7-1-0 has the result 0.89996, want >= 0.9. " +
				"To try the same template again: kubectl annotate deployment/web headgate.dev/command=retry",
		},
		"a time that is too long": {
			"< 500ms", 0.75, reason.JobFailed,
			"JobFailed: rollout 7: rolled back, stable serves all traffic: at weight 10: " +
				"Job web-canary-7-1-0 has the result 750ms, want < 500ms. " +
				"To try the same template again: kubectl annotate deployment/web headgate.dev/command=retry",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Plan, o.Canary.State.Steps[1] = nil, step("job=smoke "+c.condition)
			o.Job = &rollout.JobStatus{
				Run: "7-1-0", Phase: rollout.JobSucceeded, Result: rollout.JobResult{Job: "web-canary-7-1-0", Number: c.number},
			}
			d := rollout.Next(o)
			told := []string{fmt.Sprintf("%s: %s", d.Reason, d.Message)}
			for _, n := range d.Notes {
				told = append(told, fmt.Sprintf("%s: %s", n.Reason, n.Message))
			}
			if d.Reason != c.reason || !slices.Contains(told, c.told) {
				t.Errorf("%s, told %q, want %q", d.Reason, told, c.told)
			}
		})
	}
}

// A good result stays good while the rollout waits for something else at the step, and is
// told once: nobody looks at the Job again, whose pod may be gone.
func TestJobResultIsRemembered(t *testing.T) {
	o := running()
	o.Plan, o.Canary.State.Steps[1] = nil, step(scored)
	o.Spec.Gates = []spec.Gate{{Before: spec.GateRise, URL: "https://gate.example.com"}}
	o.Job = &rollout.JobStatus{
		Run: "7-1-0", Phase: rollout.JobSucceeded, Result: rollout.JobResult{Job: "web-canary-7-1-0", Number: 0.93},
	}
	o.Gate = &rollout.GateAnswer{Point: spec.GateRise, Message: "closed"}
	d := rollout.Next(o)
	if d.Reason != reason.AwaitingGate || len(d.Notes) != 1 || !d.Canary.State.JobPassed {
		t.Fatalf("%s: %s, notes %v", d.Reason, d.Message, d.Notes)
	}
	o.Canary.State, o.Job = d.Canary.State, nil
	if d = rollout.Next(o); d.Needs.Job != nil || d.Reason != reason.AwaitingGate || len(d.Notes) > 0 {
		t.Errorf("%s: %s, needs %v, notes %v", d.Reason, d.Message, d.Needs.Job, d.Notes)
	}
	o.Gate.Open = true
	if d = rollout.Next(o); d.Canary.State.Step != 2 || d.Canary.State.JobPassed {
		t.Errorf("%s: %s, state %+v", d.Reason, d.Message, d.Canary.State)
	}
}

// A Job is due at its step, in a rollout that goes on.
func TestJobDue(t *testing.T) {
	cases := map[string]struct {
		change func(*rollout.Observation)
		want   string
	}{
		"at its step":               {func(*rollout.Observation) {}, "7-1-0"},
		"after a loss a new one is": {func(o *rollout.Observation) { o.Canary.State.Losses = 2 }, "7-1-2"},
		"not at another step":       {func(o *rollout.Observation) { o.Canary.State.Step = 2 }, ""},
		"not behind the last step":  {func(o *rollout.Observation) { o.Canary.State.Step = 3 }, ""},
		"not once it was skipped":   {func(o *rollout.Observation) { o.Canary.State.Skipped = true }, ""},
		"not after a rollback":      {func(o *rollout.Observation) { o.Canary.State.Mode = rollout.ModeRolledBack }, ""},
		"not while promoting":       {func(o *rollout.Observation) { o.Canary.State.Mode = rollout.ModePromoting }, ""},
		"not without a canary":      {func(o *rollout.Observation) { o.Canary = nil }, ""},
		"not with a damaged state":  {func(o *rollout.Observation) { o.Canary.StateErr = errDamaged }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Canary.State.Steps[1] = step("job=smoke")
			c.change(&o)
			got := ""
			if due := rollout.Next(o).Needs.Job; due != nil {
				got = due.Run
			}
			if got != c.want {
				t.Errorf("due is %q, want %q", got, c.want)
			}
		})
	}
}
