package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// variable is one field of Config, in the words of --help.
type variable struct {
	field   string // the Go name of the field
	name    string // HEADGATE_...
	kind    string // see kindOf
	initial string // the default; "" if there is none
	example string // a value that works
	meaning string // from meanings
}

// variables returns the fields of Config in their order there.
func variables() []variable {
	fields := reflect.VisibleFields(reflect.TypeFor[Config]())
	vs := make([]variable, 0, len(fields))
	for _, f := range fields {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		vs = append(vs, variable{
			field:   f.Name,
			name:    name,
			kind:    kindOf(f.Type),
			initial: f.Tag.Get("envDefault"),
			example: cmp.Or(f.Tag.Get("example"), f.Tag.Get("envDefault")),
			meaning: meanings[name],
		})
	}
	return vs
}

// kindOf names the type of a variable for a reader who does not know Go:
// time.Duration is a duration, []string a list, logFormat a string.
func kindOf(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Map:
		return "JSON object"
	case t.String() == "time.Duration":
		return "duration"
	case t.String() == "slog.Level":
		return "string"
	}
	return t.Kind().String()
}

func writeHelp(out io.Writer) error {
	var b strings.Builder
	b.WriteString(`Usage: headgate [--help | --version]
       headgate backtest [--help]     tries an analysis on the past
       headgate cleanup [--help]      ends every rollout, so that Headgate can go

Headgate holds every new template of an annotated Deployment and shifts traffic
to it in steps, through the Ingress that serves the Deployment. It runs in a
cluster; install it with its chart. Settings are environment variables.
`)
	for _, v := range variables() {
		fmt.Fprintf(&b, "\n%s  (%s", v.name, v.kind)
		if v.initial != "" {
			fmt.Fprintf(&b, ", default %s", v.initial)
		}
		fmt.Fprintf(&b, ")\n    %s\n", v.meaning)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeUsage writes text and the flags of a command after it.
func writeUsage(out io.Writer, text string, set *flag.FlagSet) error {
	var b strings.Builder
	b.WriteString(text)
	set.VisitAll(func(f *flag.Flag) {
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %s\n        %s", strings.TrimRight(dashes+f.Name+" "+value, " "), usage)
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		b.WriteByte('\n')
	})
	_, err := io.WriteString(out, b.String())
	return err
}

// explain rewrites the errors of the parser, which name Go fields and types. The
// result names the variable, its value and a value that works.
func explain(err error, environ map[string]string) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	lines := make([]error, len(all.Errors))
	for i, err := range all.Errors {
		lines[i] = explainOne(err, environ)
	}
	return errors.Join(lines...)
}

func explainOne(err error, environ map[string]string) error {
	var parse env.ParseError
	var empty env.EmptyVarError
	switch {
	case errors.As(err, &empty):
		return fmt.Errorf("%s is not set; headgate --help explains it", empty.Key)
	case errors.As(err, &parse):
		for _, v := range variables() {
			if v.field == parse.Name {
				return fmt.Errorf("%s=%q: want a %s, e.g. %s. %s", v.name, environ[v.name], v.kind, v.example, v.meaning)
			}
		}
	}
	return err
}
