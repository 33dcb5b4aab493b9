package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/headgate/headgate/test/bench/analysis"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file, picture := filepath.Join(dir, "report.json"), filepath.Join(dir, "picture.svg")
	if err := run([]string{"-only", "pod", "-runs", "5", "-json", file}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report analysis.Report
	if err := json.Unmarshal(text, &report); err != nil || len(report.Tables) != 1 || len(report.Tables[0].Cells) != 10 {
		t.Errorf("%v: the report is %s", err, text)
	}
	if err := run([]string{"-picture", picture}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(picture); err != nil || info.Size() == 0 {
		t.Errorf("%v: the picture is not drawn", err)
	}
}

func TestFlags(t *testing.T) {
	s, err := parse([]string{"-only", "healthy,release", "-runs", "20", "-seed", "7"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Only, []string{"healthy", "release"}) || s.Runs != 20 || s.Seed != 7 {
		t.Errorf("parsed %+v", s)
	}
	for _, wrong := range [][]string{{"-runs", "0"}, {"healthy"}, {"-only", "no-such-table"}} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}
