package convert

import "slices"

// folded replaces what a condition says about missing data by true or false, and simplifies. With missing it is what
// Argo Rollouts would find without data, otherwise what it finds with data. said tells whether anything was replaced.
//
// Headgate asks no condition without data: no number and NaN are Inconclusive, and the step is held.
func folded(e *expr, missing bool) (_ *expr, said bool) {
	if about, yes := aboutMissing(e); about {
		return truthOf(yes == missing), true
	}
	if e.op == "call" && e.text == "default" && len(e.args) == 2 {
		inner, _ := folded(e.args[0], missing)
		return inner, true
	}
	cp := &expr{op: e.op, text: e.text, args: slices.Clone(e.args)}
	for i, a := range e.args {
		var also bool
		cp.args[i], also = folded(a, missing)
		said = said || also
	}
	return simplified(cp), said
}

func truthOf(v bool) *expr {
	if v {
		return &expr{op: "word", text: "true"}
	}
	return &expr{op: "word", text: "false"}
}

// aboutMissing says whether e asks whether there is data. yes: it is true where there is none.
func aboutMissing(e *expr) (about, yes bool) {
	if e.op == "call" && slices.Contains([]string{"isNaN", "isInf", "isNil"}, e.text) {
		return true, true
	}
	if (e.op == ">=" || e.op == ">") && e.args[0].String() == "len(result[0].Values)" && e.args[1].op == "number" {
		return true, false // so many points of CloudWatch
	}
	switch e.String() {
	case "==(len(result), 0)", "<(len(result), 1)", "<=(len(result), 0)", "==(result, nil)":
		return true, true
	case ">(len(result), 0)", "!=(len(result), 0)", ">=(len(result), 1)", "!=(result, nil)":
		return true, false
	}
	return false, false
}

// simplified removes true and false below and, or and not.
func simplified(e *expr) *expr {
	switch e.op {
	case "not":
		if v, ok := constant(e.args[0]); ok {
			return truthOf(!v)
		}
	case "&&", "||":
		for i, a := range e.args {
			v, ok := constant(a)
			switch {
			case ok && v == (e.op == "||"):
				return a
			case ok:
				return e.args[1-i]
			}
		}
	}
	return e
}

func constant(e *expr) (value, ok bool) {
	return e.op == "word" && e.text == "true", e.op == "word" && (e.text == "true" || e.text == "false")
}
