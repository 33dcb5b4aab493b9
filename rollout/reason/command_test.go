package reason

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/util/jsonpath"

	"github.com/headgate/headgate/rollout/spec"
)

// Headgate takes every annotation that a person is told to write.
func TestAnnotationsToType(t *testing.T) {
	seen := 0
	for e := range rows() {
		for _, a := range e.Actions {
			if !strings.HasPrefix(a.Command, annotate) {
				if strings.Contains(a.Command, " annotate ") {
					t.Errorf("%s: %q is another form of kubectl annotate than this test reads", e.Reason, a.Command)
				}
				continue
			}
			seen++
			if err := checkAnnotations(strings.TrimPrefix(a.Command, annotate)); err != nil {
				t.Errorf("%s: %q: %v", e.Reason, a.Command, err)
			}
		}
	}
	if seen < 50 {
		t.Errorf("found %d commands with annotations", seen)
	}
}

// argument is KEY=VALUE or KEY-, with VALUE as a shell reads it.
var argument = regexp.MustCompile(`^(headgate\.dev/[a-z-]+?)(?:=('[^']*'|[^' ]+)|(-))$`)

// checkAnnotations reads what follows "kubectl annotate deployment NAME".
func checkAnnotations(text string) error {
	text, overwrites := strings.CutPrefix(text, "--overwrite ")
	parts := argument.FindStringSubmatch(text)
	if parts == nil {
		return errors.New("want one KEY=VALUE or KEY-")
	}
	key, value := parts[1], strings.Trim(parts[2], "'")
	if key == spec.AnnotationCommand {
		_, err := spec.ParseCommand(value)
		return err
	}
	if !overwrites && parts[3] == "" && key != spec.AnnotationStrategy {
		return errors.New("it fails where the annotation is there already: add --overwrite")
	}
	value = strings.NewReplacer("SERVICE", "web", "INGRESS", "web").Replace(value)
	annotations := map[string]string{spec.AnnotationStrategy: "canary"}
	if parts[3] == "" {
		annotations[key] = value
		_, err := spec.ParseSpec(annotations)
		return err
	}
	annotations[key] = ""
	_, err := spec.ParseSpec(annotations)
	if wrong := (*spec.AnnotationError)(nil); !errors.As(err, &wrong) || wrong.Err == nil {
		return errors.New("there is no such annotation")
	}
	return nil
}

func TestWhatIsNoAnnotationToType(t *testing.T) {
	for _, text := range []string{
		"headgate.dev/command=promte", "headgate.dev/command-now", "headgate.dev/step-", "headgate.dev/restart=canary",
		"--overwrite headgate.dev/steps=10%, 5m", "--overwrite headgate.dev/steps='10%, 5'",
	} {
		if checkAnnotations(text) == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// The first command of the page finds the condition among others.
func TestConditionPath(t *testing.T) {
	_, path, _ := strings.Cut(showCondition, "-o jsonpath=")
	finder := jsonpath.New("condition")
	if err := finder.Parse(strings.Trim(path, "'")); err != nil {
		t.Fatal(err)
	}
	condition := func(kind, reason, message string) map[string]any {
		return map[string]any{"type": kind, "reason": reason, "message": message}
	}
	deployment := map[string]any{"status": map[string]any{"conditions": []any{
		condition("Available", "MinimumReplicasAvailable", "available"),
		condition(spec.ConditionType, string(Waiting), "rollout 7: until 12:00:00 UTC"),
	}}}
	var out bytes.Buffer
	if err := finder.Execute(&out, deployment); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "Waiting: rollout 7: until 12:00:00 UTC\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
