package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
	"github.com/headgate/headgate/cmd/kubectl-headgate/lint"
)

type lintOptions struct {
	files, classes []string
	output         string
}

const lintExample = `  kubectl headgate lint -f deploy/
  kubectl kustomize overlays/prod | kubectl headgate lint -f -
  helm template shop ./chart -n shop | kubectl headgate lint -n shop -f -
  kubectl headgate lint -f deploy/ -o sarif > headgate.sarif   # for GitHub code scanning`

const lintLong = `Find what is wrong with Deployments that are opted in, and with what is around them,
in manifests and without a cluster.

It reads YAML and JSON with any number of documents, and folders with everything below
them. What a rollout needs and the files do not have is a warning only if the files have
a Service or an Ingress: then they seem to be the whole application.

Each line is FILE:LINE: SEVERITY: MESSAGE (RULE). It exits with
  0  there is no error; warnings and notes do not count
  1  there is an error
  2  the command line is wrong, or a file cannot be read`

// The exit codes of lint, besides 0.
const (
	exitFound    = 1
	exitUnusable = 2
)

func (e *env) lint() *cobra.Command {
	var o lintOptions
	c := &cobra.Command{
		Use: "lint -f FILE", Short: "Find mistakes in manifests, before they are applied", Long: lintLong, Example: lintExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &exit{exitUnusable, fmt.Sprintf("unexpected argument %q: name files with -f", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return e.runLint(c.Context(), o) },
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exit{exitUnusable, "error: " + err.Error()} })
	c.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "files, folders, or - for standard input")
	c.Flags().StringSliceVar(&o.classes, "ingress-class", []string{lint.DefaultClass},
		"IngressClasses whose controllers honour canary annotations, if the files do not have them")
	addOutput(c, &o.output, "json, sarif")
	return c
}

// lintSchema names the form of the findings in JSON.
const lintSchema = "headgate.dev/lint/v1"

func (e *env) runLint(ctx context.Context, o lintOptions) error {
	if len(o.files) == 0 {
		return &exit{exitUnusable, "error: which manifests? Give -f FILE, -f FOLDER or -f -"}
	}
	if o.output != "" && o.output != "json" && o.output != "sarif" {
		return &exit{exitUnusable, fmt.Sprintf("error: --output %q: want json or sarif", o.output)}
	}
	set, unread := lint.Read(o.files, e.in, cmp.Or(*e.flags.Namespace, "default"))
	result, err := set.Lint(ctx, lint.Options{Classes: o.classes})
	if err != nil {
		return err
	}
	if err := e.tellFindings(result, o.output); err != nil {
		return err
	}
	switch {
	case unread != nil:
		return &exit{exitUnusable, "error: " + unread.Error()}
	case lint.Count(result.Findings, lint.Error) > 0:
		return &exit{code: exitFound}
	}
	return nil
}

func (e *env) tellFindings(r lint.Result, output string) error {
	switch output {
	case "json":
		return encode(e.out, "json", struct {
			Schema string `json:"schema"`
			lint.Result
		}{lintSchema, r})
	case "sarif":
		return encode(e.out, "json", lint.Sarif(r.Findings, version))
	}
	look := e.look()
	for _, f := range printable(r.Findings) {
		fmt.Fprintf(e.out, "%s:%d: %s: %s %s\n",
			f.File, f.Line, draw.Level(look, string(f.Severity)), f.Message, draw.Faint(look, "("+f.Rule+")"))
	}
	count := func(s lint.Severity) string { return draw.Count(lint.Count(r.Findings, s), string(s)) }
	_, err := fmt.Fprintf(e.err, "%s opted in: %s, %s, %s\n", draw.Count(len(r.Deployments), "Deployment"),
		count(lint.Error), count(lint.Warning), count(lint.Note))
	return err
}
