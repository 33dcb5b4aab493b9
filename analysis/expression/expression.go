// Package expression compiles and evaluates expressions in CEL, the Common Expression
// Language, about the answer of a provider.
//
// Whoever may annotate a Deployment may write an expression. An expression cannot loop
// for ever, and reads nothing but its variables. Its text, its nesting and its cost are
// bounded as well.
package expression

import (
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// The limits of an expression. A comparison costs about 5, and a list of 1000 numbers
// that all are compared about 10,000.
const (
	maxText    = 1024 // bytes
	maxNesting = 50
	maxCost    = 1_000_000
)

// Scope is which variables an expression has.
type Scope int

const (
	// Numbers has result, one number of the answer, and results, all of them.
	Numbers Scope = iota
	// Document has status and body of an HTTP answer, and no numbers.
	Document
	// NumbersAndDocument has all of them.
	NumbersAndDocument
)

// Values are the values of the variables. Those that are not in the Scope of an
// expression are ignored.
type Values struct {
	Result  float64
	Results []float64
	Status  int
	Body    any // decoded from JSON; nil: the body is null or not JSON
}

// Expression was compiled, and its types were checked. It is safe for concurrent use.
type Expression struct {
	text    string
	program cel.Program
	uses    map[string]bool
}

// String is the text that the user wrote, on one line.
func (e *Expression) String() string { return strings.Join(strings.Fields(e.text), " ") }

// Uses says whether the expression contains a variable: result, results, status or body.
func (e *Expression) Uses(variable string) bool { return e.uses[variable] }

// Condition compiles an expression that is true or false.
func Condition(text string, scope Scope) (*Expression, error) {
	return compile(text, scope, "true or false", examples[scope], cel.BoolType)
}

// Value compiles an expression that yields a number or a list of numbers.
func Value(text string, scope Scope) (*Expression, error) {
	return compile(text, scope, "a number or a list of numbers", "body.score",
		cel.IntType, cel.UintType, cel.DoubleType, cel.ListType(cel.DynType), cel.ListType(cel.DoubleType), cel.ListType(cel.IntType))
}

var examples = map[Scope]string{
	Numbers:            "result > 0 && result < 0.01",
	Document:           "status == 200 && body.ready",
	NumbersAndDocument: "status == 200 && result >= 0.9",
}

func compile(text string, scope Scope, want, example string, kinds ...*cel.Type) (*Expression, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the expression has %d bytes, want at most %d", len(text), maxText)
	}
	env := environments()[scope]
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, fmt.Errorf("%q does not compile at %d:%d: %s: write for example %s",
			text, first.Location.Line(), first.Location.Column()+1, explain(first.Message), example)
	}
	if !isOneOf(ast.OutputType(), kinds) {
		return nil, fmt.Errorf("%q is %s, want %s: write for example %s", text, ast.OutputType(), want, example)
	}
	program, err := env.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	e := &Expression{text: text, program: program, uses: map[string]bool{}}
	for _, reference := range ast.NativeRep().ReferenceMap() {
		e.uses[reference.Name] = true
	}
	return e, nil
}

// isOneOf accepts dyn, too: the type of what is in a body is not known before.
func isOneOf(got *cel.Type, kinds []*cel.Type) bool {
	if got.IsExactType(cel.DynType) {
		return true
	}
	for _, kind := range kinds {
		if got.IsExactType(kind) {
			return true
		}
	}
	return false
}

// explain leaves out of a message of CEL what says nothing to a user.
func explain(message string) string {
	message = strings.ReplaceAll(message, " (in container '')", "")
	if strings.Contains(message, "no matching overload") && strings.Contains(message, "double, int") {
		message += ` (result is a double: write 100.0, not 100, in arithmetic)`
	}
	return message
}

// environments has one environment for each Scope. They are the same for every
// expression, and building one takes a millisecond.
var environments = sync.OnceValue(func() map[Scope]*cel.Env {
	numbers := []cel.EnvOption{cel.Variable("result", cel.DoubleType), cel.Variable("results", cel.ListType(cel.DoubleType))}
	document := []cel.EnvOption{cel.Variable("status", cel.IntType), cel.Variable("body", cel.DynType)}
	return map[Scope]*cel.Env{
		Numbers:            environment(numbers),
		Document:           environment(document),
		NumbersAndDocument: environment(numbers, document),
	}
})

func environment(variables ...[]cel.EnvOption) *cel.Env {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true), cel.ParserRecursionLimit(maxNesting)}
	for _, group := range variables {
		options = append(options, group...)
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		panic(err) // cannot happen: the options are constants
	}
	return env
}

// Holds evaluates a Condition.
func (e *Expression) Holds(v Values) (bool, error) {
	value, err := e.evaluate(v)
	if err != nil {
		return false, err
	}
	holds, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("%s is %s, want true or false", e, value.Type().TypeName())
	}
	return holds, nil
}

// Numbers evaluates a Value. null, and a list without elements, are no numbers.
func (e *Expression) Numbers(v Values) ([]float64, error) {
	value, err := e.evaluate(v)
	if err != nil || value == types.NullValue {
		return nil, err
	}
	list, ok := value.(traits.Lister)
	if !ok {
		number, err := e.number(value)
		return []float64{number}, err
	}
	var numbers []float64
	for i := list.Iterator(); i.HasNext() == types.True; {
		number, err := e.number(i.Next())
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

func (e *Expression) number(value ref.Val) (float64, error) {
	switch n := value.Value().(type) {
	case float64:
		return n, nil
	case int64:
		return float64(n), nil
	case uint64:
		return float64(n), nil
	}
	return 0, fmt.Errorf("%s is %s, want a number", e, value.Type().TypeName())
}

func (e *Expression) evaluate(v Values) (ref.Val, error) {
	value, _, err := e.program.Eval(map[string]any{
		"result": v.Result, "results": v.Results, "status": v.Status, "body": v.Body,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e, err)
	}
	return value, nil
}
