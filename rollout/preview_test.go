package rollout_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/reason"
)

// Once there is a canary, a preview that is refused changes what is told and nothing
// else, whatever is observed besides.
func TestRefusedPreviewHoldsNothing(t *testing.T) {
	check(t, 5000, func(t *rapid.T) {
		o := drawObservation(t).Observation
		if o.Canary == nil {
			return
		}
		want := rollout.Next(o)
		o.Traffic.PreviewRefused = &rollout.Problem{Reason: reason.PreviewHostRefused, Message: "taken"}
		got := rollout.Next(o)
		if got.Canary != nil {
			got.Canary.State.PreviewDropped = false
		}
		got.Message, got.Notes, want.Message, want.Notes = "", nil, "", nil
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("without the refusal:\n%+v\nwith it:\n%+v", want, got)
		}
	})
}
