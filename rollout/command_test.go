package rollout_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

var errDamaged = errors.New("damaged")

// What a command does depends on where the rollout is. Every cell ends with the
// command taken off the Deployment.
func TestCommands(t *testing.T) {
	const refused = "CommandRefused: "
	cases := map[string]struct {
		command string
		at      func(*rollout.Observation)
		want    string // the first note
		phase   spec.Phase
		hold    rollout.HoldGoal
	}{
		"abort takes the traffic away": {"abort", nil, "CommandTaken: rollout 7: abort", spec.RolledBack, rollout.KeepHold},
		"abort by name":                {"abort:7", nil, "CommandTaken: rollout 7: abort", spec.RolledBack, rollout.KeepHold},
		"abort of another rollout": {
			"abort:5", nil, refused + "rollout 7: abort:5 is refused: it names rollout 5", spec.Progressing, rollout.KeepHold,
		},
		"pause": {"pause", nil, "CommandTaken: rollout 7: pause", spec.Paused, rollout.KeepHold},
		"resume": {
			"resume", pausedByCommandAt, "CommandTaken: rollout 7: resume", spec.Progressing, rollout.KeepHold,
		},
		"resume of what runs": {
			"resume", nil, refused + "rollout 7: resume is refused: nothing is paused by command", spec.Progressing, rollout.KeepHold,
		},
		"promote ends a wait": {"promote", nil, "CommandTaken: rollout 7: promote", spec.Progressing, rollout.KeepHold},
		"promote ends a pause by command": {
			"promote", pausedByCommandAt, "CommandTaken: rollout 7: promote", spec.Progressing, rollout.KeepHold,
		},
		"promote while a weight is being set": {
			"promote", atStep(2),
			refused + "rollout 7: promote is refused: this step has no wait that promote could end; promote-full skips the steps that are left",
			spec.Progressing, rollout.KeepHold,
		},
		"promote while a header is being set": {
			"promote", atWord("header=X-Canary"),
			refused + "rollout 7: promote is refused: this step has no wait that promote could end; promote-full skips the steps that are left",
			spec.Progressing, rollout.KeepHold,
		},
		"promote while a cookie is being set": {
			"promote", atWord("cookie=canary"),
			refused + "rollout 7: promote is refused: this step has no wait that promote could end; promote-full skips the steps that are left",
			spec.Progressing, rollout.KeepHold,
		},
		"promote while the canary grows": {
			"promote", atWord("scale=3"),
			refused + "rollout 7: promote is refused: this step has no wait that promote could end; promote-full skips the steps that are left",
			spec.Progressing, rollout.KeepHold,
		},
		"promote ends the wait for a Job": {
			"promote", atWord("job=smoke"), "CommandTaken: rollout 7: promote", spec.Progressing, rollout.KeepHold,
		},
		"promote-full beside a Job": {
			"promote-full", atWord("job=smoke"), "CommandTaken: rollout 7: promote-full", spec.Promoting, rollout.Release,
		},
		"promote-full at the deadline": {
			"promote-full", late, "CommandTaken: rollout 7: promote-full", spec.Promoting, rollout.Release,
		},
		"resume at the deadline": {"resume", late, "CommandTaken: rollout 7: resume", spec.RolledBack, rollout.KeepHold},
		"promote of a wait that was ended before": {
			"promote", skipped,
			refused + "rollout 7: promote is refused: this step has no wait that promote could end; promote-full skips the steps that are left",
			spec.Progressing, rollout.KeepHold,
		},
		"promote-full releases the template": {
			"promote-full", nil, "CommandTaken: rollout 7: promote-full", spec.Promoting, rollout.Release,
		},
		"retry of what runs": {
			"retry", nil, refused + "rollout 7: retry is refused: retry is for a rollout that was rolled back", spec.Progressing, rollout.KeepHold,
		},
		"nonsense": {
			"abrt", nil,
			refused +
				`rollout 7: headgate.dev/command is refused: annotation headgate.dev/command: "abrt": a command is one of promote, promote-full, ` +
				`pause, resume, abort, retry, e.g. headgate.dev/command: promote`,
			spec.Progressing, rollout.KeepHold,
		},

		"promote-full together with the verdict that ends the rollout": {
			"promote-full", failing, "MeasurementFailed: rollout 7: Fail at weight 10: too many errors", spec.RolledBack, rollout.KeepHold,
		},

		"retry after a rollback":        {"retry", rolledBack, "CommandTaken: rollout 7: retry", spec.Pending, rollout.RenewHold},
		"promote-full after a rollback": {"promote-full", rolledBack, "CommandTaken: rollout 7: promote-full", spec.Promoting, rollout.Release},
		"promote after a rollback": {
			"promote", rolledBack, refused + "rollout 7: promote is refused: the rollout was rolled back; use retry or promote-full",
			spec.RolledBack, rollout.KeepHold,
		},

		"retry after a rollback without a record": {
			"retry", recordless, "CommandTaken: rollout 7: retry", spec.Pending, rollout.RenewHold,
		},
		"promote-full after a rollback without a record": {"promote-full", recordless, "", "", rollout.Release},
		"promote after a rollback without a record": {
			"promote", recordless, refused + "rollout 7: promote is refused: the rollout was rolled back; use retry or promote-full",
			spec.RolledBack, rollout.KeepHold,
		},

		"abort while promoting": {
			"abort", promoting, refused + "rollout 7: abort is refused: the template is released already; to go back, apply the old template",
			spec.Promoting, rollout.KeepHold,
		},
		"abort of what is over": {
			"abort", retiring, refused + "rollout 7: abort is refused: the canary is being removed", spec.Pending, rollout.KeepHold,
		},
		"abort of nothing": {"abort", idle, refused + "abort is refused: there is no rollout", "", rollout.KeepHold},
		"nonsense about nothing": {
			"abrt", idle,
			refused +
				`headgate.dev/command is refused: annotation headgate.dev/command: "abrt": a command is one of promote, promote-full, pause, ` +
				`resume, abort, retry, e.g. headgate.dev/command: promote`,
			"", rollout.KeepHold,
		},

		"pause at the beginning": {
			"pause", beginning, "CommandTaken: rollout 7: pause", spec.Paused, rollout.KeepHold,
		},
		"abort at the beginning": {
			"abort", beginning, "CommandTaken: rollout 7: abort", spec.RolledBack, rollout.KeepHold,
		},
		"promote at the beginning": {
			"promote", beginning,
			refused + "rollout 7: promote is refused: this step has no wait that promote could end; promote-full skips the steps that are left",
			spec.Progressing, rollout.KeepHold,
		},
		"pause before the beginning": {
			"pause", pending, refused + "rollout 7: pause is refused: the rollout has not begun; use promote-full to release without a canary",
			spec.Pending, rollout.KeepHold,
		},
		"promote-full before the beginning": {"promote-full", pending, "", "", rollout.Release},
		"promote-full of another rollout before the beginning": {
			"promote-full:5", pending,
			refused + "rollout 7: promote-full:5 is refused: the rollout has not begun; use promote-full to release without a canary", spec.Pending,
			rollout.KeepHold,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			if c.at != nil {
				c.at(&o)
			}
			say(&o, c.command)
			d := rollout.Next(o)
			var note string
			if len(d.Notes) > 0 {
				note = string(d.Notes[0].Reason) + ": " + d.Notes[0].Message
			}
			if diff := cmp.Diff(c.want, note); diff != "" {
				t.Error(diff)
			}
			if len(d.Notes) > 1 && o.Measurement == nil {
				t.Errorf("%d notes: %v", len(d.Notes), d.Notes)
			}
			if d.Phase != c.phase || d.Hold != c.hold || !d.TakeCommand {
				t.Errorf("phase %q, hold %d, taken %v", d.Phase, d.Hold, d.TakeCommand)
			}
		})
	}
}

