package convert

import "fmt"

// Kind says what a Remark is about.
type Kind string

// The kinds of remarks.
const (
	// Lost was written in the input and is not in the output.
	Lost Kind = "lost"

	// Changed is carried over, and works in another way or needs something else.
	Changed Kind = "changed"

	// Unneeded has no effect with Headgate, because it does the same by itself or has nothing to configure there.
	Unneeded Kind = "unneeded"
)

// Remark is one sentence about one field of the input.
type Remark struct {
	Kind   Kind   `json:"kind"`
	Object string `json:"object"` // "Rollout shop/web"
	Path   string `json:"path"`   // "spec.strategy.canary.steps[2].plugin"; "": the whole object
	File   string `json:"file"`
	Line   int    `json:"line"`
	Text   string `json:"text"` // why, and what helps
}

var kindWords = map[Kind]string{Lost: "is not carried over", Changed: "works differently", Unneeded: "is not needed"}

// String is "rollout.yaml:12: Rollout shop/web, spec.paused is not carried over: …".
func (r Remark) String() string {
	what := r.Object
	if r.Path != "" {
		what += ", " + r.Path
	}
	return fmt.Sprintf("%s:%d: %s %s: %s.", r.File, r.Line, what, kindWords[r.Kind], r.Text)
}
