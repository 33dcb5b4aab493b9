package status

import (
	"strings"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// Schema names the form of a Status in JSON. A field may be added to a form; one that is
// renamed, removed or changed in its meaning makes a new form.
const Schema = "headgate.dev/status/v1"

// Status is everything that a person may ask about a Deployment and its rollout. Times are
// in UTC. A field that is not known, or that does not apply, is not in the JSON.
type Status struct {
	Schema    string    `json:"schema"`
	At        time.Time `json:"at"` // when the objects were read
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`

	OptedIn  bool          `json:"optedIn"`
	Strategy spec.Strategy `json:"strategy,omitempty"`

	// Rollout names the rollout that is under way or was rolled back. "": none.
	Rollout string `json:"rollout,omitempty"`

	Phase Phase `json:"phase"`

	// Reason, Message and Since are the condition on the Deployment: the last thing that the
	// manager said. Explained is what the reason means.
	Reason    reason.Reason `json:"reason,omitempty"`
	Message   string        `json:"message,omitempty"`
	Explained string        `json:"explained,omitempty"`
	Since     *time.Time    `json:"since,omitempty"`

	// Problem says that a person has to act.
	Problem bool `json:"problem"`

	Stable Version  `json:"stable"`
	Canary *Version `json:"canary,omitempty"`

	// Steps are those of the rollout, or of the next rollout where there is none.
	Steps []Step `json:"steps,omitempty"`

	// Step is where the rollout is. nil: it is not at a step.
	Step *Present `json:"step,omitempty"`

	Weight *Weight `json:"weight,omitempty"`
	Routes []Route `json:"routes,omitempty"`

	Analysis *Analysis `json:"analysis,omitempty"`

	// Next is what happens next. nil: nothing, without a new template.
	Next *Next `json:"next,omitempty"`

	// Deadlines are the times at which the rollout is rolled back where it is not further
	// by then, the next one first.
	Deadlines []Deadline `json:"deadlines,omitempty"`

	// Actions are the commands that the manager takes now. LookAt is what to look at.
	Actions []Action `json:"actions,omitempty"`
	LookAt  []Action `json:"lookAt,omitempty"`

	// Refused are the commands that the manager does not take now.
	Refused []Refused `json:"refused,omitempty"`

	Events   []Event  `json:"events,omitempty"`   // the newest last
	Verdicts []Event  `json:"verdicts,omitempty"` // those of Events that tell what was measured
	Mistakes []string `json:"mistakes,omitempty"` // what is wrong with the annotations
	Unread   []string `json:"unread,omitempty"`   // what could not be read, and why
}

// Phase is the phase of a rollout, or one of two words for a Deployment without one.
type Phase string

// The phases. The others have the names and meanings of spec.Phases.
const (
	Unmanaged   Phase = "Unmanaged" // not opted in
	Idle        Phase = "Idle"      // opted in, and nothing is rolled out
	Pending           = Phase(spec.Pending)
	Progressing       = Phase(spec.Progressing)
	Paused            = Phase(spec.Paused)
	Promoting         = Phase(spec.Promoting)
	RolledBack        = Phase(spec.RolledBack)
)

// Version is one of the two versions and its pods.
type Version struct {
	Images    []string `json:"images,omitempty"`
	Revision  string   `json:"revision,omitempty"` // of the Deployment
	Replicas  int32    `json:"replicas"`           // wanted
	Available int32    `json:"available"`
	Pods      []Pod    `json:"pods,omitempty"`
}

// Pod is one pod.
type Pod struct {
	Name     string     `json:"name"`
	Ready    bool       `json:"ready"`
	State    string     `json:"state"` // Running, Pending, or the reason why not: ImagePullBackOff
	Restarts int32      `json:"restarts"`
	Started  *time.Time `json:"started,omitempty"`
}

// Step is one step.
type Step struct {
	Number int           `json:"number"` // from 1
	Kind   spec.StepKind `json:"kind"`
	Text   string        `json:"text"` // as it is written in the annotation
	Seen   Seen          `json:"seen"`
}

// Seen says whether a rollout has reached a step.
type Seen string

// The values of Seen.
const (
	Done  Seen = "done"
	Now   Seen = "now"
	Ahead Seen = "ahead"
)

// Present is the step that a rollout is at.
type Present struct {
	Number int        `json:"number"` // from 1
	Of     int        `json:"of"`
	Text   string     `json:"text"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until,omitempty"` // of a timed wait
}

// Weight is the share of the traffic, in percent, that the canary gets.
type Weight struct {
	Planned int  `json:"planned"`           // of the present step
	Granted int  `json:"granted"`           // what the canary may have by now
	Written *int `json:"written,omitempty"` // in the canary Ingresses; nil: there is none, or it was not read

	// Besides is what goes to the canary besides the weight: "header X-Canary".
	Besides string `json:"besides,omitempty"`

	// Observed is the share of the requests at this weight that the metrics count for the
	// canary, in percent. nil: nothing counts them.
	Observed *float64 `json:"observed,omitempty"`

	InForce *time.Time `json:"inForce,omitempty"` // since when; nil: not yet
}

// Route is one canary Ingress.
type Route struct {
	Ingress string `json:"ingress"` // name of the canary Ingress
	Weight  *int   `json:"weight,omitempty"`
}

// Analysis is what is known about how the new version behaves.
type Analysis struct {
	Rules        string          `json:"rules,omitempty"` // those that the rollout began with
	Last         rollout.Verdict `json:"last,omitempty"`
	At           *time.Time      `json:"at,omitempty"`
	Text         string          `json:"text,omitempty"` // what the last one said, where an event told it
	Failures     int             `json:"failures,omitempty"`
	Inconclusive int             `json:"inconclusive,omitempty"` // in a row
	Errors       int             `json:"errors,omitempty"`       // in a row
	Metrics      []Metric        `json:"metrics,omitempty"`
}

// Metric is one metric of the analysis. Shares are between 0 and 1.
type Metric struct {
	Name    string          `json:"name"`
	Wanted  string          `json:"wanted,omitempty"` // the condition, or the margin
	Verdict rollout.Verdict `json:"verdict,omitempty"`
	Text    string          `json:"text,omitempty"` // what the judge says, with its numbers

	Canary *Counted `json:"canary,omitempty"`
	Stable *Counted `json:"stable,omitempty"`

	// AtWeight are the requests of both versions since the weight was set.
	AtWeight *Requests `json:"atWeight,omitempty"`

	// Evidence against the canary, and what it must reach for a Fail. It begins at 1.
	Evidence float64 `json:"evidence,omitempty"`
	Needs    float64 `json:"needs,omitempty"`
}

// Counted is what a metric counted for one version during this rollout.
type Counted struct {
	Requests int64   `json:"requests"`
	Bad      int64   `json:"bad"`
	Share    float64 `json:"share"`
	Range    Range   `json:"range"` // holds the true share in 19 of 20 rollouts
}

// Range is from Low to High.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Requests are those of both versions.
type Requests struct {
	Canary int64 `json:"canary"`
	Stable int64 `json:"stable"`
}

// Sum is how many there were in all.
func (r Requests) Sum() int64 { return r.Canary + r.Stable }

// Next is what happens next.
type Next struct {
	What  string     `json:"what"`            // a sentence
	At    *time.Time `json:"at,omitempty"`    // not before; nil: it depends on what Needs says
	Needs string     `json:"needs,omitempty"` // what it waits for besides the time
	// Person says that it waits for a person.
	Person bool `json:"person,omitempty"`
}

// Deadline is a time at which the rollout ends early.
type Deadline struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Action is something to type.
type Action struct {
	Verb    string `json:"verb,omitempty"` // of headgate.dev/command; "": it is another command
	Want    string `json:"want"`           // what it is for, after "to"
	Command string `json:"command"`        // a line for a shell
}

// Refused is a command that the manager does not take now.
type Refused struct {
	Verb string `json:"verb"`
	Why  string `json:"why"`
}

// WithoutRollout returns message without "rollout N: " before it, where it is about this rollout.
func (s Status) WithoutRollout(message string) string {
	return strings.TrimPrefix(message, "rollout "+s.Rollout+": ")
}

// Refusal says why the manager refuses verb now. "": it takes it.
func (s Status) Refusal(verb string) string {
	for _, r := range s.Refused {
		if r.Verb == verb {
			return r.Why
		}
	}
	return ""
}

// Event is one event about the Deployment.
type Event struct {
	At      time.Time     `json:"at"`
	Reason  reason.Reason `json:"reason"`
	Message string        `json:"message"`
	Warning bool          `json:"warning,omitempty"`
}