// A kill between the two writes that a command takes does not carry it out, or
// refuse it, twice; and does not swallow the next one.
func TestCommandsAreTakenOnce(t *testing.T) {
	o := running()
	say(&o, "promote-full")
	o.Canary.State = rollout.Next(o).Canary.State
	if d := rollout.Next(o); len(d.Notes) > 0 || !d.TakeCommand {
		t.Errorf("the same command again: %v", d.Notes)
	}
	say(&o, "abort")
	if d := rollout.Next(o); len(d.Notes) != 1 || d.Notes[0].Reason != reason.CommandRefused {
		t.Errorf("the next command: %v", d.Notes)
	}
	o.Command = nil
	o.Canary.State = rollout.Next(o).Canary.State
	say(&o, "promote-full")
	if d := rollout.Next(o); len(d.Notes) != 1 || d.Notes[0].Reason != reason.CommandRefused {
		t.Errorf("the same command much later: %v", d.Notes)
	}
}

func say(o *rollout.Observation, text string) {
	c, err := spec.ParseCommand(text)
	o.Command, o.CommandErr = &c, err
	if err != nil {
		o.Command = nil
	}
}

func pausedByCommandAt(o *rollout.Observation) { o.Canary.State.Paused = true }

func failing(o *rollout.Observation) {
	o.Measurement = &rollout.Measurement{Verdict: rollout.Fail, Message: "too many errors"}
}

func skipped(o *rollout.Observation) { o.Canary.State.Skipped = true }

func atStep(n int) func(*rollout.Observation) {
	return func(o *rollout.Observation) {
		o.Canary.State.Step, o.Canary.State.StepSince = n, o.Now
		o.Canary.State.Tally = rollout.Tally{At: o.Now, Last: rollout.Pass}
	}
}

// atWord is at that step, which is not done.
func atWord(word string) func(*rollout.Observation) {
	return func(o *rollout.Observation) {
		o.Canary.State.Steps[1] = step(word)
	}
}

// late is when the deadline has come, after a pause.
func late(o *rollout.Observation) {
	o.Canary.State.Paused = true
	o.Now = noon.AddDate(0, 0, 8)
}

func rolledBack(o *rollout.Observation) {
	o.Canary.State.Mode, o.Canary.State.Why = rollout.ModeRolledBack, reason.AnalysisFailed
	o.Canary.State.DrainSince = noon.Add(-time.Hour)
	o.Canary.Replicas, o.Canary.Available = 0, 0
	o.Traffic = rollout.Traffic{}
}

func recordless(o *rollout.Observation) {
	o.Canary, o.Traffic, o.Stable.Phase = nil, rollout.Traffic{}, spec.RolledBack
}

func promoting(o *rollout.Observation) {
	o.Canary.State.Mode, o.Canary.State.Step, o.Stable.Hold = rollout.ModePromoting, 3, ""
}

func retiring(o *rollout.Observation) {
	o.Canary.State.Mode, o.Canary.State.Why = rollout.ModeRetiring, reason.Superseded
}

func idle(o *rollout.Observation) {
	o.Canary, o.Traffic, o.Stable.Hold = nil, rollout.Traffic{}, ""
}

func beginning(o *rollout.Observation) {
	o.Canary, o.Traffic, o.Spec.Steps = nil, rollout.Traffic{}, []spec.Step{weight(10)}
}

func pending(o *rollout.Observation) {
	beginning(o)
	o.Problem = &rollout.Problem{Reason: reason.NoService, Message: "no Service selects the pods"}
}
