package rollout_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// statesDir has a directory for each released version of Headgate: the states that it
// stored, what was seen with them, and what it then decided.
const statesDir = "testdata/states"

var record = flag.String("record", "", "write the states of a new `version` into testdata/states")

// recorded is one of these files.
type recorded struct {
	// State is the text of the condition. A version that is out has stored it: it is never
	// changed.
	State string

	// Seen is the rest of what was seen. It has the names of today's Observation.
	Seen rollout.Observation

	Next nextStep
}

// nextStep is what a version must decide like the one that stored the state. The words of
// messages may differ.
type nextStep struct {
	Reason   reason.Reason
	Mode     rollout.Mode
	Step     int
	Routes   rollout.RoutesGoal
	Replicas int32
	Adopt    rollout.AdoptGoal
	Hold     rollout.HoldGoal
	Phase    spec.Phase
}

func stepOf(d rollout.Decision) nextStep {
	n := nextStep{Reason: d.Reason, Routes: d.Routes, Adopt: d.Adopt, Hold: d.Hold, Phase: d.Phase}
	if d.Canary != nil {
		n.Mode, n.Step, n.Replicas = d.Canary.State.Mode, d.Canary.State.Step, d.Canary.Replicas
	}
	return n
}

// The states of every released version are read by the present one, which goes on as that
// version would have.
func TestStatesOfEveryVersion(t *testing.T) {
	if *record != "" {
		recordStates(t, filepath.Join(statesDir, *record))
	}
	files, err := filepath.Glob(filepath.Join(statesDir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, %v", len(files), statesDir, err)
	}
	modes := map[string]map[rollout.Mode]bool{}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, statesDir+"/"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recorded
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			state, err := rollout.DecodeState(r.State)
			if err != nil {
				t.Fatalf("the state is refused: %v\n%s", err, r.State)
			}
			r.Seen.Canary.State, r.Seen.Canary.Stored = state, state
			if diff := cmp.Diff(r.Next, stepOf(rollout.Next(r.Seen))); diff != "" {
				t.Errorf("(-as recorded +now)\n%s", diff)
			}
			version := filepath.Dir(file)
			if modes[version] == nil {
				modes[version] = map[rollout.Mode]bool{}
			}
			modes[version][state.Mode] = true
		})
	}
	for version, has := range modes {
		for _, mode := range []rollout.Mode{
			rollout.ModeProgressing, rollout.ModeAdopting, rollout.ModePromoting,
			rollout.ModeReturning, rollout.ModeRolledBack, rollout.ModeRetiring,
		} {
			if !has[mode] {
				t.Errorf("%s has no state of mode %s", version, mode)
			}
		}
	}
}

// storiesOfStates bring a rollout into every mode, and into what a mode can wait for.
var storiesOfStates = []string{
	"a good version", "a bad version", "a header before weights", "a pause step, promoted", "a smoke test that passes",
	"gates are closed at first", "paused and resumed by command", "a canary loses its pods once", "one failure is allowed",
	"the rolling update stalls", "a third version at 50%", "git goes back at 50%", "the opt-in goes at 50%", "blue-green",
	"a canary that never starts", "retried after a rollback", "promoted fully at 50%", "an autoscaler has shrunk stable",
}

// recordStates writes one file for each mode and reason of the stories.
func recordStates(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		t.Fatalf("%s is there: what a version has stored is never recorded again", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, name := range storiesOfStates {
		s, ok := stories[name]
		if !ok {
			t.Fatalf("there is no story %q", name)
		}
		w := s.begin(t)
		w.manager.reconciler.Next = func(o rollout.Observation) rollout.Decision {
			if r, ok := recordable(o); ok {
				file := strings.ToLower(fmt.Sprintf("%s-%s.json", r.Seen.Canary.Stored.Mode, r.Next.Reason))
				r.Seen.Canary.State, r.Seen.Canary.Stored = rollout.State{}, rollout.State{}
				if !written[file] {
					written[file] = true
					writeRecorded(t, filepath.Join(dir, file), r)
				}
			}
			return w.next(o)
		}
		s.tell(w)
	}
}

// recordable returns what can be told of o in a file: a state that is stored as it is
// known, no error, and nothing that is still to be asked for.
func recordable(o rollout.Observation) (recorded, bool) {
	if o.Canary == nil || o.SpecErr != nil || o.PlanErr != nil || o.CommandErr != nil || o.Canary.StateErr != nil ||
		!reflect.DeepEqual(o.Canary.State, o.Canary.Stored) {
		return recorded{}, false
	}
	d := rollout.Next(o)
	text, err := o.Canary.Stored.Encode()
	canary := *o.Canary
	o.Canary = &canary
	return recorded{State: text, Seen: o, Next: stepOf(d)}, err == nil && d.Needs.None() && d.Reason != ""
}

func writeRecorded(t *testing.T, path string, r recorded) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	text, err = json.MarshalIndent(withoutZeros(tree), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withoutZeros leaves out every field with the zero value.
func withoutZeros(tree any) any {
	fields, ok := tree.(map[string]any)
	if !ok {
		return tree
	}
	for name, value := range fields {
		value = withoutZeros(value)
		fields[name] = value
		if inner, ok := value.(map[string]any); ok && len(inner) == 0 && name != "Canary" ||
			slices.Contains([]any{nil, "", false, float64(0), time.Time{}.Format(time.RFC3339)}, value) {
			delete(fields, name)
		}
	}
	return fields
}

// What an older Headgate does with the state of a newer one: it refuses it, says so, and
// takes the traffic back.
func TestAStateOfANewerHeadgateIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a newer form":                         `{"form":3,"rollout":"7","mode":"RolledBack","steps":["10%"]}`,
		"a newer form with a field of its own": `{"form":3,"rollout":"7","mode":"RolledBack","steps":["10%"],"wheel":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rollout.DecodeState(text)
			if want := "a newer Headgate stored it: it has form 3, and this one reads up to form 2"; err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
	if _, err := rollout.DecodeState(`{"form":2,"rollout":"7","mode":"RolledBack","steps":["10%"],"wheel":1}`); err == nil {
		t.Error("a field that is not known was ignored")
	}
}
