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
func (p *pass) awaitGates(point spec.GatePoint) *Decision {
	if p.SpecErr != nil {
		return p.waitAtStep(reason.InvalidAnnotation, p.SpecErr.Error())
	}
	if p.gatesOpen(point) {
		return nil
	}
	if p.Awaited.Gates == point {
		return p.awaitAnswer()
	}
	d := p.waitAtStep(reason.AwaitingGate, p.gatesClosed(point))
	d.Again = Earliest(d.Again, p.Now.Add(gateInterval))
	return d
}

// gatesOpen says whether every gate of point said yes, or there is none. Where
// the gates were not asked it notes that they have to be.
func (p *pass) gatesOpen(point spec.GatePoint) bool {
	for _, g := range p.Spec.Gates {
		if g.Before == point {
			if p.Gate == nil || p.Gate.Point != point {
				p.unanswered = point
				return false
			}
			return p.Gate.Open
		}
	}
	return true
}

// gatesClosed says what the rollout waits for.
func (p *pass) gatesClosed(point spec.GatePoint) string {
	message := fmt.Sprintf("until the gate before %s opens", point)
	if p.Gate != nil && p.Gate.Point == point {
		message += ": " + p.Gate.Message
	}
	return message
}
