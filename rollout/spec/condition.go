package spec

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// conditionSyntax has no exponent and no leading dot, so that ParseCondition can
// append an exponent for the unit.
var conditionSyntax = regexp.MustCompile(`^(<=|>=|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*(%|ms|s|Mi|Gi|\*\s*stable|)$`)

// TimesStable is the unit of a condition that compares with stable: "<= 1.3 * stable". Its
// base unit is how many times stable's number a number is.
const TimesStable = " * stable"

// decimals is by how many decimal places a unit is smaller than its base unit: a
// percentage is a ratio with two more, 99% = 0.99; milliseconds are seconds with
// three more, 500ms = 0.5s.
var decimals = map[string]int{"": 0, "%": 2, "s": 0, "ms": 3}

// multiples are how many of its base unit a unit is: bytes.
var multiples = map[string]float64{"Mi": 1 << 20, "Gi": 1 << 30}

// Condition is an operator and the number to compare with. No value satisfies the
// zero Condition.
type Condition struct {
	operator string
	number   string  // as written
	unit     string  // as written: "", %, ms, s, Mi, Gi, or TimesStable
	bound    float64 // in the base unit: a ratio, seconds, bytes or a bare number
}

// ParseCondition reads an operator (< <= > >= == !=), a decimal number and
// optionally %, ms, s, Mi, Gi or "* stable".
func ParseCondition(text string) (Condition, error) {
	parts := conditionSyntax.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return Condition{}, badCondition(text)
	}
	c := Condition{operator: parts[1], number: parts[2], unit: parts[3]}
	if strings.HasPrefix(c.unit, "*") {
		c.unit = TimesStable
	}
	// Dividing would round twice: as float64, 99.9/100 is 0.9990000000000001, and
	// "99.9e-2" is 0.999.
	bound, err := strconv.ParseFloat(fmt.Sprintf("%se-%d", c.number, decimals[c.unit]), 64)
	if err != nil {
		return Condition{}, badCondition(text)
	}
	c.bound = bound * c.multiple()
	return c, nil
}

func (c Condition) multiple() float64 { return cmp.Or(multiples[c.unit], 1) }

func badCondition(text string) error {
	return fmt.Errorf("condition %q: want an operator (< <= > >= == !=) and a number with an optional unit (%%, ms, s, Mi, Gi): "+
		"write for example %q", strings.TrimSpace(text), "<= 500ms")
}

// Holds says whether value, a ratio, seconds, bytes or a bare number, satisfies the
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

// IsZero says that there is no condition.
func (c Condition) IsZero() bool { return c == Condition{} }

// Equal says that both are written alike: "1s" is not "1000ms".
func (c Condition) Equal(other Condition) bool { return c == other }

// Unit is the unit as written: "", %, ms, s, Mi or Gi; or TimesStable.
func (c Condition) Unit() string { return c.unit }

// Bound is the number to compare with: a ratio, seconds, bytes or a bare number.
func (c Condition) Bound() float64 { return c.bound }

// IsUpperBound says that a larger value is worse.
func (c Condition) IsUpperBound() bool { return c.operator == "<" || c.operator == "<=" }

// IsLowerBound says that a smaller value is worse.
func (c Condition) IsLowerBound() bool { return c.operator == ">" || c.operator == ">=" }

// String is the condition with one space, as in ">= 99%".
func (c Condition) String() string { return c.operator + " " + c.number + c.unit }

// Render writes a finite value in the unit of the condition, with four digits, or
// with more where four would contradict the verdict:
//
//	>= 99%    0.948       94.8%
//	>= 99%    0.989996    98.9996%: four digits are 99%, which would satisfy the condition
//	<= 500ms  0.51234567  512.3ms
//	> 1       0.33333333  0.3333
//
// 17 digits identify every float64, so it stops there.
func (c Condition) Render(value float64) string {
	bound, _ := strconv.ParseFloat(c.number, 64) // ParseCondition has read it
	exact := value * math.Pow10(decimals[c.unit]) / c.multiple()
	for digits := 4; ; digits++ {
		shown, _ := strconv.ParseFloat(strconv.FormatFloat(exact, 'g', digits, 64), 64)
		if digits == 17 || c.compare(shown, bound) == c.Holds(value) {
			return strconv.FormatFloat(shown, 'f', -1, 64) + c.unit
		}
	}
}
