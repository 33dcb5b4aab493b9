package rollout

import (
	"fmt"
	"time"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// GateQuestion is what a gate is told.
type GateQuestion struct {
	Before     spec.GatePoint `json:"before"`
	Namespace  string         `json:"namespace"`
	Deployment string         `json:"deployment"`
	Rollout    string         `json:"rollout"`
	Weight     int            `json:"weight"` // of the canary now, 0..100
}

// GateAnswer is what the gates of one point said.
type GateAnswer struct {
	Point spec.GatePoint
	Open  bool

	// Message says which gate is closed and what it answered. It holds nothing that
	// changes from one request to the next.
	Message string
}

// gateInterval is the time between two requests to a gate that is closed.
const gateInterval = 10 * time.Second

// awaitGates is nil where no gate of point is closed.
func (o Observation) awaitGates(s State, point spec.GatePoint) *Decision {
	if o.SpecErr != nil {
		return o.wait(s, reason.InvalidAnnotation, o.SpecErr.Error())
	}
	if o.open(point) {
		return nil
	}
	d := o.wait(s, reason.AwaitingGate, o.closed(point))
	d.Ask, d.Again = point, Earliest(d.Again, o.Now.Add(gateInterval))
	return d
}

// open says whether every gate of point said yes, or there is none.
func (o Observation) open(point spec.GatePoint) bool {
	for _, g := range o.Spec.Gates {
		if g.Before == point {
			return o.Gate != nil && o.Gate.Point == point && o.Gate.Open
		}
	}
	return true
}

func (o Observation) closed(point spec.GatePoint) string {
	message := fmt.Sprintf("until the gate before %s opens", point)
	if o.Gate != nil && o.Gate.Point == point {
		message += ": " + o.Gate.Message
	}
	return message
}
