package convert

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the input is, there is an error or a Deployment that Headgate accepts.
func FuzzConvert(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(inputs) == 0 {
		f.Fatalf("found %d inputs: %v", len(inputs), err)
	}
	for _, input := range inputs {
		text, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := Read("in", []byte(text))
		if err != nil {
			return
		}
		r, err := Convert(objects)
		if err != nil {
			if strings.Contains(err.Error(), "fault of the converter") {
				t.Error(err)
			}
			return
		}
		if err := r.WriteYAML(io.Discard); err != nil {
			t.Error(err)
		}
	})
}

// A condition is read, or there is an error.
func FuzzExpr(f *testing.F) {
	for _, text := range []string{
		"result[0] >= 0.95", "all(result, {# < 5}) or not isNaN(result[0])", "result.a['b'] == \"c\" ? 1 in [1, 2] : -2 < .5", "((((",
	} {
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		e, err := parseExpr(text)
		if err != nil {
			return
		}
		e, _ = folded(e, false)
		_, _ = names{number: "result", list: "results"}.cel(e)
		_, _, _ = bound(negated(e))
	})
}
