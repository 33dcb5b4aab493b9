package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout"
)

const gateURL = "https://gate.example.com/web?team=a"

func TestParseGates(t *testing.T) {
	gate := func(before rollout.GatePoint) rollout.Gate {
		return rollout.Gate{Before: before, URL: gateURL, Timeout: 10 * time.Second}
	}
	patient := gate(rollout.GateRise)
	patient.Timeout, patient.Retries = 30*time.Second, 3
	cases := map[string]struct {
		text string
		want []rollout.Gate
	}{
		"one line": {
			"start " + gateURL + ", rise  " + gateURL + ",\n promotion " + gateURL,
			[]rollout.Gate{gate(rollout.GateStart), gate(rollout.GateRise), gate(rollout.GatePromotion)},
		},
		"two gates before one point": {
			"rise " + gateURL + ", rise " + gateURL,
			[]rollout.Gate{gate(rollout.GateRise), gate(rollout.GateRise)},
		},
		"a list with everything": {
			"- {before: rise, url: '" + gateURL + "', timeout: 30s, retries: 3}\n- before: start\n  url: " + gateURL + "\n",
			[]rollout.Gate{patient, gate(rollout.GateStart)},
		},
		"within the cluster, without TLS": {
			"start http://gate.tools.svc:8080",
			[]rollout.Gate{{Before: rollout.GateStart, URL: "http://gate.tools.svc:8080", Timeout: 10 * time.Second}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := rollout.ParseGates(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseGatesErrors(t *testing.T) {
	const (
		aGate  = `a gate is a point (start, rise or promotion) and a URL`
		aPoint = `a gate stands before start, rise or promotion`
		aURL   = `a gate has an http or https URL, without user and fragment`
	)
	list := func(more string) string { return "- {before: rise, url: '" + gateURL + "', " + more + "}" }
	cases := map[string]struct{ text, want string }{
		"nothing":                      {"", `"": ` + aGate},
		"a URL without a point":        {gateURL, `"` + gateURL + `": ` + aGate},
		"a point without a URL":        {"start", `"start": ` + aGate},
		"a comma too many":             {"start " + gateURL + ",", `"": ` + aGate},
		"a comma in the URL":           {"start https://a.example.com/x,y", `"y": ` + aGate},
		"a point that is none":         {"end " + gateURL, `"end": ` + aPoint},
		"no point in a list":           {"- url: " + gateURL, `"": ` + aPoint},
		"another scheme":               {"start ftp://gate.example.com", `"ftp://gate.example.com": ` + aURL},
		"no scheme":                    {"start gate.example.com", `"gate.example.com": ` + aURL},
		"no host":                      {"start https:///web", `"https:///web": ` + aURL},
		"a password":                   {"start https://me:secret@gate.example.com", `"https://me:secret@gate.example.com": ` + aURL},
		"a fragment":                   {"start https://gate.example.com#a", `"https://gate.example.com#a": ` + aURL},
		"what no URL has":              {"start https://gate.example.com/%zz", `"https://gate.example.com/%zz": ` + aURL},
		"a timeout that is none":       {list("timeout: soon"), `timeout: "soon": a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most 365d`},
		"a timeout longer than a pass": {list("timeout: 31s"), `"31s": a gate is given at most 30s to answer`},
		"fewer retries than none":      {list("retries: -1"), `"-1": retries are 0..10`},
		"more retries than allowed":    {list("retries: 11"), `"11": retries are 0..10`},
		"a field that nobody has":      {list("body: x"), `not a YAML list of gates: error unmarshaling JSON: while decoding JSON: json: unknown field "body"`},
		"too many":                     {strings.Repeat("rise "+gateURL+", ", 10) + "rise " + gateURL, `"rise https://gate.ex...": names 11 gates, at most 10 are allowed`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gates, err := rollout.ParseGates(c.text)
			if err == nil {
				t.Fatalf("no error, but %v", gates)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Which point is asked where, and what a no means there.
func TestGates(t *testing.T) {
	passed := func(o *rollout.Observation) {
		o.Now = noon.Add(5 * time.Minute)
		o.Canary.State.Tally = rollout.Tally{At: noon.Add(4*time.Minute + 30*time.Second), Last: rollout.Pass}
	}
	last := func(o *rollout.Observation) {
		passed(o)
		o.Canary.State.Steps = o.Canary.State.Steps[:2]
	}
	cases := map[string]struct {
		at     func(*rollout.Observation)
		ask    rollout.GatePoint
		closed string
		open   rollout.Reason
	}{
		"before the canary is made": {
			func(o *rollout.Observation) {
				o.Canary, o.Traffic, o.Spec.Steps = nil, rollout.Traffic{}, []rollout.Step{weight(10)}
			},
			rollout.GateStart, "rollout 7: until the gate before start opens", rollout.CanaryStarting,
		},
		"before the first weight": {
			func(o *rollout.Observation) {
				o.Canary.State.Step, o.Canary.State.Weight, o.Canary.State.InForce = 0, 0, time.Time{}
				o.Traffic.Weight = 0
			},
			rollout.GateRise, "rollout 7: step 1 of 3, weight 0, until the gate before rise opens", rollout.WeightSet,
		},
		"before a higher weight":     {passed, rollout.GateRise, "rollout 7: step 2 of 3, weight 10, until the gate before rise opens", rollout.CanaryStarting},
		"before the promotion":       {last, rollout.GatePromotion, "rollout 7: step 2 of 2, weight 10, until the gate before promotion opens", rollout.Releasing},
		"not while the step lasts":   {nil, "", "", rollout.Waiting},
		"not before a Pass is there": {func(o *rollout.Observation) { o.Now = noon.Add(5 * time.Minute) }, "", "", rollout.AwaitingVerdict},
		"not before the same weight": {
			func(o *rollout.Observation) { passed(o); o.Canary.State.Steps[2] = weight(10) },
			rollout.GatePromotion, "rollout 7: step 3 of 3, weight 10, until the gate before promotion opens", rollout.Releasing,
		},
		"not once somebody said promote-full": {func(o *rollout.Observation) { last(o); say(o, "promote-full") }, "", "", rollout.Releasing},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := running()
			o.Spec.Gates = []rollout.Gate{{Before: rollout.GateStart}, {Before: rollout.GateRise}, {Before: rollout.GatePromotion}}
			if c.at != nil {
				c.at(&o)
			}
			d := rollout.Next(o)
			if d.Ask != c.ask {
				t.Fatalf("asks %q, at %s: %s", d.Ask, d.Reason, d.Message)
			}
			if c.ask == "" {
				if d.Reason != c.open {
					t.Errorf("%s: %s", d.Reason, d.Message)
				}
				return
			}
			o.Gate = &rollout.GateAnswer{Point: c.ask, Message: gateURL + " answered 503"}
			d = rollout.Next(o)
			if want := c.closed + ": " + gateURL + " answered 503"; d.Reason != rollout.AwaitingGate || d.Message != want || d.Again != o.Now.Add(10*time.Second) {
				t.Errorf("closed: %s: %s, again at %s", d.Reason, d.Message, d.Again)
			}
			o.Gate = &rollout.GateAnswer{Point: c.ask, Open: true}
			if d = rollout.Next(o); d.Reason != c.open || d.Ask != "" {
				t.Errorf("open: %s: %s, asks %q", d.Reason, d.Message, d.Ask)
			}
			o.Gate.Point = "another"
			if d = rollout.Next(o); d.Ask != c.ask {
				t.Errorf("an answer to something else opened it: %s: %s", d.Reason, d.Message)
			}
		})
	}
}

// While the annotations do not parse nobody knows of gates, so all are closed.
func TestGatesThatNobodyKnowsOf(t *testing.T) {
	o := running()
	o.Now, o.Plan, o.SpecErr = noon.Add(5*time.Minute), nil, errDamaged
	o.Canary.State.Weight, o.Traffic.Weight = 0, 0
	o.Canary.State.Steps[0], o.Canary.State.Steps = weight(0), o.Canary.State.Steps[:2]
	if d := rollout.Next(o); d.Reason != rollout.InvalidAnnotation || d.Hold != rollout.KeepHold {
		t.Errorf("%s: %s", d.Reason, d.Message)
	}
}
