package expression

import (
	"encoding/json"
	"testing"
)

// Whatever compiles yields an answer or an error for any document.
func FuzzExpression(f *testing.F) {
	for text, body := range map[string]string{
		"result < 0.01 && result > 0":                         `null`,
		"body.score":                                          `{"score": 0.9}`,
		"body.runs.map(r, r * 2.0)":                           `{"runs": [1, 2.5]}`,
		"results.all(a, results.exists(b, a == b))":           `[]`,
		"status == 200 && has(body.ready) && body.ready":      `{"ready": "yes"}`,
		"[1].map(a, [1].map(b, [1].map(c, a + b + c)))":       `7`,
		"body.matches('(a*)*b')":                              `"aaaaaaaaaaaaaaaaaaaaaaaa"`,
		"{'a': 1}.a / 0 == 1":                                 `{}`,
		"timestamp(body) > timestamp('2026-01-01T00:00:00Z')": `"x"`,
	} {
		f.Add(text, body)
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		v := Values{Result: 0.5, Results: []float64{0.5, 3}, Status: 200}
		if json.Unmarshal([]byte(document), &v.Body) != nil {
			v.Body = nil
		}
		for scope := range examples {
			if e, err := Condition(text, scope); err == nil {
				_, _ = e.Holds(v) // an answer or an error
			}
			if e, err := Value(text, scope); err == nil {
				_, _ = e.Numbers(v)
			}
		}
	})
}
