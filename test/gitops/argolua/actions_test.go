package argolua

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout/spec"
)

// builtIn are the buttons of Argo CD that Headgate's files define too.
var builtIn = []string{"pause", "restart", "resume"}

// enabled are the buttons that can be pressed in a recorded Deployment. The others of
// Headgate's are there and disabled, or, for builtIn, left to Argo CD.
var enabled = map[string][]string{
	"not-opted-in":       {},
	"ready":              {},
	"pending":            {"abort"},
	"progressing":        {"abort", "pause", "promote", "promote-full"},
	"awaiting-promotion": {"abort", "promote", "promote-full"},
	"paused-by-command":  {"abort", "promote", "promote-full", "resume"},
	"stable-down":        {"abort", "promote", "promote-full", "resume"},
	"rolled-back":        {"retry"},
	"promoting":          {},
	"promoted":           {},
	"paused-by-user":     {},
}

func TestButtons(t *testing.T) {
	t.Parallel()
	for name, want := range enabled {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := recorded(t, name)
			got, err := run(t, script(t, "actions/discovery"), obj)
			if err != nil {
				t.Fatal(err)
			}
			shown, _ := got.(map[string]any) // a list where there is none
			var can []string
			for button, about := range shown {
				if about.(map[string]any)["disabled"] == false {
					can = append(can, button)
				}
			}
			slices.Sort(can)
			if diff := cmp.Diff(want, can, cmp.Transformer("none", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
				t.Errorf("buttons (-want +got):\n%s", diff)
			}
			var wantShown []string
			if annotations(obj)[spec.AnnotationStrategy] != nil {
				wantShown = []string{"abort", "promote", "promote-full", "retry"}
			}
			if isHeld(obj) {
				wantShown = append(wantShown, builtIn...)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(wantShown)), slices.Sorted(maps.Keys(shown))); diff != "" {
				t.Errorf("what is shown (-want +got):\n%s", diff)
			}
		})
	}
}

func isHeld(obj map[string]any) bool {
	return obj["spec"].(map[string]any)["paused"] == true && annotations(obj)[spec.AnnotationRollout] != nil
}

func annotations(obj map[string]any) map[string]any {
	all, _ := obj["metadata"].(map[string]any)["annotations"].(map[string]any)
	return all
}

// TestPress: a button that is enabled writes the command for the rollout that the person sees,
// and nothing else. One that is not ends with an error, because Argo CD's server does not
// look at disabled.
func TestPress(t *testing.T) {
	t.Parallel()
	for name, can := range enabled {
		for _, button := range []string{"abort", "pause", "promote", "promote-full", "restart", "resume", "retry"} {
			obj := recorded(t, name)
			if !isHeld(obj) && slices.Contains(builtIn, button) {
				continue
			}
			t.Run(name+"/"+button, func(t *testing.T) {
				t.Parallel()
				got, err := run(t, script(t, "actions/"+button), obj)
				if !slices.Contains(can, button) {
					if err == nil {
						t.Errorf("it is disabled, and pressed it makes %v", annotations(got.(map[string]any)))
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				rollout := annotations(obj)[spec.AnnotationRollout].(string)
				want := spec.Command{Verb: button, Rollout: rollout}
				command, err := spec.ParseCommand(annotations(got.(map[string]any))[spec.AnnotationCommand].(string))
				if err != nil || command != want {
					t.Errorf("the command is %v (%v), want %v", command, err, want)
				}
				delete(annotations(got.(map[string]any)), spec.AnnotationCommand)
				if diff := cmp.Diff(clean(obj), clean(got)); diff != "" {
					t.Errorf("it changed more (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// clean makes empty lists of empty maps, since Lua has one kind of table.
func clean(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			return []any{}
		}
		for key := range v {
			v[key] = clean(v[key])
		}
	case []any:
		for i := range v {
			v[i] = clean(v[i])
		}
	}
	return value
}

// TestBuiltInButtons: where nothing is held, they do what Argo CD's do.
func TestBuiltInButtons(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"not-opted-in", "ready", "promoted"} {
		got := press(t, "pause", name)
		if got["spec"].(map[string]any)["paused"] != true || annotations(got)[spec.AnnotationCommand] != nil {
			t.Errorf("%s: pause does not pause: %v", name, got)
		}
		template := press(t, "restart", name)["spec"].(map[string]any)["template"].(map[string]any)
		if annotations(template)[spec.AnnotationRestartedAt] != "2026-11-28T10:00:00Z" {
			t.Errorf("%s: restart does not restart: %v", name, annotations(template))
		}
	}
	if got := press(t, "resume", "paused-by-user"); got["spec"].(map[string]any)["paused"] != nil {
		t.Errorf("resume does not resume: %v", got)
	}
}

func press(t *testing.T, button, name string) map[string]any {
	t.Helper()
	got, err := run(t, script(t, "actions/"+button), recorded(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return got.(map[string]any)
}
