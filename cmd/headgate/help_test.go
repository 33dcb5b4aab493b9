package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gotest.tools/v3/golden"
)

const page = "../../docs/operating.md"

func table() string {
	var b strings.Builder
	b.WriteString("| variable | type | default | meaning |\n|---|---|---|---|\n")
	for _, v := range variables() {
		initial := "–"
		if v.initial != "" {
			initial = "`" + v.initial + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.name, v.kind, initial, v.meaning)
	}
	return b.String()
}

func TestOperatingPageListsTheVariables(t *testing.T) {
	checkPart(t, page, "variables", table())
}

// checkPart compares the generated part of the page that has this name.
func checkPart(t *testing.T, page, name, want string) {
	t.Helper()
	begin, end := fmt.Sprintf("<!-- %s: make golden -->\n", name), fmt.Sprintf("<!-- /%s -->\n", name)
	before, rest, ok := strings.Cut(read(t, page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has nothing between %q and %q", page, begin, end)
	}
	golden.Assert(t, before+begin+want+end+after, filepath.Join("..", page))
}

func TestEveryVariableIsExplained(t *testing.T) {
	for _, v := range variables() {
		if !strings.HasPrefix(v.name, "HEADGATE_") || !strings.HasSuffix(v.meaning, ".") {
			t.Errorf("field %s: want the tag env:\"HEADGATE_…\" and a sentence in meanings, got %q and %q", v.field, v.name, v.meaning)
		}
		if v.initial == "" && v.example == "" && !strings.Contains(v.meaning, "Required.") {
			t.Errorf("field %s: want a default, an example, or to be required", v.field)
		}
	}
	if got, want := len(meanings), len(variables()); got != want {
		t.Errorf("%d meanings for %d variables", got, want)
	}
	if got, want := len(variables()), reflect.TypeFor[Config]().NumField(); got != want {
		t.Errorf("%d variables for %d fields", got, want)
	}
}

func TestHelpNamesEveryVariable(t *testing.T) {
	var out strings.Builder
	if err := writeHelp(&out); err != nil {
		t.Fatal(err)
	}
	for _, v := range variables() {
		for _, want := range []string{"\n" + v.name + "  (" + v.kind, v.initial, v.meaning} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("help lacks %q of %s", want, v.name)
			}
		}
	}
}
