package spec

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func condition(t interface{ Fatal(...any) }, text string) Condition {
	c, err := ParseCondition(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConditionHolds(t *testing.T) {
	tests := map[string]struct {
		text  string
		value float64
		want  bool
	}{
		"a share at its bound":              {">= 99%", 0.99, true},
		"a share just below":                {">= 99%", 0.98999, false},
		"a bare ratio is the same share":    {">=0.99", 0.99, true},
		"a decimal share is exact":          {"== 99.9%", 0.999, true},
		"milliseconds":                      {"<= 500ms", 0.5, true},
		"seconds":                           {"< 0.5s", 0.5, false},
		"a bare number":                     {"> 3", 3.1, true},
		"negative":                          {"> -1", -0.5, true},
		"bytes":                             {"<= 512Mi", 512 << 20, true},
		"more bytes":                        {"< 1.5Gi", 1536 << 20, false},
		"Gi are bytes":                      {"<= 1.5Gi", 1 << 30, true},
		"times stable":                      {"<= 1.3*stable", 1.3, true},
		"not equal":                         {"!= 1", 1, false},
		"NaN is not different from 1":       {"!= 1", math.NaN(), false},
		"infinity is not more than a bound": {"> 1", math.Inf(1), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := condition(t, tt.text).Holds(tt.value); got != tt.want {
				t.Errorf("%v %s: %v, want %v", tt.value, tt.text, got, tt.want)
			}
		})
	}
	if (Condition{}).Holds(0) {
		t.Error("the zero condition holds")
	}
}

func TestConditionRender(t *testing.T) {
	tests := map[string]struct {
		text  string
		value float64
		want  string
	}{
		"a share":                           {">= 99%", 0.948, "94.8%"},
		"a share that would round to pass":  {">= 99%", 0.989996, "98.9996%"},
		"a share that would round to fail":  {"< 1%", 0.00999999, "0.999999%"},
		"milliseconds":                      {"<= 500ms", 0.51234567, "512.3ms"},
		"seconds":                           {"<= 5s", 0.0123, "0.0123s"},
		"bytes":                             {"<= 512Mi", 600 << 20, "600Mi"},
		"times stable":                      {"<= 1.3 * stable", 1.4242424, "1.424 * stable"},
		"a large number has no exponent":    {"< 10", 123456789, "123500000"},
		"a third is not written to the end": {"> 1", 1.0 / 3, "0.3333"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := condition(t, tt.text).Render(tt.value); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What a person reads never contradicts the verdict.
func TestRenderedValueAgreesWithVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"<", "<=", ">", ">="}).Draw(t, "operator") +
			strconv.FormatFloat(float64(rapid.IntRange(-100000, 100000).Draw(t, "bound"))/1000, 'f', -1, 64)
		c, err := ParseCondition(text + rapid.SampledFrom([]string{"", "%", "ms", "s"}).Draw(t, "unit"))
		if err != nil {
			t.Fatal(err)
		}
		value := rapid.OneOf(rapid.Float64Range(-200, 200), rapid.Just(c.bound),
			rapid.Just(math.Nextafter(c.bound, 1000)), rapid.Just(c.bound*0.999999)).Draw(t, "value")
		shown, err := strconv.ParseFloat(strings.TrimRight(c.Render(value), "%ms"), 64)
		if err != nil {
			t.Fatal(err)
		}
		read := condition(t, c.operator+c.number) // as a person compares the two texts
		near := math.Abs(value-c.bound) < 1e-12   // the 17 digits of a float64 end there
		if read.Holds(shown) != c.Holds(value) && !near {
			t.Fatalf("%v is shown as %v, want %s: holds %v", value, shown, c, c.Holds(value))
		}
	})
}

func FuzzParseCondition(f *testing.F) {
	for _, seed := range []string{">= 99%", "<500ms", "!=  -1.5s", "== 0", "< .5", "=> 1", "< 1e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if err != nil {
			return
		}
		again, err := ParseCondition(c.String())
		if err != nil || again != c {
			t.Errorf("%q reads back as %+v (%v), was %+v", c, again, err, c)
		}
	})
}
