package spec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/headgate/headgate/rollout/spec"
)

// hostile is text that means something to YAML, to a URL, to a shell or to nobody.
var hostile = []string{
	"", " ", ",", ",,", "%", "0", "-1", "9999999999999999999", "1e9h", "365d", "999d", "null", "{}", "[]", "- &a [*a]", "../kube-system/web",
	"other-namespace/web", "web,web", "web, , web", "a.b", "*.example.com", "X\u0000Y", "\xff", "héllo", "promote:7:8", "start http://",
	"start https://gate.example.com timeout=9999h retries=99",
	"- setWeight: 1e99", "job=../x >= NaN", "header=X~((((((((((a*)*)*)*)*)*)*)*)*)*",
}

// Whatever one annotation says, ParseSpec either accepts something that is within the
// limits of its kind or blames annotations that exist, with an example.
func FuzzParseSpec(f *testing.F) {
	for i := range spec.Annotations() {
		for _, text := range hostile {
			f.Add(uint8(i), text)
		}
	}
	for i, text := range []string{
		"5%, 5m, analysis, 25%, 5m, 50%", "success-rate >= 99%", "web, api", "web.example", "app.kubernetes.io/instance", "1h30m", "7d",
		"preview.web.example.com", "start https://gate.example.com/web, promotion https://gate.example.com/web", "3", "canary", "rolling",
	} {
		f.Add(uint8(i), text)
	}
	f.Fuzz(func(t *testing.T, at uint8, text string) {
		keys := spec.Annotations()
		key := keys[int(at)%len(keys)]
		s, err := spec.ParseSpec(map[string]string{spec.AnnotationStrategy: "canary", spec.AnnotationAnalysis: "auto", key: text})
		if err != nil {
			checkBlame(t, err)
			return
		}
		checkDurations(t, s)
		for _, name := range slices.Concat(s.Services, s.Ingresses) {
			if strings.ContainsAny(name, "/ ") || len(validation.IsDNS1123Subdomain(name)) > 0 {
				t.Errorf("%s: %q names the object %q", key, text, name)
			}
		}
		if len(s.Steps) == 0 || s.RollbackWindow < 0 || s.RollbackWindow > 100 || strings.Contains(s.PreviewHost, "/") {
			t.Errorf("%s: %q is %+v", key, text, s)
		}
	})
}

func checkDurations(t *testing.T, s spec.Spec) {
	t.Helper()
	durations := map[string]time.Duration{"progress deadline": s.ProgressDeadline, "rollout deadline": s.RolloutDeadline}
	for _, step := range s.Steps {
		durations[step.String()] = step.Duration
	}
	for _, gate := range s.Gates {
		durations[gate.URL] = gate.Timeout
	}
	for what, d := range durations {
		if d < 0 || d > spec.MaxDuration {
			t.Errorf("%s takes %s", what, d)
		}
	}
}

// checkBlame checks each of the errors that err joins.
func checkBlame(t *testing.T, err error) {
	t.Helper()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			checkBlame(t, one)
		}
		return
	}
	blamed, ok := errors.AsType[*spec.AnnotationError](err)
	if !ok || !slices.Contains(spec.Annotations(), blamed.Key) || !strings.Contains(err.Error(), ", e.g. "+blamed.Key+": ") {
		t.Errorf("the writer is told: %v", err)
	}
}

// An annotation that does not exist is refused, and nothing else of it is read.
func FuzzUnknownAnnotation(f *testing.F) {
	for _, key := range []string{"step", "", "Steps", "steps ", "state", "rollout", "phase", "analysis-rules", "steps/x", "\x00"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key := "headgate.dev/" + name
		_, err := spec.ParseSpec(map[string]string{spec.AnnotationStrategy: "canary", key: "x"})
		known := slices.Contains(spec.Annotations(), key) || key == spec.AnnotationRollout || key == spec.AnnotationPhase
		if !known && (err == nil || !strings.Contains(err.Error(), "there is no such annotation")) {
			t.Errorf("%q: %v", key, err)
		}
	})
}

func FuzzParseCommand(f *testing.F) {
	for _, text := range []string{"promote", "promote:7", "promote-full", "abort:", "abort:x", "retry:7:8", "Promote", "pause "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := spec.ParseCommand(text)
		if err != nil {
			checkBlame(t, err)
			return
		}
		if c.String() != text {
			t.Errorf("%q is read as %+v, which is %q", text, c, c)
		}
	})
}

// Two templates are the same whichever of them is compared with the other, and what
// leaves something out of a template changes a copy.
func FuzzTemplate(f *testing.F) {
	for _, pair := range [][2]string{
		{`{}`, `null`},
		{`{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"1"}}}`, `{"metadata":{"annotations":{}}}`},
		{`{"metadata":{"labels":{"app":"web"}},"spec":{"a":[1,{"b":null}]}}`, `{"spec":{"a":[1,{}]}}`},
		{`{"metadata":7}`, `{"metadata":{"labels":"x","annotations":[]}}`},
		{`{"n":9007199254740993}`, `{"n":9007199254740992}`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, errA := spec.DecodeTemplate([]byte(one))
		b, errB := spec.DecodeTemplate([]byte(two))
		if errA != nil || errB != nil {
			return
		}
		again, err := spec.DecodeTemplate([]byte(one))
		if err != nil {
			t.Fatal(err)
		}
		if !a.Equal(a) || a.Equal(b) != b.Equal(a) {
			t.Errorf("%s and %s: equal %t, the other way round %t", one, two, a.Equal(b), b.Equal(a))
		}
		if u := a.Unrestarted(); !u.Equal(u.Unrestarted()) {
			t.Errorf("%s: without the time of the restart it is not the same twice", one)
		}
		label := a.WithLabel("app", "x")
		if a.WithoutLabel("app").Equal(label) || !label.WithoutLabel("app").Equal(label.WithLabel("app", "y").WithoutLabel("app")) {
			t.Errorf("%s: a label comes or goes wrongly", one)
		}
		if !a.Equal(again) {
			t.Errorf("%s was changed", one)
		}
	})
}
