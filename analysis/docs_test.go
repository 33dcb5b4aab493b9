package analysis

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gotest.tools/v3/golden"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
)

const docsPage = "../docs/analysis.md"

func readDocs(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// Every yaml and text example that a user may copy is valid.
func TestExamplesInDocs(t *testing.T) {
	examples := regexp.MustCompile("(?s)```(?:yaml|text)\n(.*?)```").FindAllStringSubmatch(readDocs(t), -1)
	if len(examples) < 4 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, example := range examples {
		if strings.HasPrefix(example[1], "apiVersion:") {
			continue // TestRecipeInDocs
		}
		if err := onlyPrometheus.Check(example[1]); err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
	}
}

func TestDocsListWhatIsBuiltIn(t *testing.T) {
	metrics := "| metric | meaning | bound |\n|---|---|---|\n"
	for _, metric := range knownMetrics {
		metrics += fmt.Sprintf("| `%s` | %s | %s |\n", metric.name(), metric.docs().meaning, metric.docs().bound)
	}
	sources := "| source | series | which requests are counted |\n|---|---|---|\n"
	for _, series := range knownSources {
		sources += fmt.Sprintf("| `%s` | `%s`, `%s` | %s |\n",
			series.name(), series.requestCounter(), series.durationBuckets(), series.docs())
	}
	for name, table := range map[string]string{"built-in metrics": metrics, "metrics sources": sources} {
		t.Run(name, func(t *testing.T) { checkTable(t, name, table) })
	}
}

// A row of Fail by chance, in an hour with a measurement every 30 s.
func TestDocsTellFalseAlarms(t *testing.T) {
	table := "| breaks by chance | the first Fail | 2 in a row | 3 in a row | 5 in a row | more than 3 in all | more than 5 in all |\n" +
		"|---|---|---|---|---|---|---|\n"
	const readings = 120
	for _, chance := range []float64{.001, .01, .05} {
		table += "| 1 of " + fmt.Sprint(math.Round(1/chance)) + " |"
		for _, alarm := range []float64{
			evidence.FailureLimitAlarm(readings, 0, chance), evidence.ConsecutiveLimitAlarm(readings, 2, chance),
			evidence.ConsecutiveLimitAlarm(readings, 3, chance), evidence.ConsecutiveLimitAlarm(readings, 5, chance),
			evidence.FailureLimitAlarm(readings, 3, chance), evidence.FailureLimitAlarm(readings, 5, chance),
		} {
			table += " " + alarmText(alarm*100) + " |"
		}
		table += "\n"
	}
	checkTable(t, "false alarms", table)
}

func alarmText(percent float64) string {
	switch {
	case percent < .001:
		return "below 0.001%"
	case percent < 10:
		return fmt.Sprintf("%.2g%%", percent)
	}
	return fmt.Sprintf("%.3g%%", percent)
}

// checkTable compares the generated part of the page that has this name.
func checkTable(t *testing.T, name, want string) {
	t.Helper()
	begin, end := fmt.Sprintf("<!-- %s: make golden -->\n", name), fmt.Sprintf("<!-- /%s -->\n", name)
	before, rest, ok := strings.Cut(readDocs(t), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no table between %q and %q", docsPage, begin, end)
	}
	golden.Assert(t, before+begin+want+end+after, filepath.Join("..", docsPage))
}

func TestDocsExplainEveryVariable(t *testing.T) {
	_, table, _ := strings.Cut(readDocs(t), "| variable | value |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, name := range provider.Variables() {
		if !strings.Contains(table, "`{{"+name+"}}`") {
			t.Errorf("%s does not explain {{%s}} in its table of variables", docsPage, name)
		}
	}
}

func TestDocsExplainEveryField(t *testing.T) {
	page := readDocs(t)
	providers, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	page += string(providers)
	for _, field := range strings.FieldsFunc(knownFields, func(r rune) bool { return strings.ContainsRune(" ,()", r) }) {
		if !strings.Contains(page, field+":") {
			t.Errorf("no example in %s or docs/providers.md sets %s", docsPage, field)
		}
	}
}
