package spec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headgate/headgate/rollout/spec"
)

func TestParseSpec(t *testing.T) {
	m := time.Minute
	cases := map[string]struct {
		annotations map[string]string
		want        spec.Spec
	}{
		"a canary needs one word": {
			map[string]string{"headgate.dev/strategy": "canary"},
			spec.Spec{
				Strategy: spec.Canary, ProgressDeadline: 10 * m, Restart: spec.RestartRolling, Promotion: spec.PromotionAdoption,
				Steps: []spec.Step{
					weight(10), wait(5 * m), weight(25), wait(5 * m), weight(50), wait(5 * m), weight(75), wait(5 * m), weight(100), wait(5 * m),
				},
			},
		},
		"so does blue-green, whose analysis step passes without an analysis": {
			map[string]string{"headgate.dev/strategy": "blue-green"},
			spec.Spec{
				Strategy: spec.BlueGreen, ProgressDeadline: 10 * m, Restart: spec.RestartRolling, Promotion: spec.PromotionAdoption,
				Steps: []spec.Step{weight(0), analysis, weight(100), wait(5 * m)},
			},
		},
		"everything that can be written": {
			map[string]string{
				"headgate.dev/strategy":          "canary",
				"headgate.dev/steps":             "5%, analysis",
				"headgate.dev/analysis":          "p99 <= 500ms\n",
				"headgate.dev/service":           "web, web-internal",
				"headgate.dev/ingress":           "web.example.org",
				"headgate.dev/track-label":       "app.kubernetes.io/name",
				"headgate.dev/progress-deadline": "1d",
				"headgate.dev/rollout-deadline":  "2d",
				"headgate.dev/preview-host":      "preview.web.example.com",
				"headgate.dev/gates":             "start https://gate.example.com",
				"headgate.dev/rollback-window":   "3",
				"headgate.dev/restart":           "canary",
				"headgate.dev/promotion":         "rolling",
				"headgate.dev/report-status":     "kstatus",
				"headgate.dev/command":           "abort",
			},
			spec.Spec{
				Strategy: spec.Canary, Steps: []spec.Step{weight(5), analysis}, Analysis: "p99 <= 500ms\n",
				Services: []string{"web", "web-internal"}, Ingresses: []string{"web.example.org"},
				TrackLabel: "app.kubernetes.io/name", ProgressDeadline: 24 * time.Hour,
				RolloutDeadline: 48 * time.Hour, PreviewHost: "preview.web.example.com", RollbackWindow: 3,
				Gates:   []spec.Gate{{Before: spec.GateStart, URL: "https://gate.example.com", Timeout: 10 * time.Second}},
				Restart: spec.RestartCanary, Promotion: spec.PromotionRolling,
			},
		},
		"what Headgate and others write is not read": {
			map[string]string{
				"headgate.dev/strategy": "canary", "headgate.dev/steps": "5%",
				"headgate.dev/rollout": "7", "headgate.dev/phase": "Pending", "example.org/steps": "x",
			},
			spec.Spec{
				Strategy: spec.Canary, Steps: []spec.Step{weight(5)}, ProgressDeadline: 10 * m,
				Restart: spec.RestartRolling, Promotion: spec.PromotionAdoption,
			},
		},
		"a mistyped command does not stop the rollout": {
			map[string]string{"headgate.dev/strategy": "canary", "headgate.dev/steps": "5%", "headgate.dev/command": "abrt"},
			spec.Spec{
				Strategy: spec.Canary, Steps: []spec.Step{weight(5)}, ProgressDeadline: 10 * m,
				Restart: spec.RestartRolling, Promotion: spec.PromotionAdoption,
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := spec.ParseSpec(c.annotations)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseSpecErrors(t *testing.T) {
	const aHost = `: is not a host name in lower case, e.g. headgate.dev/preview-host: preview.web.example.com`
	const aWindow = `: a rollback window is a number of revisions, 1..100, e.g. headgate.dev/rollback-window: 3`
	const names = `: names are lower-case letters, digits and '-', separated by commas, e.g. `
	cases := map[string]struct {
		key, value string
		want       string
	}{
		"a weight above 100": {
			"steps", "10%, 120%",
			`annotation headgate.dev/steps: "120%": a weight is a whole number 0..100, e.g. headgate.dev/steps: 10%, 5m, 50%, 5m, 100%`,
		},
		"no steps": {
			"steps", "",
			`annotation headgate.dev/steps: "": ` + spec.StepSyntax() + `, e.g. headgate.dev/steps: 10%, 5m, 50%, 5m, 100%`,
		},
		"an unknown strategy": {
			"strategy", "rolling",
			`annotation headgate.dev/strategy: "rolling": a strategy is canary or blue-green, e.g. headgate.dev/strategy: canary`,
		},
		"an analysis that says nothing": {
			"analysis", " ",
			`annotation headgate.dev/analysis: " ": is empty; remove the annotation to go by readiness and time only, e.g. ` +
				`headgate.dev/analysis: success-rate >= 99%, p99 <= 500ms`,
		},
		"an analysis step with nothing to measure": {
			"steps", "10%, analysis",
			`annotation headgate.dev/analysis: "": headgate.dev/steps has an analysis step, so this annotation must say what to measure, ` +
				`e.g. headgate.dev/analysis: success-rate >= 99%, p99 <= 500ms`,
		},
		"a Service that no Service can be called": {
			"service", "web,Web", `annotation headgate.dev/service: "Web"` + names + `headgate.dev/service: web`,
		},
		"a Service that is missing": {
			"service", "web,", `annotation headgate.dev/service: ""` + names + `headgate.dev/service: web`,
		},
		"a Service twice": {
			"service", "web, web", `annotation headgate.dev/service: "web": is named twice, e.g. headgate.dev/service: web`,
		},
		"an Ingress in another namespace": {
			"ingress", "prod/web", `annotation headgate.dev/ingress: "prod/web"` + names + `headgate.dev/ingress: web`,
		},
		"a label with its value": {
			"track-label", "app=web",
			`annotation headgate.dev/track-label: "app=web": is not a label key, e.g. headgate.dev/track-label: app.kubernetes.io/instance`,
		},
		"a deadline without a unit": {
			"progress-deadline", "600",
			`annotation headgate.dev/progress-deadline: "600": a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at ` +
				`most 365d, e.g. headgate.dev/progress-deadline: 10m`,
		},
		"no time at all to become Available": {
			"progress-deadline", "0s",
			`annotation headgate.dev/progress-deadline: "0s": a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most ` +
				`365d, e.g. headgate.dev/progress-deadline: 10m`,
		},
		"no time at all for a rollout": {
			"rollout-deadline", "0s",
			`annotation headgate.dev/rollout-deadline: "0s": a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most ` +
				`365d, e.g. headgate.dev/rollout-deadline: 24h`,
		},
		"a preview without a domain":  {"preview-host", "preview", `annotation headgate.dev/preview-host: "preview"` + aHost},
		"a preview of a whole domain": {"preview-host", "*.example.com", `annotation headgate.dev/preview-host: "*.example.com"` + aHost},
		"a preview with its scheme": {
			"preview-host", "https://a.example.com", `annotation headgate.dev/preview-host: "https://a.example.com"` + aHost,
		},
		"a preview in capitals": {
			"preview-host", "Preview.example.com", `annotation headgate.dev/preview-host: "Preview.example.com"` + aHost,
		},
		"no window":               {"rollback-window", "0", `annotation headgate.dev/rollback-window: "0"` + aWindow},
		"a window without an end": {"rollback-window", "101", `annotation headgate.dev/rollback-window: "101"` + aWindow},
		"a window with a sign":    {"rollback-window", "+3", `annotation headgate.dev/rollback-window: "+3"` + aWindow},
		"a window in time":        {"rollback-window", "3d", `annotation headgate.dev/rollback-window: "3d"` + aWindow},
		"a gate before nothing": {
			"gates", "https://gate.example.com",
			`annotation headgate.dev/gates: "https://gate.example.com": a gate is a point (start, rise or promotion) and a URL, e.g. ` +
				`headgate.dev/gates: start https://gate.example.com/web, promotion https://gate.example.com/web`,
		},
		"a restart that is neither": {
			"restart", "Canary",
			`annotation headgate.dev/restart: "Canary": a restart is rolling or canary, e.g. headgate.dev/restart: canary`,
		},
		"a report that nobody reads": {
			"report-status", "true",
			`annotation headgate.dev/report-status: "true": the only value is kstatus; remove the annotation to report nothing, ` +
				`e.g. headgate.dev/report-status: kstatus`,
		},
		"an annotation that is not one of ours": {
			"step", "10%",
			"annotation headgate.dev/step: there is no such annotation; there are " + strings.Join(spec.Annotations(), ", "),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			annotations := map[string]string{"headgate.dev/strategy": "canary"}
			annotations["headgate.dev/"+c.key] = c.value
			got, err := spec.ParseSpec(annotations)
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
			var wrong *spec.AnnotationError
			if !errors.As(err, &wrong) {
				t.Errorf("%T is no AnnotationError", err)
			}
			if diff := cmp.Diff(spec.Spec{}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseSpecReportsEverythingAtOnce(t *testing.T) {
	annotations := map[string]string{
		"headgate.dev/strategy": "", "headgate.dev/steps": "x", "headgate.dev/service": "X",
		"headgate.dev/a": "", "headgate.dev/b": "",
	}
	_, err := spec.ParseSpec(annotations)
	if err == nil {
		t.Fatal("no error")
	}
	var keys []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		keys = append(keys, strings.SplitN(line, ":", 2)[0])
	}
	want := []string{
		"annotation headgate.dev/strategy", "annotation headgate.dev/service", "annotation headgate.dev/steps", "annotation headgate.dev/a",
		"annotation headgate.dev/b",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
}

// Nobody opts out of the examples: each is what an error tells a person to write.
func TestEveryExampleParses(t *testing.T) {
	for _, key := range []string{
		"strategy", "steps", "analysis", "service", "ingress", "track-label", "progress-deadline", "rollout-deadline", "preview-host",
		"gates", "rollback-window", "restart",
	} {
		annotations := map[string]string{"headgate.dev/strategy": "canary"}
		annotations["headgate.dev/"+key] = ""
		_, err := spec.ParseSpec(annotations)
		if err == nil {
			t.Fatalf("%s: an empty value is accepted", key)
		}
		_, example, found := strings.Cut(err.Error(), "e.g. headgate.dev/"+key+": ")
		if !found {
			t.Fatalf("no example in %v", err)
		}
		annotations["headgate.dev/"+key] = example
		if _, err := spec.ParseSpec(annotations); err != nil {
			t.Errorf("the example does not parse: %v", err)
		}
	}
}

func TestOptedIn(t *testing.T) {
	cases := map[string]struct {
		annotations map[string]string
		want        bool
	}{
		"nothing written":                   {nil, false},
		"steps alone mean nothing":          {map[string]string{"headgate.dev/steps": "10%"}, false},
		"a strategy opts in":                {map[string]string{"headgate.dev/strategy": "canary"}, true},
		"so does one that nobody can parse": {map[string]string{"headgate.dev/strategy": ""}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := spec.OptedIn(c.annotations); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

func TestUnrestarted(t *testing.T) {
	template := func(annotations map[string]string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}}
	}
	restarted := template(map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-11-22T10:00:00Z", "example.org/note": "x"})
	before := restarted.DeepCopy()
	if diff := cmp.Diff(template(map[string]string{"example.org/note": "x"}), spec.Unrestarted(restarted)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(*before, restarted); diff != "" {
		t.Error("the template was modified:", diff)
	}
	if diff := cmp.Diff(template(nil), spec.Unrestarted(template(nil))); diff != "" {
		t.Error("one that was never restarted:", diff)
	}
}

func TestParseCommand(t *testing.T) {
	for _, verb := range []string{"promote", "promote-full", "pause", "resume", "abort", "retry"} {
		for _, id := range []string{"", "7"} {
			want := spec.Command{Verb: verb, Rollout: id}
			got, err := spec.ParseCommand(want.String())
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", want, err, diff)
			}
		}
	}
}

func TestParseCommandErrors(t *testing.T) {
	const verbs = `: a command is one of promote, promote-full, pause, resume, abort, retry, e.g. headgate.dev/command: promote`
	const number = `: after the colon comes the number in headgate.dev/rollout, e.g. headgate.dev/command: promote`
	cases := map[string]struct{ text, want string }{
		"nothing":                  {"", `""` + verbs},
		"a typo":                   {"promte:7", `"promte:7"` + verbs},
		"a capital":                {"Abort", `"Abort"` + verbs},
		"a rollout without a verb": {":7", `":7"` + verbs},
		"a rollout left out":       {"abort:", `"abort:"` + number},
		"a rollout not a number":   {"abort:web", `"abort:web"` + number},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := spec.ParseCommand(c.text)
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			want := `annotation headgate.dev/command: ` + c.want
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	_, err := spec.ParseSpec(map[string]string{spec.AnnotationStrategy: "red", spec.AnnotationSteps: "half", spec.AnnotationService: "Web"})
	if got := spec.Faults(fmt.Errorf("no fault of its own: %w", err)); len(got) != 1 {
		t.Errorf("an error that joins none is %d faults", len(got))
	}
	if got := spec.Faults(errors.Join(err, errors.New("another"))); len(got) != 4 {
		t.Errorf("got %d faults: %v", len(got), got)
	}
}
