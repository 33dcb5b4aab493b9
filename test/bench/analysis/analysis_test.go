package analysis

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/headgate/headgate/analysis/evidence"
)

// A short version of the table healthy. Seeds make it the same each time.
func TestHealthyVersionsAreKept(t *testing.T) {
	const runs = 200
	for _, base := range bases {
		for _, traffic := range []float64{10, 1000} {
			for _, kind := range healthy {
				s := Service{Kind: kind, Traffic: traffic, Base: base}
				if r := watch(s, always(usual), []Rule{standard}, runs, 1)[0]; r.Share() > mostFalseAlarms {
					t.Errorf("%s, %g requests/s: %d of %d healthy versions are rolled back", s.fault(), traffic, r.RolledBack, runs)
				}
			}
		}
	}
}

func TestBadVersionsAreFound(t *testing.T) {
	const runs = 200
	results := watch(surelyFound, always(usual), []Rule{standard, flagger}, runs, 1)
	if r := results[0]; r.RolledBack < runs || r.Slow > 300 {
		t.Errorf("%d of %d bad versions are rolled back, 95%% of them within %v s", r.RolledBack, runs, r.Slow)
	}
	if results[0].Bad >= results[1].Bad {
		t.Errorf("Headgate serves %v errors, Flagger %v", results[0].Bad, results[1].Bad)
	}
	slower := slow{Service{Kind: Plain, Traffic: 100}, 1.5}
	if r := slower.watch(runs/4, 1)[0]; r.RolledBack < r.Runs {
		t.Errorf("%d of %d slow versions are rolled back", r.RolledBack, r.Runs)
	}
}

// Whole releases: the good are promoted, the bad are not, and without requests nobody is.
func TestReleases(t *testing.T) {
	const runs = 50
	promoted := func(r ReleaseResult) int { return r.Promoted }
	rolledBack := func(r ReleaseResult) int { return r.RolledBack }
	held := func(r ReleaseResult) int { return r.Held }
	for _, c := range []struct {
		name string
		Service
		end func(r ReleaseResult) int
	}{
		{"good", Service{Kind: Burst, Traffic: 100, Base: 0.001}, promoted},
		{"bad", Service{Kind: Plain, Traffic: 100, Base: 0.001, Rise: 0.01}, rolledBack},
		{"few requests, 5 more points", Service{Kind: Plain, Traffic: 1, Base: 0.001, Rise: 0.05}, rolledBack},
		{"no requests", Service{Kind: Plain, Traffic: 0, Base: 0.001}, held},
		{"hardly any requests", Service{Kind: Plain, Traffic: 0.01, Base: 0.001}, held},
	} {
		if r := releases(c.Service, standard, runs, 1); c.end(r) < runs {
			t.Errorf("%s: %s", c.name, r.text())
		}
	}
}

// The peers' rules: how many failures they allow, how they overlap, what no data means.
func TestWindows(t *testing.T) {
	bad, good := evidence.Look{CanaryRequests: 50, CanaryErrors: 50}, evidence.Look{CanaryRequests: 50}
	for _, c := range []struct {
		rule  Rule
		looks func(look int) evidence.Look
		want  int // the look of the rollback, 0: never
	}{
		{argoRollouts, func(int) evidence.Look { return bad }, 4 * 6},
		{argoRollouts, func(int) evidence.Look { return evidence.Look{} }, 4 * 6},
		{flagger, func(int) evidence.Look { return bad }, 5 * inMinute},
		{flagger, func(int) evidence.Look { return evidence.Look{} }, 5 * inMinute},
		{fixedWindow, func(int) evidence.Look { return bad }, 6},
		{fixedWindow, func(int) evidence.Look { return evidence.Look{} }, 0},
		{fixedWindow, func(int) evidence.Look { return evidence.Look{CanaryRequests: 1, CanaryErrors: 1} }, 0},
		{argoRollouts, func(int) evidence.Look { return good }, 0},
		// One bad look is in two of Argo's windows, and in one of Flagger's.
		{argoRollouts, func(look int) evidence.Look { return once(look%60 == 1, bad, good) }, 60 + 2*6},
		{flagger, func(look int) evidence.Look { return once(look%60 == 1, bad, good) }, 4*60 + inMinute},
	} {
		j, got := c.rule.begin(nil), 0
		for look := 1; look <= inHour && got == 0; look++ {
			if j.add(c.looks(look)) {
				got = look
			}
		}
		if got != c.want {
			t.Errorf("%s rolls back at look %d, want %d", c.rule.Name, got, c.want)
		}
	}
}

func once(condition bool, then, otherwise evidence.Look) evidence.Look {
	if condition {
		return then
	}
	return otherwise
}

