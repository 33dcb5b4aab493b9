package backtest

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() Report {
	return Report{
		From: noon, To: noon.Add(100 * time.Hour), Rollouts: 100, Length: 3600, Weight: 0.1, Inject: 0.01, Seed: 1,
		Comparisons: []*Comparison{
			{
				Metric: "errors", Counts: []string{"errors"}, FalseAlarm: 0.005, Allowed: 0.0017, Rollouts: 98, NoRequests: 2,
				Requests: 41.2, Bad: 0.001, Clump: 1,
				Healthy:  Healthy{Fired: []time.Time{noon.Add(time.Hour)}, Low: 0.0018, High: 0.0556, Passed: 97, Median: 35, Slow: 70},
				Injected: Injected{Found: 98, Median: 145, Slow: 300, Bad: 14.22, ByTime: []float64{0, 0.2, 0.7, 1}},
			},
			{
				Metric: "p99", Counts: []string{"answers slower than 1s", "answers slower than 2s"}, FalseAlarm: 0.005, Allowed: 0.03,
				Rollouts: 90, Unknown: map[string]int{"stable has too few requests": 10}, Requests: 41.2, Bad: 0.01,
				Healthy: Healthy{High: 0.041, Passed: 30, Unknown: 60}, Injected: Injected{Bad: 190},
			},
		},
		Together: &Comparison{Metric: "all together"},
		Conditions: []*Condition{
			{
				Metric: "queue", Text: "< 100", Interval: 30, Limits: "failureLimit 0", Rollouts: 100, Measurements: 12000, Broken: 6, NoNumber: 120,
				Fired: []time.Time{noon}, ByLimit: []int{1, 1, 0, 0, 0}, InARow: []int{1, 0, 0, 0, 0},
			},
			{Metric: "ready", Text: "body.ready", NotTested: "the provider smoke says nothing about the past: only a Prometheus does"},
		},
		Traffic: []Traffic{{noon, 41.2}, {noon.Add(time.Hour), 80}},
	}
}

