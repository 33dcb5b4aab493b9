package reason

// Explanation is what a person should know who meets a Reason. Its texts are plain
// sentences; backticks mark what is written or typed as it stands.
type Explanation struct {
	Reason  Reason
	Warning bool

	// Kinds say what the reason is of, the most frequent first. There is at least
	// one.
	Kinds []Kind

	// Meaning is what is true now. Its first sentence is enough for a list.
	Meaning string

	// LookAt is what to look at. A page of the documentation is called docs/PAGE.md
	// there.
	LookAt string

	// Actions are what to type, in the order of use. There is at least one.
	Actions []Action
}

// Action is one command line for a shell. NAMESPACE and NAME in it are those of
// the Deployment; whoever replaces them has to begin with NAMESPACE. Every other
// word in capitals is a name that the message of the condition or of the event
// says.
type Action struct {
	Want    string // what it is for, after "to": "ship it now"
	Command string
}

// Kind is where a person meets a reason. All but Beside are reasons of the condition,
// and of an event when the condition changes; Beside is of an event alone.
type Kind string

// The kinds. The value is what is so when the reason is there.
const (
	Idle          Kind = "nothing is being rolled out"
	StaysPending  Kind = "the rollout does not begin"
	StaysAtWeight Kind = "the rollout is going through its steps"
	Unfinished    Kind = "the template is released and the rollout is not over"
	WentBack      Kind = "the traffic went back to stable"
	WithoutCanary Kind = "a template goes out without a canary"
	Beside        Kind = "this happened besides, and the condition keeps its reason"
)

// Group is one part of the list of reasons, as they are declared together.
type Group struct {
	Title        string
	Explanations []Explanation
}

// All returns every reason of this package with its explanation, in the order in
// which the reasons are declared. It must not be changed.
func All() []Group {
	return []Group{
		{"Where a rollout is", whereItIs},
		{"Why a rollout ended early, or has no canary", whyItEnded},
		{"What would make weights meaningless", preconditions},
		{"What happened besides", besides},
	}
}

// Explain returns the explanation of r. It is false for a reason that the package
// does not know.
func Explain(r Reason) (Explanation, bool) {
	e, known := explanations[r]
	return e, known
}

var explanations = index(All())

func index(groups []Group) map[Reason]Explanation {
	all := map[Reason]Explanation{}
	for _, g := range groups {
		for _, e := range g.Explanations {
			all[e.Reason] = e
		}
	}
	return all
}

// The parts of a row have types of their own, so that a row that lacks one does
// not compile and none stands in another's place.
type (
	severity bool
	means    string
	look     string
	seen     []Kind
)

const (
	normal  severity = false
	warning severity = true
)

func in(first Kind, more ...Kind) seen { return append(seen{first}, more...) }

func row(r Reason, s severity, k seen, m means, l look, first Action, more ...Action) Explanation {
	return Explanation{
		Reason: r, Warning: bool(s), Kinds: k, Meaning: string(m), LookAt: string(l),
		Actions: append([]Action{first}, more...),
	}
}
