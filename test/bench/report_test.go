package bench

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// report has three figures: one that is met, one that is missed, and one without a value.
func report() *Report {
	r := newReport(Options{Runs: 3})
	own, argo := newFindings(), newFindings()
	for _, v := range []float64{0.3, 0.1, 0.2} {
		own.add(nameSlowPods, v)
	}
	own.add(nameBurst, 60)
	argo.add(nameSlowPods, 0.4)
	argo.add(nameBurst, 100)
	e := experiment{figures: []string{nameSlowPods, nameBurst}}
	r.add(headgate{}, e, own, nil)
	r.add(&argoRollouts{}, e, argo, nil)
	r.add(headgate{}, experiment{figures: []string{nameRest}}, newFindings(), errors.New("no process"))
	r.judge(choose([]string{nameSlowPods, nameBurst, nameRest}))
	return r
}

func TestReport(t *testing.T) {
	r := report()
	slow, rest, burst := r.Figures[0], r.Figures[1], r.Figures[2]
	if slow.Headgate.Median != 0.2 || slow.Verdict != "met" || *slow.Ratio != 0.5 {
		t.Errorf("median %v of 0.1, 0.2, 0.3, verdict %q against 0.3, ratio %v to 0.4", slow.Headgate.Median, slow.Verdict, *slow.Ratio)
	}
	// 60 where Argo Rollouts needs 100 and half of that is allowed.
	if burst.Verdict != "missed" || burst.Missed != 10 {
		t.Errorf("verdict %q by %v, want missed by 10", burst.Verdict, burst.Missed)
	}
	if rest.Verdict != "missed" || rest.Headgate.Error != "no process" {
		t.Errorf("verdict %q with the error %q; what cannot be measured is missed", rest.Verdict, rest.Headgate.Error)
	}
	table := r.Table()
	for _, want := range []string{"missed by 10.0 s", "Headgate could not be measured: no process", "Headgate: 0.300 s, 0.100 s, 0.200 s"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
}

func TestPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("before\n<!-- last run: bench -page -->\nold\n<!-- /last run -->\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := report().WritePage(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if strings.Contains(page, "old") || !strings.HasPrefix(page, "before\n") || !strings.HasSuffix(page, "<!-- /last run -->\nafter\n") ||
		!strings.Contains(page, "| `burst` | 60.0 s | 100.0 s | 0.60 | 50.0 s | missed by 10.0 s |") {
		t.Errorf("the page is\n%s", page)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := report().WritePage(file); err == nil {
		t.Error("a page without a place for the report is accepted")
	}
}
