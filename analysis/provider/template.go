package provider

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/headgate/headgate/rollout"
)

// MaxText bounds a query, a path and a body in bytes. The time of PromQL's parser grows
// with the square of the length: 240 KB of "-x+-x+…" kept an admission request for 21
// seconds.
const MaxText = 4096

// placeholder is a variable in a template. Templates are not text/template: with loops,
// an annotation could keep the manager busy for ever.
var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// variable is what a template may contain as {{name}}.
type variable struct {
	value func(rollout.Subject) string

	// standIn stands for the value when a question is checked, before there is a
	// rollout. It is padded on the left to the length of the placeholder, so that
	// the position in a parse error is one in the user's text.
	standIn standIn
}

// standIn is a text that is valid wherever the value of a variable is.
type standIn struct{ text, padding string }

var (
	aName     = standIn{text: "x", padding: "x"}
	aNumber   = standIn{text: "1", padding: "0"}
	aDuration = standIn{text: "5m", padding: "0"}
)

// of is the stand-in for a placeholder of width bytes: aDuration.of(10) is
// "000000005m", as long as "{{window}}".
func (v standIn) of(width int) string {
	return strings.Repeat(v.padding, width-len(v.text)) + v.text
}

var variables = map[string]variable{
	"namespace":         {func(s rollout.Subject) string { return s.Namespace }, aName},
	"deployment":        {func(s rollout.Subject) string { return s.Deployment }, aName},
	"canary-deployment": {func(s rollout.Subject) string { return s.CanaryDeployment }, aName},
	"canary-replicaset": {func(s rollout.Subject) string { return s.CanaryReplicaSet }, aName},
	"canary-pods":       {PodsOf, aName},
	"service":           {func(s rollout.Subject) string { return s.Service }, aName},
	"canary-service":    {func(s rollout.Subject) string { return s.CanaryService }, aName},
	"service-port":      {func(s rollout.Subject) string { return s.ServicePort }, aNumber},
	"ingress":           {func(s rollout.Subject) string { return s.Ingress }, aName},
	"canary-ingress":    {func(s rollout.Subject) string { return s.CanaryIngress }, aName},
	"track-label":       {func(s rollout.Subject) string { return promLabel(s.TrackLabel) }, aName},
	"stable-track":      {func(s rollout.Subject) string { return s.StableTrack }, aName},
	"canary-track":      {func(s rollout.Subject) string { return s.CanaryTrack }, aName},
	"rollout":           {func(s rollout.Subject) string { return s.Rollout }, aNumber},
	"weight":            {func(s rollout.Subject) string { return strconv.Itoa(s.Weight) }, aNumber},
	"window":            {func(s rollout.Subject) string { return model.Duration(s.Window).String() }, aDuration},
	"window-seconds":    {func(s rollout.Subject) string { return strconv.Itoa(int(s.Window.Seconds())) }, aNumber},
}

// Variables are the names of all variables, in order.
func Variables() []string { return slices.Sorted(maps.Keys(variables)) }

// PodsOf is a regular expression that the names of the canary's pods match, and of no
// others. NAME-canary-.+ is not: pods that were a canary and became stable keep their
// names.
func PodsOf(s rollout.Subject) string {
	if s.CanaryReplicaSet == "" {
		return ""
	}
	return s.CanaryReplicaSet + "-.+"
}

// Verbatim is the escape of a place where a value needs none.
func Verbatim(value string) string { return value }

// CheckTemplate returns an error that names the first variable that does not exist.
func CheckTemplate(template string) error {
	_, err := StandIn(template)
	return err
}

// StandIn replaces every variable by a text of the same length that is valid where its
// value is, for a check before there is a rollout.
func StandIn(template string) (string, error) {
	return expand(template, func(_ string, v variable, width int) (string, error) {
		return v.standIn.of(width), nil
	})
}

// Sample replaces every variable by a short text that is valid where its value is.
func Sample(template string) (string, error) {
	return expand(template, func(_ string, v variable, _ int) (string, error) { return v.standIn.text, nil })
}

// FillIn replaces every variable by its value for s, after escape has made it safe for
// its place. An empty value is an error: {ingress=""} would match everything that has no
// such label. The error is a QueryFault.
func FillIn(template string, s rollout.Subject, escape func(string) string) (string, error) {
	text, err := expand(template, func(name string, v variable, _ int) (string, error) {
		value := v.value(s)
		if value == "" {
			return "", Faultf("uses {{%s}}, which has no value in this rollout", name)
		}
		return escape(value), nil
	})
	if err != nil && !isFault(err) {
		return "", QueryFault("is wrong: " + err.Error())
	}
	return text, err
}

func isFault(err error) bool {
	_, ok := errors.AsType[QueryFault](err)
	return ok
}

// ReplaceEach replaces every {{name}} of template by what replace returns for the name and
// for the placeholder as it is written.
func ReplaceEach(template string, replace func(name, written string) string) string {
	return placeholder.ReplaceAllStringFunc(template, func(written string) string {
		return replace(strings.TrimSpace(strings.Trim(written, "{}")), written)
	})
}

// expand replaces every placeholder by what replace returns for its name, its
// variable and its own width in bytes. The first error wins.
func expand(template string, replace func(name string, v variable, width int) (string, error)) (string, error) {
	var failed error
	text := ReplaceEach(template, func(name, written string) string {
		v, ok := variables[name]
		replacement, err := "", error(nil)
		if ok {
			replacement, err = replace(name, v, len(written))
		} else {
			err = fmt.Errorf("unknown variable %q: the variables are %s",
				written, strings.Join(Variables(), ", "))
		}
		if failed == nil {
			failed = err
		}
		return replacement
	})
	return text, failed
}

// promLabel is a Kubernetes label key as Prometheus stores it:
// app.kubernetes.io/name becomes app_kubernetes_io_name.
func promLabel(key string) string {
	return strings.NewReplacer(".", "_", "/", "_", "-", "_").Replace(key)
}
