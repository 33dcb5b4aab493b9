package convert

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// expr is an expression of the language of Argo Rollouts' conditions (expr-lang), as a tree.
type expr struct {
	op   string // an operator; or number, string, word, list, call, index, member, not, negate, if
	text string // of a number, a string or a word; the name of a call or of a member
	args []*expr
}

var exprTokens = regexp.MustCompile(
	`^\s*([0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+|[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|` +
		`&&|\|\||==|!=|<=|>=|\*\*|\?\?|\?\.|\.\.|[-+*/%<>!()\[\]{}.,?:#^|;])`)

// parseExpr reads an expression. The error quotes what it does not know.
func parseExpr(text string) (*expr, error) {
	p := &exprParser{}
	for rest := text; strings.TrimSpace(rest) != ""; {
		m := exprTokens.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("%q cannot be read at %q", text, strings.TrimSpace(rest))
		}
		p.tokens = append(p.tokens, m[1])
		rest = rest[len(m[0]):]
	}
	e, err := p.parse(0)
	if err == nil && p.next() != "" {
		err = fmt.Errorf("%q is not expected", p.next())
	}
	if err != nil {
		return nil, fmt.Errorf("%q cannot be read: %w", text, err)
	}
	return e, nil
}

type exprParser struct {
	tokens []string
	depth  int
}

// maxExprDepth keeps a text of brackets from using up the stack.
const maxExprDepth = 100

func (p *exprParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *exprParser) take() string {
	t := p.next()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *exprParser) expect(token string) error {
	if got := p.take(); got != token {
		return fmt.Errorf("want %q, not %q", token, got)
	}
	return nil
}

// binding is how tightly an operator binds; 0: it is none.
var binding = map[string]int{
	"or": 1, "||": 1, "and": 2, "&&": 2,
	"==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3, "contains": 3, "startsWith": 3, "endsWith": 3, "matches": 3,
	"+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}

var sameAs = map[string]string{"or": "||", "and": "&&"}

func (p *exprParser) parse(least int) (*expr, error) {
	if p.depth++; p.depth > maxExprDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxExprDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.unary()
	for err == nil && binding[p.next()] > least {
		op := p.take()
		var right *expr
		if right, err = p.parse(binding[op]); err == nil {
			if same, ok := sameAs[op]; ok {
				op = same
			}
			left = &expr{op: op, args: []*expr{left, right}}
		}
	}
	if err != nil || least > 0 || p.next() != "?" {
		return left, err
	}
	return p.choice(left)
}

// choice reads "? a : b" after a condition.
func (p *exprParser) choice(condition *expr) (*expr, error) {
	p.take()
	yes, err := p.parse(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	no, err := p.parse(0)
	return &expr{op: "if", args: []*expr{condition, yes, no}}, err
}

func (p *exprParser) unary() (*expr, error) {
	switch p.next() {
	case "!", "not":
		p.take()
		e, err := p.parse(binding["=="])
		return &expr{op: "not", args: []*expr{e}}, err
	case "-":
		p.take()
		e, err := p.parse(binding["*"])
		if err == nil && e.op == "number" {
			return &expr{op: "number", text: "-" + e.text}, nil
		}
		return &expr{op: "negate", args: []*expr{e}}, err
	case "+":
		p.take()
	}
	e, err := p.primary()
	for err == nil && (p.next() == "[" || p.next() == "." || p.next() == "?.") {
		e, err = p.below(e)
	}
	return e, err
}

// below reads [0] or .name after a value.
func (p *exprParser) below(e *expr) (*expr, error) {
	if p.take() == "[" {
		at, err := p.parse(0)
		if err != nil {
			return nil, err
		}
		return &expr{op: "index", args: []*expr{e, at}}, p.expect("]")
	}
	return p.member(e)
}

// member reads a name after a dot.
func (p *exprParser) member(e *expr) (*expr, error) {
	name := p.take()
	if !isWord(name) {
		return nil, fmt.Errorf("want a name after a dot, not %q", name)
	}
	if p.next() == "(" {
		return nil, fmt.Errorf("there is no method %s in a condition of Headgate", name)
	}
	return &expr{op: "member", text: name, args: []*expr{e}}, nil
}

var wordSyntax = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func isWord(token string) bool { return wordSyntax.MatchString(token) }

func (p *exprParser) primary() (*expr, error) {
	switch t := p.take(); {
	case t == "(", t == "{":
		e, err := p.parse(0)
		if err != nil {
			return nil, err
		}
		return e, p.expect(map[string]string{"(": ")", "{": "}"}[t])
	case t == "[":
		return p.list("list", "", "]")
	case t == ".": // {.value > 1} is {#.value > 1}
		return p.member(&expr{op: "word", text: "#"})
	case t == "":
		return nil, errors.New("it ends too early")
	case isWord(t) && p.next() == "(":
		return p.call(t)
	default:
		return atom(t)
	}
}

// atom is a token that is a value.
func atom(t string) (*expr, error) {
	switch {
	case strings.ContainsAny(t[:1], `"'`):
		return &expr{op: "string", text: t}, nil
	case strings.ContainsAny(t[:1], ".0123456789"):
		return &expr{op: "number", text: t}, nil
	case t == "#", isWord(t) && binding[t] == 0:
		return &expr{op: "word", text: t}, nil
	}
	return nil, fmt.Errorf("%q is not expected", t)
}

func (p *exprParser) call(name string) (*expr, error) {
	p.take()
	return p.list("call", name, ")")
}

// list reads values with commas between them, and the bracket at their end.
func (p *exprParser) list(op, name, end string) (*expr, error) {
	e := &expr{op: op, text: name}
	for p.next() != end {
		arg, err := p.parse(0)
		if err != nil {
			return nil, err
		}
		e.args = append(e.args, arg)
		if p.next() != "," {
			break
		}
		p.take()
	}
	return e, p.expect(end)
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

// opposite is the operator of the negation, and flipped that with the sides exchanged.
var (
	opposite = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
	flipped  = map[string]string{"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
)

func isComparison(e *expr) bool { return slices.Contains(comparisons, e.op) }

// negated is the expression that is true where e is false.
func negated(e *expr) *expr {
	switch {
	case isComparison(e):
		return &expr{op: opposite[e.op], args: e.args}
	case e.op == "not":
		return e.args[0]
	case e.op == "word" && e.text == "true":
		return &expr{op: "word", text: "false"}
	case e.op == "word" && e.text == "false":
		return &expr{op: "word", text: "true"}
	}
	return &expr{op: "not", args: []*expr{e}}
}

// String is e in one canonical spelling, to compare expressions.
func (e *expr) String() string {
	var args []string
	for _, a := range e.args {
		args = append(args, a.String())
	}
	switch e.op {
	case "number", "string", "word":
		return e.text
	case "index":
		return args[0] + "[" + args[1] + "]"
	case "member":
		return args[0] + "." + e.text
	case "call":
		return e.text + "(" + strings.Join(args, ", ") + ")"
	}
	return e.op + "(" + strings.Join(args, ", ") + ")"
}
