package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/test/bench"
	"github.com/headgate/headgate/test/lab"
)

var shared *lab.Lab

func TestMain(m *testing.M) {
	lab.RunTests(m, bench.LabOptions(), func(l *lab.Lab) error {
		shared = l
		return nil
	})
}

// The cheapest figure, so that the benchmark works whenever somebody needs it. What it
// measures is not judged here: that takes an idle machine.
func TestFirstWeight(t *testing.T) {
	labs := func(context.Context, string) (*lab.Lab, func(), error) { return shared, func() {}, nil }
	report, err := bench.Run(t.Context(), labs, bench.Options{
		Only: []string{"first-weight"}, Runs: 1, Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Figures) != 1 {
		t.Fatalf("%d figures, want 1", len(report.Figures))
	}
	row := report.Figures[0]
	if row.Headgate == nil || row.Headgate.Error != "" || row.Headgate.Median <= 0 || row.Headgate.Median > time.Minute.Seconds() {
		t.Errorf("Headgate's value is %+v, want a few seconds at most", row.Headgate)
	}
	if row.Bound == nil || row.Verdict == "" {
		t.Errorf("bound %v, verdict %q: want both", row.Bound, row.Verdict)
	}
	if table := report.Table(); !strings.Contains(table, row.Text) {
		t.Errorf("the table has no line %q:\n%s", row.Text, table)
	}
}

func TestFlags(t *testing.T) {
	s, err := parse([]string{"-only", "first-weight,burst", "-runs", "2", "-soak", "10m"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Only, []string{"first-weight", "burst"}) || s.Runs != 2 || s.Soak != 10*time.Minute {
		t.Errorf("parsed %+v", s)
	}
	for _, wrong := range [][]string{{"-runs", "0"}, {"first-weight"}, {"-only", "no-such-figure"}, {"-dir", "."}} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}