func TestWrite(t *testing.T) {
	const want = `100 rollouts of 1h between 2026-03-04 12:00 and 2026-03-08 16:00 UTC.
The canary is 10% of stable's own requests, chosen by chance (seed 1).

As it was (every rollback is a false alarm):
METRIC  COUNTS                        STABLE  BAD   ROLLOUTS  ROLLED BACK        PASS   NOT YET KNOWN  FIRST PASS  95%
errors  errors                        41.2/s  0.1%  98        1 (0.18% to 5.6%)  99%    0%             35s         1m10s
p99     answers slower than 1s or 2s  41.2/s  1%    90        0 (0% to 4.1%)     33.3%  66.7%          –           –

With 1% of the canary's good answers turned into bad ones, from the beginning and in each metric:
METRIC  FOUND  MEDIAN  95%  BAD ANSWERS UNTIL THEN
errors  100%   2m25s   5m   14.2
p99     0%     –       –    190

queue < 100, measured in all of stable every 30s:
12000 measurements, <0.1% broke it, 1% had no number or too few requests.
N                                           0                  1                  2               3               4
rolled back with failureLimit N             1 (0.18% to 5.4%)  1 (0.18% to 5.4%)  0 (0% to 3.7%)  0 (0% to 3.7%)  0 (0% to 3.7%)
rolled back with consecutiveFailureLimit N  1 (0.18% to 5.4%)  0 (0% to 3.7%)     0 (0% to 3.7%)  0 (0% to 3.7%)  0 (0% to 3.7%)

- errors: in 2 of 100 rollouts stable has no requests in Prometheus. They are left out.
- errors: 1 false alarm (2026-03-04 13:00), which may happen at the accepted rate of 0.5%. At this
  traffic a fault of +1 point is found in 2m25s (median) or 5m (95%). With a wait of 1m10s, 95% of
  the healthy canaries have their Pass in time.
- p99: not judged in 10 of 100 rollouts: stable has too few requests.
- p99: no false alarm. A fault of +1 point is allowed: stable has 1%, and the canary may have 3%. A
  smaller margin or limit finds it. Fewer than half of the healthy canaries have a Pass within 1h:
  give the canary more than 10% of the traffic.
- queue < 100: with failureLimit 0 it rolls back 1 of 100 healthy versions (2026-03-04 12:00). With
  consecutiveFailureLimit 1 it rolls back none. A canary has fewer requests than stable, so its
  numbers move more. How soon a fault is found was not tested: nobody knows how it moves the number.
- ready body.ready: not tested: the provider smoke says nothing about the past: only a Prometheus
  does.
`
	var b strings.Builder
	if err := sample().Write(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestAdvice(t *testing.T) {
	tests := map[string]struct {
		change func(c *Comparison)
		says   string
	}{
		"too many false alarms": {
			func(c *Comparison) { c.Healthy.Low = 0.02 }, "more than the accepted rate of 0.5%: try a larger margin.",
		},
		"found in some": {
			func(c *Comparison) { c.Injected = Injected{Found: 49} },
			"At this traffic a fault of +1 point is found in 50% of the rollouts within 1h; stable has 0.1%, and the canary may have 0.17%. " +
				"Give the canary more than 10% of the traffic, or let steps wait longer.",
		},
		"never found": {
			func(c *Comparison) { c.Injected = Injected{} }, "At this traffic a fault of +1 point is never found within 1h; stable has ",
		},
		"a slow Pass": {
			func(c *Comparison) { c.Healthy.Slow = 0 }, "The first Pass comes after 35s (median), in more than 5% of the rollouts not within 1h: ",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := sample()
			tt.change(r.Comparisons[0])
			if got := strings.Join(r.Advice(), "\n"); !strings.Contains(got, tt.says) {
				t.Errorf("no %q in\n%s", tt.says, got)
			}
		})
	}
}

// The picture is XML, marks each false alarm, and has a curve for each comparison.
func TestPicture(t *testing.T) {
	picture := string(sample().Picture(`<web> & "shop"`))
	decoder := xml.NewDecoder(strings.NewReader(picture))
	texts, elements := "", map[string]int{}
	for {
		token, err := decoder.Token()
		if err == io.EOF { //nolint:errorlint // a decoder returns it itself
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case xml.StartElement:
			elements[v.Name.Local]++
		case xml.CharData:
			texts += string(v)
		}
	}
	for _, want := range []string{`<web> & "shop": 100 rollouts of 1h`, "1 of 98", "0 of 90", "1 of 100", "+1 point of bad answers found"} {
		if !strings.Contains(texts, want) {
			t.Errorf("no %q in %s", want, texts)
		}
	}
	if marks := strings.Count(picture, alarmColour+`" stroke-width`); marks != 2 || elements["polyline"] != 2 {
		t.Errorf("%d marks and %d curves, want 2 and 2", marks, elements["polyline"])
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{short(0), "–"}, {short(5), "5s"}, {short(75), "1m15s"}, {short(120), "2m"}, {short(3600), "1h"}, {short(5400), "1h30m"},
		{percent(0), "0%"}, {percent(0.0053), "0.53%"}, {percent(0.0991), "9.9%"}, {percent(0.1), "10%"},
		{percent(0.26312), "26.3%"}, {percent(1), "100%"},
		{of(1, 5000), "<0.1%"}, {of(4999, 5000), ">99.9%"}, {of(0, 5), "0%"}, {of(5, 5), "100%"},
		{number(1234.5), "1230"}, {number(0.012345), "0.0123"}, {points(0.005), "0.5 points"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	for v, want := range map[float64]float64{0: 1, 0.4: 0.4, 51: 60, 60: 60, 81: 100, 1100: 1500} {
		if got := roundUp(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("the round number after %v is %v, want %v", v, got, want)
		}
	}
}

func TestStatistics(t *testing.T) {
	looks := []int{3, 5, 0}
	if q, none := quantile(looks, 0.5), quantile(looks, 0.95); q != 25 || none != 0 {
		t.Errorf("median %v and 95%% %v, want 25 and 0", q, none)
	}
	if got := shareUntil(looks, 4); got < 0.333 || got > 0.334 {
		t.Errorf("until look 4: %v, want a third", got)
	}
	low, high := wilson(7, 720)
	for _, n := range []int{1, 98, 167, 719} {
		if none, _ := wilson(0, n); none != 0 {
			t.Errorf("0 of %d are at least %v", n, none)
		}
		if _, all := wilson(n, n); all != 1 {
			t.Errorf("%d of %d are at most %v", n, n, all)
		}
	}
	if _, none := wilson(0, 720); percent(low) != "0.47%" || percent(high) != "2%" || percent(none) != "0.53%" {
		t.Errorf("%v to %v, and to %v", low, high, none)
	}
}
