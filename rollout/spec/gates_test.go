package spec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/rollout/spec"
)

const gateURL = "https://gate.example.com/web?team=a"

func TestParseGates(t *testing.T) {
	gate := func(before spec.GatePoint) spec.Gate {
		return spec.Gate{Before: before, URL: gateURL, Timeout: 10 * time.Second}
	}
	patient := gate(spec.GateRise)
	patient.Timeout, patient.Retries = 30*time.Second, 3
	cases := map[string]struct {
		text string
		want []spec.Gate
	}{
		"one line": {
			"start " + gateURL + ", rise  " + gateURL + ",\n promotion " + gateURL,
			[]spec.Gate{gate(spec.GateStart), gate(spec.GateRise), gate(spec.GatePromotion)},
		},
		"two gates before one point": {
			"rise " + gateURL + ", rise " + gateURL,
			[]spec.Gate{gate(spec.GateRise), gate(spec.GateRise)},
		},
		"a list with everything": {
			"- {before: rise, url: '" + gateURL + "', timeout: 30s, retries: 3}\n- before: start\n  url: " + gateURL + "\n",
			[]spec.Gate{patient, gate(spec.GateStart)},
		},
		"within the cluster, without TLS": {
			"start http://gate.tools.svc:8080",
			[]spec.Gate{{Before: spec.GateStart, URL: "http://gate.tools.svc:8080", Timeout: 10 * time.Second}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := spec.ParseGates(c.text)
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
		"nothing":               {"", `"": ` + aGate},
		"a URL without a point": {gateURL, `"` + gateURL + `": ` + aGate},
		"a point without a URL": {"start", `"start": ` + aGate},
		"a comma too many":      {"start " + gateURL + ",", `"": ` + aGate},
		"a comma in the URL":    {"start https://a.example.com/x,y", `"y": ` + aGate},
		"a point that is none":  {"end " + gateURL, `"end": ` + aPoint},
		"no point in a list":    {"- url: " + gateURL, `"": ` + aPoint},
		"another scheme":        {"start ftp://gate.example.com", `"ftp://gate.example.com": ` + aURL},
		"no scheme":             {"start gate.example.com", `"gate.example.com": ` + aURL},
		"no host":               {"start https:///web", `"https:///web": ` + aURL},
		"a password":            {"start https://me:secret@gate.example.com", `"https://me:secret@gate.example.com": ` + aURL},
		"a fragment":            {"start https://gate.example.com#a", `"https://gate.example.com#a": ` + aURL},
		"what no URL has":       {"start https://gate.example.com/%zz", `"https://gate.example.com/%zz": ` + aURL},
		"a timeout that is none": {
			list("timeout: soon"), `timeout: "soon": a duration is a number and a unit (30s, 5m, 1h, 2d), more than 0 and at most 365d`,
		},
		"a timeout longer than a pass": {list("timeout: 31s"), `"31s": a gate gets at most 30s to answer`},
		"fewer retries than none":      {list("retries: -1"), `"-1": retries are 0..10`},
		"more retries than allowed":    {list("retries: 11"), `"11": retries are 0..10`},
		"a field that nobody has": {
			list("body: x"), `not a YAML list of gates: error unmarshaling JSON: while decoding JSON: json: unknown field "body"`,
		},
		"too many": {
			strings.Repeat("rise "+gateURL+", ", 10) + "rise " + gateURL, `"rise https://gate.ex...": names 11 gates, at most 10 are allowed`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gates, err := spec.ParseGates(c.text)
			if err == nil {
				t.Fatalf("no error, but %v", gates)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
