package spec

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
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
	return Step{}, wrongItem(item, "a step has exactly one of "+keyedSteps)
}

const keyedSteps = "setWeight, pause, analysis, setCanaryScale, setHeaderRoute, job"

// elsewhere has the steps of Argo Rollouts that Headgate does not have, each with
// what to use instead.
var elsewhere = map[string]string{
	"setMirrorRoute": "a canary Ingress cannot copy requests; send a tester's requests to the canary with a header step",
	"experiment":     "there are no experiments; preview the canary under " + AnnotationPreviewHost + " or test it with a job step",
	"plugin":         "there are no plugins; a job step runs any program",
}

func keyedStep(kind string, arg any) (Step, error) {
	switch kind {
	case "setWeight":
		return weightStep(fmt.Sprintf("setWeight: %v", arg), fmt.Sprint(arg))
	case "pause":
		return pauseStep(arg)
	case "analysis":
		if !isBare(arg) {
			return Step{}, wrongItem(map[string]any{kind: arg},
				"an analysis step takes no argument here; what to measure is written in "+AnnotationAnalysis)
		}
		return Step{Kind: RunAnalysis}, nil
	case "setCanaryScale":
		return scaleStep(arg)
	case "setHeaderRoute":
		return headerStep(arg)
	case "job":
		return keyedJobStep(arg)
	}
	if instead, ok := elsewhere[kind]; ok {
		return Step{}, wrong(kind, instead)
	}
	return Step{}, wrong(kind, "there is no such step; the steps are "+keyedSteps)
}

// into reads the argument of a step kind into v. The argument must have no other
// keys.
func into(kind string, arg, v any) error {
	text, err := json.Marshal(arg)
	if err == nil {
		err = yaml.UnmarshalStrict(text, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func scaleStep(arg any) (Step, error) {
	var v struct {
		Replicas           *int32 `json:"replicas"`
		Weight             *int   `json:"weight"`
		MatchTrafficWeight bool   `json:"matchTrafficWeight"`
	}
	if err := into("setCanaryScale", arg, &v); err != nil {
		return Step{}, err
	}
	var words []string
	if v.Replicas != nil {
		words = append(words, strconv.Itoa(int(*v.Replicas)))
	}
	if v.Weight != nil {
		words = append(words, strconv.Itoa(*v.Weight)+"%")
	}
	if v.MatchTrafficWeight {
		words = append(words, "traffic")
	}
	if len(words) != 1 {
		return Step{}, wrongItem(map[string]any{"setCanaryScale": arg}, "has exactly one of replicas, weight, matchTrafficWeight: true")
	}
	scale, err := parseScale(words[0])
	if err != nil {
		return Step{}, fmt.Errorf("setCanaryScale: %w", err)
	}
	return Step{Kind: SetScale, Scale: scale}, nil
}

// headerStep reads a header route that matches one header. Its name means
// nothing here: there is one.
func headerStep(arg any) (Step, error) {
	var v struct {
		Name  string `json:"name"`
		Match []struct {
			HeaderName  string `json:"headerName"`
			HeaderValue struct {
				Exact  string `json:"exact"`
				Regex  string `json:"regex"`
				Prefix string `json:"prefix"`
			} `json:"headerValue"`
		} `json:"match"`
	}
	if err := into("setHeaderRoute", arg, &v); err != nil {
		return Step{}, err
	}
	item := map[string]any{"setHeaderRoute": arg}
	if len(v.Match) == 0 {
		return Step{}, wrongItem(item, "a header route stays until the rollout ends: no step takes it away")
	}
	if len(v.Match) > 1 {
		return Step{}, wrongItem(item, "a canary Ingress matches one header")
	}
	value := v.Match[0].HeaderValue
	var words []string
	if value.Exact != "" {
		words = append(words, ":"+value.Exact)
	}
	if value.Regex != "" {
		words = append(words, "~"+value.Regex)
	}
	if value.Prefix != "" {
		words = append(words, "~^"+regexp.QuoteMeta(value.Prefix)+".*")
	}
	if len(words) != 1 {
		return Step{}, wrongItem(item, "headerValue has exactly one of exact, regex, prefix")
	}
	m, err := parseHeader(v.Match[0].HeaderName + words[0])
	if err != nil {
		return Step{}, fmt.Errorf("setHeaderRoute: %w", err)
	}
	return Step{Kind: MatchHeader, Match: m}, nil
}

// keyedJobStep reads "job: {name: smoke, result: '>= 0.9'}". Argo Rollouts has no such
// step.
func keyedJobStep(arg any) (Step, error) {
	var v struct {
		Name   string  `json:"name"`
		Result *string `json:"result"`
	}
	if err := into("job", arg, &v); err != nil {
		return Step{}, err
	}
	return jobStep(v.Name, v.Result)
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
		return Step{}, wrongItem(map[string]any{"pause": arg}, "a pause has a duration, or is empty to wait for a person")
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

// wrongItem quotes a whole list item as one line of JSON and says what is allowed.
func wrongItem(item any, allowed string) error {
	text, err := json.Marshal(item)
	if err != nil {
		return err // cannot happen: item came out of JSON
	}
	return fmt.Errorf("%s: %s", text, allowed)
}
