package webhook

import (
	"bytes"
	"encoding/json"

	"github.com/headgate/headgate/rollout/spec"
)

// templateChange is what a write does to the template.
type templateChange int

const (
	sameTemplate      templateChange = iota
	restartedTemplate                // at most the time of the last restart is another one, or gone
	newTemplate
)

// changeOf compares two templates as the API server sent them. The API server encodes
// both in the same way, so the same template has the same bytes in nearly every
// request. Text that is no template counts as new: a hold can be undone.
func changeOf(was, is json.RawMessage) templateChange {
	if bytes.Equal(was, is) {
		return sameTemplate
	}
	before, errBefore := spec.DecodeTemplate(was)
	after, errAfter := spec.DecodeTemplate(is)
	switch {
	case errBefore != nil || errAfter != nil:
		return newTemplate
	case before.Equal(after):
		return sameTemplate
	case before.Unrestarted().Equal(after.Unrestarted()):
		return restartedTemplate
	}
	return newTemplate
}

// templateIn returns spec.template of a Deployment, as it is written there.
func templateIn(deployment []byte) (json.RawMessage, error) {
	var d struct {
		Spec struct {
			Template json.RawMessage `json:"template"`
		} `json:"spec"`
	}
	err := json.Unmarshal(deployment, &d)
	return d.Spec.Template, err
}
