package spec

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	defaultGateTimeout = 10 * time.Second
	maxGateTimeout     = 30 * time.Second // the controller waits for the answer
	maxGates           = 10
	maxGateRetries     = 10
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

// ParseGates reads the value of headgate.dev/gates: one line of points and URLs,
// "start https://gate.example.com/a, promotion https://gate.example.com/b", or a
// YAML list of {before, url, timeout, retries}. It does not check whether the
// operator allows the addresses.
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
	switch {
	case g.Before != GateStart && g.Before != GateRise && g.Before != GatePromotion:
		return wrong(string(g.Before), "a gate stands before start, rise or promotion")
	case !isGateURL(g.URL):
		return wrong(g.URL, "a gate has an http or https URL, without user and fragment")
	case g.Timeout > maxGateTimeout:
		return wrong(FormatDuration(g.Timeout), "a gate gets at most "+FormatDuration(maxGateTimeout)+" to answer")
	case g.Retries < 0 || g.Retries > maxGateRetries:
		return wrong(fmt.Sprint(g.Retries), fmt.Sprintf("retries are 0..%d", maxGateRetries))
	}
	return nil
}

func isGateURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Fragment == ""
}
