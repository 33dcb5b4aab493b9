package spec

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Strategy is how the new version meets traffic.
type Strategy string

// The strategies.
const (
	Canary    Strategy = "canary"
	BlueGreen Strategy = "blue-green"
)

// defaultSteps are the steps of a Deployment without AnnotationSteps. An analysis
// step passes at once where there is no AnnotationAnalysis.
var defaultSteps = map[Strategy]string{
	Canary:    "10%, 5m, 25%, 5m, 50%, 5m, 75%, 5m, 100%, 5m",
	BlueGreen: "0%, analysis, 100%, 5m",
}

// DefaultProgressDeadline is ProgressDeadline where the user names none.
const DefaultProgressDeadline = 10 * time.Minute

// Spec is what the user wrote in the annotations of a Deployment, parsed.
type Spec struct {
	Strategy         Strategy
	Steps            []Step   // never empty, the weights never fall
	Analysis         string   // as written; "" means readiness and time only
	Services         []string // as written; empty means discovered
	Ingresses        []string // as written; empty means discovered
	TrackLabel       string   // "" means chosen, see ChooseTrack
	ProgressDeadline time.Duration
	RolloutDeadline  time.Duration // 0: what the steps wait for and a week, at most 365 days
	PreviewHost      string        // "" means none
	Gates            []Gate
	RollbackWindow   int // how many revisions back a template may skip the steps; 0: none
	Restart          Restart
	Promotion        Promotion
}

// OptedIn says whether a Deployment with these annotations is managed: it has
// AnnotationStrategy, whatever its value.
func OptedIn(annotations map[string]string) bool {
	_, ok := annotations[AnnotationStrategy]
	return ok
}

// ParseSpec reads what the user wrote in annotations. Its error joins one
// *AnnotationError for each fault, in a fixed order; the Spec is then zero.
//
// Three annotations are read elsewhere: package analysis reads the text of
// AnnotationAnalysis; ParseCommand reads AnnotationCommand, because a mistyped
// command must not stop the rollout it was meant for; and ReportsKstatus reads
// AnnotationReportStatus, which says how to tell of a fault in the others.
func ParseSpec(annotations map[string]string) (Spec, error) {
	p := parser{annotations: annotations}
	s := Spec{
		Strategy:         p.strategy(),
		Analysis:         parse(&p, AnnotationAnalysis, "", parseAnalysis),
		Services:         parse(&p, AnnotationService, nil, names(validation.IsDNS1123Label)),
		Ingresses:        parse(&p, AnnotationIngress, nil, names(validation.IsDNS1123Subdomain)),
		TrackLabel:       parse(&p, AnnotationTrackLabel, "", parseLabelKey),
		ProgressDeadline: parse(&p, AnnotationProgressDeadline, DefaultProgressDeadline, parseDuration),
		RolloutDeadline:  parse(&p, AnnotationRolloutDeadline, 0, parseDuration),
		PreviewHost:      parse(&p, AnnotationPreviewHost, "", parseHost),
		Gates:            parse(&p, AnnotationGates, nil, ParseGates),
		RollbackWindow:   parse(&p, AnnotationRollbackWindow, 0, parseWindow),
		Restart:          parse(&p, AnnotationRestart, RestartRolling, parseRestart),
		Promotion:        parse(&p, AnnotationPromotion, PromotionAdoption, parsePromotion),
	}
	s.Steps = p.steps(s.Strategy)
	_ = parse(&p, AnnotationReportStatus, false, parseReportStatus)
	p.unknownKeys()
	if len(p.errs) > 0 {
		return Spec{}, errors.Join(p.errs...)
	}
	return s, nil
}

// parser collects every fault instead of stopping at the first: a person who
// learns of one fault per attempt needs five attempts for five faults.
type parser struct {
	annotations map[string]string
	errs        []error
}

// parse is the value of annotation key, or def where there is none.
func parse[T any](p *parser, key string, def T, f func(string) (T, error)) T {
	text, ok := p.annotations[key]
	if !ok {
		return def
	}
	v, err := f(text)
	if err != nil {
		p.errs = append(p.errs, annotationError(key, err))
	}
	return v
}

// strategy reads the one annotation that is required.
func (p *parser) strategy() Strategy {
	s := Strategy(p.annotations[AnnotationStrategy])
	if _, ok := defaultSteps[s]; !ok {
		p.errs = append(p.errs, annotationError(AnnotationStrategy, wrong(string(s), "a strategy is canary or blue-green")))
	}
	return s
}

func (p *parser) steps(s Strategy) []Step {
	if _, written := p.annotations[AnnotationSteps]; !written {
		// No error: these are ours, and an unknown strategy was already reported.
		steps, _ := ParseSteps(defaultSteps[s])
		return steps
	}
	steps := parse(p, AnnotationSteps, nil, ParseSteps)
	_, judged := p.annotations[AnnotationAnalysis]
	// A person who writes an analysis step expects it to judge something.
	if !judged && slices.Contains(steps, Step{Kind: RunAnalysis}) {
		p.errs = append(p.errs, annotationError(AnnotationAnalysis,
			wrong("", AnnotationSteps+" has an analysis step, so this annotation must say what to measure")))
	}
	return steps
}

// unknownKeys refuses headgate.dev/step and the like: with a typo the defaults
// would apply, and nobody would notice.
func (p *parser) unknownKeys() {
	for _, key := range slices.Sorted(maps.Keys(p.annotations)) {
		_, known := examples[key]
		written := key == AnnotationRollout || key == AnnotationPhase
		if strings.HasPrefix(key, AnnotationPrefix) && !known && !written {
			p.errs = append(p.errs, &AnnotationError{Key: key})
		}
	}
}

func parseAnalysis(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", wrong(text, "is empty; remove the annotation to go by readiness and time only")
	}
	return text, nil
}

// names parses a comma-separated list of object names that valid accepts.
func names(valid func(string) []string) func(string) ([]string, error) {
	return func(text string) ([]string, error) {
		var list []string
		for name := range strings.SplitSeq(text, ",") {
			name = strings.TrimSpace(name)
			if len(valid(name)) > 0 {
				return nil, wrong(name, "names are lower-case letters, digits and '-', separated by commas")
			}
			if slices.Contains(list, name) {
				return nil, wrong(name, "is named twice")
			}
			list = append(list, name)
		}
		return list, nil
	}
}

func parseHost(text string) (string, error) {
	if len(validation.IsDNS1123Subdomain(text)) > 0 || !strings.Contains(text, ".") {
		return "", wrong(text, "is not a host name in lower case")
	}
	return text, nil
}

func parseWindow(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || !isDigits(text) || n < 1 || n > 100 {
		return 0, wrong(text, "a rollback window is a number of revisions, 1..100")
	}
	return n, nil
}

func parseLabelKey(text string) (string, error) {
	if len(validation.IsQualifiedName(text)) > 0 {
		return "", wrong(text, "is not a label key")
	}
	return text, nil
}
