package convert

import (
	"fmt"
	"slices"
	"strings"
)

// names are how "result" is written in CEL.
type names struct {
	number string // where it is one number
	list   string // where it is a list: result[0], len(result)
}

// cel is e in CEL. The error quotes what CEL, or Headgate, does not have.
func (n names) cel(e *expr) (string, error) {
	return celWriter{names: n}.write(e)
}

type celWriter struct {
	names
	element    string // the variable of # in a predicate; "": there is none
	arithmetic bool   // numbers are written as doubles: CEL calculates only with the same type
}

func (w celWriter) write(e *expr) (string, error) {
	switch {
	case e.op == "number":
		return w.numberText(e.text), nil
	case e.op == "string":
		return e.text, nil
	case e.op == "word":
		return w.word(e.text)
	case e.op == "call":
		return w.call(e)
	case e.op == "index":
		return w.index(e)
	case e.op == "list":
		return w.members(e)
	case e.op == "member":
		base, err := w.write(e.args[0])
		return base + "." + e.text, err
	}
	return w.operator(e)
}

func (w celWriter) numberText(text string) string {
	text = strings.Replace(text, "-.", "-0.", 1)
	if strings.HasPrefix(text, ".") {
		text = "0" + text
	}
	if w.arithmetic && !strings.ContainsAny(text, ".eE") {
		text += ".0"
	}
	return text
}

func (w celWriter) word(text string) (string, error) {
	switch {
	case text == "result":
		return w.number, nil
	case text == "#" && w.element != "":
		return w.element, nil
	case text == "true" || text == "false":
		return text, nil
	case text == "nil":
		return "null", nil
	}
	return "", fmt.Errorf("%q is no variable", text)
}

// listOf is e where it must be a list.
func (w celWriter) listOf(e *expr) (string, error) {
	if e.op == "word" && e.text == "result" {
		return w.list, nil
	}
	return w.write(e)
}

func (w celWriter) members(e *expr) (string, error) {
	w.arithmetic = true // a list has values of one type, and the number that is looked for is a double
	var all []string
	for _, a := range e.args {
		text, err := w.write(a)
		if err != nil {
			return "", err
		}
		all = append(all, text)
	}
	return "[" + strings.Join(all, ", ") + "]", nil
}

func (w celWriter) index(e *expr) (string, error) {
	base, err := w.listOf(e.args[0])
	if err != nil {
		return "", err
	}
	w.arithmetic = false
	at, err := w.write(e.args[1])
	return base + "[" + at + "]", err
}

var predicates = map[string]string{"all": "%s.all(%s, %s)", "any": "%s.exists(%s, %s)", "none": "!%s.exists(%s, %s)",
	"one": "%s.exists_one(%s, %s)", "count": "size(%s.filter(%s, %s))"}

func (w celWriter) call(e *expr) (string, error) {
	form, isPredicate := predicates[e.text]
	switch {
	case isPredicate && len(e.args) == 2:
		list, err := w.listOf(e.args[0])
		if err != nil {
			return "", err
		}
		inner := w
		inner.element = w.element + "v"
		body, err := inner.write(e.args[1])
		return fmt.Sprintf(form, list, inner.element, body), err
	case e.text == "len" && len(e.args) == 1:
		list, err := w.listOf(e.args[0])
		return "size(" + list + ")", err
	case e.text == "asFloat" && len(e.args) == 1:
		return w.wrapped("double", e.args[0])
	case e.text == "asInt" && len(e.args) == 1:
		return w.wrapped("int", e.args[0])
	}
	return "", fmt.Errorf("CEL has no function %s", e.text)
}

func (w celWriter) wrapped(function string, e *expr) (string, error) {
	text, err := w.write(e)
	if function == "double" && (text == "result" || strings.HasPrefix(text, "results[")) {
		return text, err // a number of an answer is a double
	}
	return function + "(" + text + ")", err
}

// needsDoubles says whether the numbers of e must be doubles, as results are: CEL compares an order of double and int, but
// neither calculates with both nor finds them equal.
func needsDoubles(e *expr) bool {
	calculates := func(e *expr) bool { return slices.Contains([]string{"+", "-", "*", "/", "negate"}, e.op) }
	whole := func(e *expr) bool {
		return e.op == "call" && slices.Contains([]string{"len", "count", "asInt"}, e.text)
	}
	return calculates(e) || isComparison(e) && slices.ContainsFunc(e.args, calculates) ||
		(e.op == "==" || e.op == "!=") && !slices.ContainsFunc(e.args, whole)
}

// methods are operators that CEL writes as methods of a text.
var methods = []string{"contains", "startsWith", "endsWith", "matches"}

// needsBrackets says whether the argument a at place i of e is written in brackets.
func needsBrackets(e, a *expr, i int) bool {
	switch {
	case a.op == "if", e.op == "not" && a.op != "word" && a.op != "call" && a.op != "member" && a.op != "index":
		return true
	case binding[a.op] == 0:
		return false
	case i == 0:
		return binding[a.op] < binding[e.op]
	}
	return binding[a.op] <= binding[e.op]
}

func (w celWriter) operator(e *expr) (string, error) {
	w.arithmetic = w.arithmetic || needsDoubles(e)
	var args []string
	for i, a := range e.args {
		text, err := w.write(a)
		if err != nil {
			return "", err
		}
		if needsBrackets(e, a, i) {
			text = "(" + text + ")"
		}
		args = append(args, text)
	}
	switch {
	case e.op == "not":
		return "!" + args[0], nil
	case e.op == "negate":
		return "-" + args[0], nil
	case e.op == "if":
		return args[0] + " ? " + args[1] + " : " + args[2], nil
	case slices.Contains(methods, e.op):
		return args[0] + "." + e.op + "(" + args[1] + ")", nil
	case e.op == "%":
		return "", fmt.Errorf("CEL has no %% for numbers with a fraction")
	}
	return args[0] + " " + e.op + " " + args[1], nil
}
