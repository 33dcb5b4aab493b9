package expression

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHolds(t *testing.T) {
	body := decoded(t, `{"ready": true, "runs": [{"ok": 3}], "count": 7}`)
	values := Values{Result: 0.5, Results: []float64{0.5, 3}, Status: 200, Body: body}
	for text, want := range map[string]string{
		"result < 1 && result > 0":                           "true",
		"result < 0.5":                                       "false",
		"result * 100.0 <= 50.0":                             "true",
		"results.all(r, r < 1)":                              "false",
		"size(results) == 2":                                 "true",
		"status == 200 && body.ready":                        "true",
		"body.runs[0].ok >= 4":                               "false",
		"body.count == 7":                                    "true",
		"has(body.missing) && body.missing":                  "false",
		"body.missing > 1":                                   "body.missing > 1: no such key: missing",
		"body.count":                                         "body.count is double, want true or false",
		"body.runs[1].ok > 0":                                "body.runs[1].ok > 0: index out of bounds: 1",
		"results.exists(a, results.all(b, a >= b))\n&& true": "true",
	} {
		t.Run(text, func(t *testing.T) {
			e, err := Condition(text, NumbersAndDocument)
			if err != nil {
				t.Fatal(err)
			}
			holds, err := e.Holds(values)
			got := fmt.Sprint(holds)
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	body := decoded(t, `{"score": 0.9, "runs": [1, 2.5], "none": [], "absent": null, "text": "x", "mixed": [1, "x"]}`)
	values := Values{Status: 200, Body: body}
	for text, want := range map[string]string{
		"body.score":                "[0.9]",
		"status":                    "[200]",
		"body.runs":                 "[1 2.5]",
		"body.runs.map(r, r * 2.0)": "[2 5]",
		"body.none":                 "[]",
		"body.absent":               "[]",
		"body.text":                 "body.text is string, want a number",
		"body.mixed":                "body.mixed is string, want a number",
	} {
		t.Run(text, func(t *testing.T) {
			e, err := Value(text, Document)
			if err != nil {
				t.Fatal(err)
			}
			numbers, err := e.Numbers(values)
			got := fmt.Sprint(numbers)
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		scope Scope
		want  string
	}{
		"a number": {"result", Numbers, `"result" is double, want true or false: write for example result > 0 && result < 0.01`},
		"an unknown variable": {
			"value < 1", Numbers,
			`"value < 1" does not compile at 1:1: undeclared reference to 'value': write for example result > 0 && result < 0.01`,
		},
		"a document where there is none": {
			"body.ok", Numbers,
			`"body.ok" does not compile at 1:1: undeclared reference to 'body': write for example result > 0 && result < 0.01`,
		},
		"a result without numbers": {
			"result < 1", Document,
			`"result < 1" does not compile at 1:1: undeclared reference to 'result': write for example status == 200 && body.ready`,
		},
		"whole numbers in arithmetic": {
			"result * 100 < 5", Numbers,
			`"result * 100 < 5" does not compile at 1:8: found no matching overload for '_*_' applied to '(double, int)' ` +
				`(result is a double: write 100.0, not 100, in arithmetic): write for example result > 0 && result < 0.01`,
		},
		"too long": {strings.Repeat("true && ", 200) + "true", Numbers, "the expression has 1604 bytes, want at most 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Condition(tt.text, tt.scope)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	if _, err := Condition(strings.Repeat("(", 200)+"true"+strings.Repeat(")", 200), Numbers); err == nil {
		t.Error("200 parentheses were accepted")
	}
}

// 1000 × 1000 × 1000 steps would take minutes.
func TestCostIsBounded(t *testing.T) {
	e, err := Condition("results.all(a, results.all(b, results.all(c, a + b + c >= 0.0)))", Numbers)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Holds(Values{Results: make([]float64, 1000)})
	if err == nil || !strings.Contains(err.Error(), "cost limit exceeded") {
		t.Errorf("got %v", err)
	}
}

func TestUses(t *testing.T) {
	e, err := Condition("results.all(r, r > 0) && status == 200", NumbersAndDocument)
	if err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]bool{"result": false, "results": true, "status": true, "body": false} {
		if e.Uses(variable) != want {
			t.Errorf("uses %s: %v", variable, !want)
		}
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
