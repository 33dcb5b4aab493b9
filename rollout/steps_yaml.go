package rollout

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// isYAML tells the list form from the one-line form. "-5%" is a wrong weight,
// not a list.
func isYAML(text string) bool {
	t := strings.TrimSpace(text)
	for _, prefix := range []string{"- ", "-\n", "[", "#"} {
		if strings.HasPrefix(t, prefix) {
			return true
		}
	}
	return false
}

// splitYAML reads spec.strategy.canary.steps of an Argo Rollouts Rollout. A list
// item may also be a step of the one-line form.
func splitYAML(text string) ([]Step, error) {
	var items []any
	if err := yaml.UnmarshalStrict([]byte(text), &items, jsonNumbers); err != nil {
		return nil, fmt.Errorf("not a YAML list of steps: %w", err)
	}
	var steps []Step
	for _, item := range items {
		step, err := stepOf(item)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// jsonNumbers keeps numbers as they were written, so that an error can quote them.
func jsonNumbers(d *json.Decoder) *json.Decoder {
	d.UseNumber()
	return d
}

func stepOf(item any) (Step, error) {
	switch v := item.(type) {
	case string:
		return parseStep(v)
	case map[string]any:
		if len(v) == 1 {
			for kind, arg := range v {
				return keyedStep(kind, arg)
			}
		}
	}
	return Step{}, wrongItem(item, "a step has exactly one of setWeight, pause, analysis")
}

func keyedStep(kind string, arg any) (Step, error) {
	switch kind {
	case "setWeight":
		return weightStep(fmt.Sprintf("setWeight: %v", arg), fmt.Sprint(arg))
	case "pause":
		return pauseStep(arg)
	case "analysis":
		if !isBare(arg) {
			return Step{}, wrongItem(map[string]any{kind: arg}, "an analysis step takes no argument here; what to measure is said in "+AnnotationAnalysis)
		}
		return Step{Kind: RunAnalysis}, nil
	default:
		return Step{}, wrong(kind, "no such step here; the steps are setWeight, pause, analysis")
	}
}

// pauseStep waits for a person, or with a duration for that long. As in Argo
// Rollouts (pkg/apis/rollouts/v1alpha1/types.go, RolloutPause) a number without
// unit is in seconds.
func pauseStep(arg any) (Step, error) {
	if isBare(arg) {
		return Step{Kind: Pause}, nil
	}
	m, _ := arg.(map[string]any)
	duration, ok := m["duration"]
	if !ok || len(m) != 1 {
		return Step{}, wrongItem(map[string]any{"pause": arg}, "a pause has a duration, or nothing to wait for a person")
	}
	text := fmt.Sprint(duration)
	if isDigits(text) {
		text += "s"
	}
	d, err := parseDuration(text)
	if err != nil {
		return Step{}, fmt.Errorf("pause: %w", err)
	}
	return Step{Kind: Wait, Duration: d}, nil
}

// isBare is true for "- pause: {}" and for "- pause:".
func isBare(arg any) bool {
	m, isMap := arg.(map[string]any)
	return arg == nil || isMap && len(m) == 0
}

// wrongItem blames a whole list item, in the words of JSON on one line.
func wrongItem(item any, allowed string) error {
	text, err := json.Marshal(item)
	if err != nil {
		return err // cannot happen: item came out of JSON
	}
	return fmt.Errorf("%s: %s", text, allowed)
}
