package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AnnotationPrefix is that of every annotation of Headgate.
const AnnotationPrefix = "headgate.dev/"

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
	AnnotationPromotion:        "rolling",
	AnnotationReportStatus:     "kstatus",
	AnnotationCommand:          "promote",
}

// Annotations are the keys that a user may write on a Deployment, sorted.
func Annotations() []string { return slices.Sorted(maps.Keys(examples)) }

// AnnotationError is one fault of one annotation. Its text is enough for the
// author to correct it: the annotation, the wrong part, and a valid example.
type AnnotationError struct {
	// Key is the annotation.
	Key string

	// Err names the wrong part of the value and what is allowed there. nil: there
	// is no annotation of that name.
	Err error
}

func (e *AnnotationError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("annotation %s: there is no such annotation; there are %s",
			e.Key, strings.Join(Annotations(), ", "))
	}
	return fmt.Sprintf("annotation %s: %v, e.g. %s: %s", e.Key, e.Err, e.Key, examples[e.Key])
}

// Unwrap returns Err.
func (e *AnnotationError) Unwrap() error { return e.Err }

// Faults returns the errors that err joins, in their order. It is err alone where that
// joins none.
func Faults(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var faults []error
	for _, e := range joined.Unwrap() {
		faults = append(faults, Faults(e)...)
	}
	return faults
}

func annotationError(key string, err error) error {
	return &AnnotationError{Key: key, Err: err}
}

// wrong quotes part and says what is allowed in its place.
func wrong(part, allowed string) error {
	return fmt.Errorf("%q: %s", part, allowed)
}
