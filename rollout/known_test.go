package rollout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

func TestParseKnownTemplate(t *testing.T) {
	for text, want := range map[string]rollout.KnownTemplate{
		"revision 5, template 1f2e/2026-11-28T12:00:00Z": {Revision: "5", Template: "1f2e/2026-11-28T12:00:00Z"},
		"":                       {},
		"revision 5":             {},
		"Revision 5, template 1": {},
		"5, template 1f2e":       {},
	} {
		got := rollout.ParseKnownTemplate(text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if got != (rollout.KnownTemplate{}) && got.String() != text {
			t.Errorf("%q became %q", text, got.String())
		}
	}
}

// What goes out while nobody looks is reported once, and nothing else is. Each case is
// at rest at revision 6 with template v2.
func TestKnownTemplate(t *testing.T) {
	const found = "revision 6 went out without a canary while Headgate did not look: it was not held (is the webhook registered?)"
	known := func(revision, template string) rollout.KnownTemplate {
		return rollout.KnownTemplate{Revision: revision, Template: template}
	}
	now := known("6", "v2/")
	for name, c := range map[string]struct {
		known  rollout.KnownTemplate
		change func(*rollout.Observation)
		report string                 // "": nothing is reported
		want   *rollout.KnownTemplate // nil: the record stays
	}{
		"nothing happened":                    {known: now},
		"the opt-in or the deployment is new": {want: &now},
		"a new template":                      {known: known("5", "v1/"), report: found, want: &now},
		"a restart": {
			known: known("5", "v2/10h"), want: &now,
		},
		"a restart that wants a canary": {
			known: known("5", "v2/10h"), report: found, want: &now,
			change: func(o *rollout.Observation) { o.Spec.Restart = spec.RestartCanary },
		},
		"a template that a new Headgate reads otherwise": {known: known("6", "other/"), want: &now},
		"a new template and back again":                  {known: known("4", "v2/"), want: &now},
		"a template that Headgate released":              {known: known("5", "v2/"), want: &now},
		"a new template with strategy Recreate": {
			known: known("5", "v1/"), want: &now, change: func(o *rollout.Observation) { o.Stable.Recreate = true },
			report: "revision 6 went out without a canary while Headgate did not look: " +
				"strategy Recreate stops the old pods before there are new ones, so there is nothing to split",
		},
		"a new template at 0 replicas": {
			known: known("5", "v1/"), want: &now,
			change: func(o *rollout.Observation) { o.Stable.Replicas, o.Stable.TemplateRuns = 0, false },
		},
		"a new template on which the Deployment controller has not acted": {
			known: known("5", "v1/"), change: func(o *rollout.Observation) { o.Stable.UpToDate = false },
		},
		"a new template that somebody paused before it ran": {
			known: known("5", "v1/"), change: func(o *rollout.Observation) { o.Stable.TemplateRuns = false },
		},
		"a new template while the annotations do not parse": {
			known: known("5", "v1/"), change: func(o *rollout.Observation) { o.SpecErr = errDamaged },
		},
		"a new template after opting out": {
			known: known("5", "v1/"), change: func(o *rollout.Observation) { o.Stable.OptedIn = false }, want: &rollout.KnownTemplate{},
		},
		"a template that is held": {
			known: known("5", "v1/"), change: func(o *rollout.Observation) {
				o.Stable.Hold, o.Stable.TemplateRuns, o.Stable.Phase = "7", false, spec.RolledBack
			},
		},
		"a template that is released now": {
			known: known("5", "v1/"), want: &now, change: func(o *rollout.Observation) {
				o.Stable.Hold, o.Stable.TemplateRuns, o.Stable.Runs = "7", false, false
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := rollout.Observation{Now: noon, Stable: rollout.Stable{
				Name: "web", OptedIn: true, Template: "v2", Version: "v2/", Replicas: 4, Available: 4, Runs: true, TemplateRuns: true,
				UpToDate: true, Complete: true, Revision: "6", Reason: reason.Ready, Known: c.known,
			}}
			if c.change != nil {
				c.change(&o)
			}
			d := rollout.Next(o)
			report := ""
			if d.Reason == reason.BypassFound {
				report = d.Message
			}
			if diff := cmp.Diff(c.report, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, d.Known); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if d.Known != nil && o.Stable.Hold == "" {
				o.Stable.Known, o.Stable.Reason = *d.Known, d.Reason
				if again := rollout.Next(o); again.Reason == reason.BypassFound || again.Known != nil {
					t.Errorf("the next look reports or records again: %+v", again)
				}
			}
		})
	}
}
