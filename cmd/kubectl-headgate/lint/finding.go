package lint

import (
	"cmp"
	"slices"

	"github.com/headgate/headgate/rollout/reason"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"   // no rollout begins, or the annotation is refused
	Warning Severity = "warning" // a rollout goes on, and something is not as it should be
	Note    Severity = "note"    // worth knowing
)

// Finding is one thing that somebody should correct, or know.
type Finding struct {
	File     string   `json:"file,omitempty"` // "": it does not come from a file
	Line     int      `json:"line,omitempty"` // from 1
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	Object   string   `json:"object"` // "Deployment shop/web"
	Message  string   `json:"message"`
}

// Count returns how many of findings have a severity.
func Count(findings []Finding, severity Severity) int {
	n := 0
	for _, f := range findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// inOrder sorts findings by file and line, and drops those that are there twice: two
// Deployments may share an Ingress.
func inOrder(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Object, b.Object))
	})
	return slices.Compact(findings)
}

// The rules that are no reason of a rollout.
const (
	invalidObject     = "InvalidObject"
	notAString        = "AnnotationNotAString"
	unknownAnnotation = "UnknownAnnotation"
	withoutStrategy   = "AnnotationWithoutStrategy"
	onPods            = "AnnotationOnPods"
	markerInManifest  = "MarkerInManifest"
	commandInManifest = "CommandInManifest"
	pausedInManifest  = "PausedInManifest"
	replicasAndScaler = "ReplicasAndAutoscaler"
	configMapMissing  = "ConfigMapMissing"
	notChecked        = "NotChecked"
	gateNotEncrypted  = "GateNotEncrypted"
	ruleWithoutHTTP   = "IngressRuleWithoutHTTP"
	defaultBackend    = "IngressDefaultBackend"
	deadlineTooShort  = "DeadlineTooShort"
	longName          = "LongName"
)

var ownRules = map[string]string{
	invalidObject:     "The API server would refuse this object.",
	notAString:        "An annotation is a string, and this value is none.",
	unknownAnnotation: "There is no annotation of this name. The webhook refuses it.",
	withoutStrategy:   "An annotation of Headgate has no effect without headgate.dev/strategy.",
	onPods:            "Headgate reads the annotations of the Deployment, and none of its pod template.",
	markerInManifest:  "Only Headgate writes this. It was copied from a cluster.",
	commandInManifest: "A command in a manifest is given again whenever the manifest is applied.",
	pausedInManifest:  "Headgate itself sets spec.paused while it holds a template.",
	replicasAndScaler: "Whoever applies the manifest undoes what the autoscaler did.",
	configMapMissing:  "headgate.dev/analysis names a ConfigMap that is not among these files.",
	notChecked:        "Something could not be checked without the cluster.",
	gateNotEncrypted:  "Whoever is on the way to this gate can open it.",
	ruleWithoutHTTP:   "Requests for this host cannot be split.",
	defaultBackend:    "Requests that match no path cannot be split.",
	deadlineTooShort:  "A deadline is over before what it bounds can be done.",
	longName:          "A name or a label is too long for its suffix.",
}

// Meaning says in a sentence or more what a rule is about.
func Meaning(rule string) string {
	if text, ok := ownRules[rule]; ok {
		return text
	}
	explained, _ := reason.Explain(reason.Reason(rule))
	return explained.Meaning
}
