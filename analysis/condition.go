package analysis

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// conditionSyntax has no exponents and no leading dot, so that the unit can
// shift the decimal point exactly.
var conditionSyntax = regexp.MustCompile(`^(<=|>=|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*(%|ms|s|)$`)

// shift is the power of ten by which a unit is smaller than the base unit:
// shares are ratios, times are seconds.
var shift = map[string]int{"": 0, "%": 2, "s": 0, "ms": 3}

// Condition is an operator and the number to compare with. The zero value
// holds for nothing.
type Condition struct {
	operator string
	number   string // as written
	unit     string // as written: "", %, ms or s
	bound    float64
}

// ParseCondition reads an operator (< <= > >= == !=), a decimal number and
// optionally %, ms or s.
func ParseCondition(text string) (Condition, error) {
	parts := conditionSyntax.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return Condition{}, badCondition(text)
	}
	c := Condition{operator: parts[1], number: parts[2], unit: parts[3]}
	// 99.9/100 is not 0.999; "99.9e-2" is.
	bound, err := strconv.ParseFloat(fmt.Sprintf("%se-%d", c.number, shift[c.unit]), 64)
	if err != nil {
		return Condition{}, badCondition(text)
	}
	c.bound = bound
	return c, nil
}

func badCondition(text string) error {
	return fmt.Errorf("condition %q: want < <= > >= == or != and a number, with %%, ms or s if it has a unit: write for example %q",
		strings.TrimSpace(text), "<= 500ms")
}

// Holds says whether value, a ratio, seconds or a bare number, satisfies the
// condition. NaN and infinity never do.
func (c Condition) Holds(value float64) bool {
	return !math.IsNaN(value) && !math.IsInf(value, 0) && c.compare(value, c.bound)
}

func (c Condition) compare(value, bound float64) bool {
	switch c.operator {
	case "<":
		return value < bound
	case "<=":
		return value <= bound
	case ">":
		return value > bound
	case ">=":
		return value >= bound
	case "==":
		return value == bound
	case "!=":
		return value != bound
	}
	return false
}

// upper says that a larger value is the worse one.
func (c Condition) upper() bool { return c.operator == "<" || c.operator == "<=" }

// String is the condition in its normal form: ">= 99%".
func (c Condition) String() string { return c.operator + " " + c.number + c.unit }

// Render writes a finite value in the unit of the condition, with four digits
// or as many as it takes not to contradict the verdict: a success rate of
// 98.9996% must not read "99%, want >= 99%".
func (c Condition) Render(value float64) string {
	bound, _ := strconv.ParseFloat(c.number, 64) // ParseCondition has read it
	exact := value * math.Pow10(shift[c.unit])
	for digits := 4; ; digits++ {
		shown, _ := strconv.ParseFloat(strconv.FormatFloat(exact, 'g', digits, 64), 64)
		if digits == 17 || c.compare(shown, bound) == c.Holds(value) {
			return strconv.FormatFloat(shown, 'f', -1, 64) + c.unit
		}
	}
}
