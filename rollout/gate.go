package rollout

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Gate is a URL that is asked whether the rollout may go on.
type Gate struct {
	Before  GatePoint
	URL     string
	Timeout time.Duration // of one request
	Retries int           // of a request that got no answer, before it counts as a no
}

// GatePoint is where a rollout asks. It asks nobody once a person said
// promote-full, nor for a template that needs no canary.
type GatePoint string

// The points.
const (
	GateStart     GatePoint = "start"     // before the canary is created
	GateRise      GatePoint = "rise"      // before each step that gives the canary more traffic
	GatePromotion GatePoint = "promotion" // before stable becomes the new version
)

// GateQuestion is what a gate is told.
type GateQuestion struct {
	Before     GatePoint `json:"before"`
	Namespace  string    `json:"namespace"`
	Deployment string    `json:"deployment"`
	Rollout    string    `json:"rollout"`
	Weight     int       `json:"weight"` // of the canary now, 0..100
}

// GateAnswer is what the gates of one point said.
type GateAnswer struct {
	Point GatePoint
	Open  bool

	// Message says which gate is closed and what it answered. It holds nothing that
	// changes from one request to the next.
	Message string
}

const (
	defaultGateTimeout = 10 * time.Second
	maxGateTimeout     = time.Minute
	maxGates           = 10
	maxGateRetries     = 10

	// gateInterval is the time between two requests to a gate that is closed.
	gateInterval = 10 * time.Second
)

// ParseGates reads the value of headgate.dev/gates: one line of points and URLs,
// "start https://gate.example.com/a, promotion https://gate.example.com/b", or a
// YAML list of {before, url, timeout, retries}. Whether the operator allows the
// addresses is not its business.
func ParseGates(text string) ([]Gate, error) {
	split := splitGateLine
	if isYAML(text) {
		split = splitGateYAML
	}
	gates, err := split(text)
	if err != nil {
		return nil, err
	}
	if len(gates) > maxGates {
		return nil, wrong(fmt.Sprintf("%.20s...", text), fmt.Sprintf("names %d gates, at most %d are allowed", len(gates), maxGates))
	}
	for _, g := range gates {
		if err := g.check(); err != nil {
			return nil, err
		}
	}
	return gates, nil
}

func splitGateLine(text string) ([]Gate, error) {
	var gates []Gate
	for word := range strings.SplitSeq(text, ",") {
		fields := strings.Fields(word)
		if len(fields) != 2 {
			return nil, wrong(strings.TrimSpace(word), "a gate is a point (start, rise or promotion) and a URL")
		}
		gates = append(gates, Gate{Before: GatePoint(fields[0]), URL: fields[1], Timeout: defaultGateTimeout})
	}
	return gates, nil
}

func splitGateYAML(text string) ([]Gate, error) {
	var items []struct {
		Before  GatePoint `json:"before"`
		URL     string    `json:"url"`
		Timeout string    `json:"timeout"`
		Retries int       `json:"retries"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("not a YAML list of gates: %w", err)
	}
	var gates []Gate
	for _, item := range items {
		g := Gate{Before: item.Before, URL: item.URL, Timeout: defaultGateTimeout, Retries: item.Retries}
		if item.Timeout != "" {
			var err error
			if g.Timeout, err = parseDuration(item.Timeout); err != nil {
				return nil, fmt.Errorf("timeout: %w", err)
			}
		}
		gates = append(gates, g)
	}
	return gates, nil
}

func (g Gate) check() error {
	u, err := url.Parse(g.URL)
	switch {
	case g.Before != GateStart && g.Before != GateRise && g.Before != GatePromotion:
		return wrong(string(g.Before), "a gate stands before start, rise or promotion")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
		return wrong(g.URL, "a gate has an http or https URL, without user and fragment")
	case g.Timeout > maxGateTimeout:
		return wrong(formatDuration(g.Timeout), "a gate is given at most "+formatDuration(maxGateTimeout)+" to answer")
	case g.Retries < 0 || g.Retries > maxGateRetries:
		return wrong(fmt.Sprint(g.Retries), fmt.Sprintf("retries are 0..%d", maxGateRetries))
	}
	return nil
}

// awaitGates is nil where no gate of point is closed.
func (o Observation) awaitGates(s State, point GatePoint) *Decision {
	if o.SpecErr != nil {
		return o.wait(s, InvalidAnnotation, o.SpecErr.Error())
	}
	if o.open(point) {
		return nil
	}
	d := o.wait(s, AwaitingGate, o.closed(point))
	d.Ask, d.Again = point, earliest(d.Again, o.Now.Add(gateInterval))
	return d
}

// open says whether every gate of point said yes, or there is none.
func (o Observation) open(point GatePoint) bool {
	for _, g := range o.Spec.Gates {
		if g.Before == point {
			return o.Gate != nil && o.Gate.Point == point && o.Gate.Open
		}
	}
	return true
}

func (o Observation) closed(point GatePoint) string {
	message := fmt.Sprintf("until the gate before %s opens", point)
	if o.Gate != nil && o.Gate.Point == point {
		message += ": " + o.Gate.Message
	}
	return message
}