// The streams have the rates that they claim.
func TestStreams(t *testing.T) {
	const looks = 20 * inHour
	for _, kind := range append(slices.Clone(healthy), BadNode) {
		var sum evidence.Look
		for run := range uint64(20) {
			s := Service{Kind: kind, Traffic: 1000, Base: 0.01}.stream(1, run)
			for range inHour {
				k := s.next(usual)
				if !k.Valid() {
					t.Fatalf("%s: %+v", kind, k)
				}
				sum.StableRequests += k.StableRequests
				sum.StableErrors += k.StableErrors
				sum.CanaryRequests += k.CanaryRequests
				sum.CanaryErrors += k.CanaryErrors
			}
		}
		stable, canary := 0.01, 0.01
		requests := 1000.0
		switch kind {
		case Burst: // 1 minute of 60
			stable += (burstShare - 0.01) / 60
			canary = stable
		case Cold:
			canary += coldRise / 60
		case BadNode:
			canary += nodeShare / 2 * 5 / 60
		case Retry: // 1% fails; 0.8, 0.4 and 0.2 of it come back, and half of each fails again
			requests *= 1 + 0.01*(0.8+0.4*0.8+0.16*0.8)
			stable = (0.01 + 0.01*(0.4+0.16+0.064)) * 1000 / requests
			canary = stable
		}
		for name, c := range map[string][2]float64{
			"requests per second":      {float64(sum.StableRequests+sum.CanaryRequests) / looks / lookSeconds, requests},
			"the canary's part of 100": {100 * float64(sum.CanaryRequests) / float64(sum.StableRequests+sum.CanaryRequests), 10},
			"stable's errors, %":       {100 * stableOf(sum).Share(), 100 * stable},
			"the canary's errors, %":   {100 * canaryOf(sum).Share(), 100 * canary},
		} {
			far := 0.03
			if kind == Diurnal { // its two waves meet by chance
				far = 0.1
			}
			if off := c[0]/c[1] - 1; off < -far || off > far {
				t.Errorf("%s: %s: %.4g, want %.4g", kind, name, c[0], c[1])
			}
		}
	}
}

func TestSeeds(t *testing.T) {
	o := Options{Only: []string{"pod"}, Runs: 50, Seed: 3, Progress: func(string) {}}
	first, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := Run(o)
	if first.Text() != second.Text() {
		t.Errorf("one seed makes two reports:\n%s\n%s", first.Text(), second.Text())
	}
	o.Seed = 4
	if other, _ := Run(o); fmt.Sprint(other.Tables) == fmt.Sprint(first.Tables) {
		t.Error("two seeds make one report")
	}
}

func TestMissedTargets(t *testing.T) {
	s := surelyFound
	calm := Service{Kind: s.Kind, Traffic: s.Traffic, Base: s.Base}
	result := func(rule string, rolledBack int, bad float64) Result {
		return Result{Rule: rule, Runs: 100, RolledBack: rolledBack, Bad: bad}
	}
	served := []Result{result("Headgate", 99, 10), result("", 100, 10), result("", 100, 10),
		result("loud", 100, 1), result("calm", 100, 9), result("worse", 100, 11)}
	r := &Report{Tables: []Table{
		{Name: "healthy", Cells: []Cell{{Service: calm, Results: []Result{
			result("Headgate", 2, 0), result("loud", 3, 0), result("calm", 2, 0), result("worse", 0, 0)}}}},
		{Name: "margin", Cells: []Cell{{Service: s, Results: []Result{result("Headgate", 6, 0)}}}},
		{Name: "bad", Cells: []Cell{{Service: s, Results: served[:1]}}},
		{Name: "bad-answers", Cells: []Cell{{Service: s, Results: served}}},
	}}
	r.compare()
	want := []string{"healthy: 0.1%, 100", "margin: ", "bad: ", "calm serves 9 errors, Headgate 10"}
	if len(r.Missed) != len(want) {
		t.Fatalf("missed: %q, want %d", r.Missed, len(want))
	}
	for i, text := range want {
		if !strings.Contains(r.Missed[i], text) {
			t.Errorf("missed %q, want %q in it", r.Missed[i], text)
		}
	}
}

func TestWritePage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	const old = "before\n<!-- last run: bench-analysis -page -->\nold\n<!-- /last run -->\nafter\n"
	if err := os.WriteFile(page, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &Report{Tables: []Table{{Name: "one", Title: "A title", Head: []string{"a", "b"}, Rows: [][]string{{"1", "2"}}}}}
	if err := r.WritePage(page); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(page)
	for _, part := range []string{"before\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "<!-- /last run -->\nafter\n"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the page has no %q:\n%s", part, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the page keeps the old report")
	}
	if err := r.WritePage(os.DevNull); err == nil {
		t.Error("a page without a place for the report is accepted")
	}
}

// The picture in the docs is the one that is drawn.
func TestPicture(t *testing.T) {
	drawn := Picture(1)
	if !bytes.Contains(drawn, []byte("rolled back after")) {
		t.Error("the bad canary is not rolled back")
	}
	kept, err := os.ReadFile("../../../docs/analysis-evidence.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, drawn) {
		t.Error("the picture has changed: make bench-analysis ARGS=\"-picture docs/analysis-evidence.svg\"")
	}
}

func TestKnown(t *testing.T) {
	if err := Known([]string{"healthy", "release"}); err != nil {
		t.Error(err)
	}
	if err := Known([]string{"healhty"}); err == nil || !strings.Contains(err.Error(), "release") {
		t.Errorf("the error is %v, want one that lists the tables", err)
	}
}
