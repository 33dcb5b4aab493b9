package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const annotationPrefix = "headgate.dev/"

// examples has every annotation a user may write, each with a value that parses.
var examples = map[string]string{
	AnnotationStrategy:         "canary",
	AnnotationSteps:            "10%, 5m, 50%, 5m, 100%",
	AnnotationAnalysis:         "success-rate >= 99%, p99 <= 500ms",
	AnnotationService:          "web",
	AnnotationIngress:          "web",
	AnnotationTrackLabel:       "app.kubernetes.io/instance",
	AnnotationProgressDeadline: "10m",
	AnnotationRolloutDeadline:  "24h",
	AnnotationPreviewHost:      "preview.web.example.com",
	AnnotationGates:            "start https://gate.example.com/web, promotion https://gate.example.com/web",
	AnnotationRollbackWindow:   "3",
	AnnotationRestart:          "canary",
	AnnotationCommand:          "promote",
}

// AnnotationError is one thing wrong with one annotation, said so that its
// author can put it right without reading anything else.
type AnnotationError struct {
	// Key is the annotation. One that Headgate does not know has no Err.
	Key string

	// Err names the offending part of the value and what is allowed there.
	Err error
}

func (e *AnnotationError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("annotation %s: there is no such annotation; there are %s",
			e.Key, strings.Join(slices.Sorted(maps.Keys(examples)), ", "))
	}
	return fmt.Sprintf("annotation %s: %v, e.g. %s: %s", e.Key, e.Err, e.Key, examples[e.Key])
}

// Unwrap returns Err.
func (e *AnnotationError) Unwrap() error { return e.Err }

func annotationError(key string, err error) error {
	return &AnnotationError{Key: key, Err: err}
}

// wrong says of part, quoted, what is allowed in its place.
func wrong(part, allowed string) error {
	return fmt.Errorf("%q: %s", part, allowed)
}
