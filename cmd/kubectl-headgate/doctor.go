package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/headgate/headgate/cmd/kubectl-headgate/doctor"
	"github.com/headgate/headgate/cmd/kubectl-headgate/draw"
)

const doctorExample = `  kubectl headgate doctor
  kubectl headgate doctor -n shop          # the Deployments of this namespace
  kubectl headgate doctor -n shop web
  kubectl headgate doctor -o json | jq '.checks[] | select(.level == "error")'`

const doctorLong = `Find what in this cluster would keep a rollout from working: the managers and which of them leads,
what holds new templates and its certificate, Prometheus, the IngressClasses, permissions, clocks, and
the Deployments of a namespace as the manager looks at them before a rollout.

It works with your own rights. What these do not allow is "not checked". It writes nothing: whether
admission answers is tried with a dry run.

It exits with 1 if a check is an error. A warning is none.`

func (e *env) doctor() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "doctor [NAME]", Short: "Find what would keep a rollout from working", Long: doctorLong, Example: doctorExample,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: e.completeNames(everyName),
		RunE: func(c *cobra.Command, args []string) error {
			o := doctor.Options{Now: time.Now()}
			if len(args) > 0 {
				var err error
				if o.Deployment, err = nameOf(args[0]); err != nil {
					return err
				}
			}
			return e.runDoctor(c.Context(), o, output)
		},
	}
	addOutput(c, &output, "json, yaml")
	return c
}

// doctorLimit is how long all checks may take.
const doctorLimit = 2 * time.Minute

func (e *env) runDoctor(ctx context.Context, o doctor.Options, output string) error {
	var err error
	if o.Namespace, err = e.namespace(); err != nil {
		return err
	}
	if err := e.connect(); err != nil {
		return err
	}
	cluster, err := e.client.all()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, doctorLimit)
	defer cancel()
	checks := printable(doctor.Run(ctx, cluster, o))
	if output != "" {
		err = encode(e.out, output, map[string]any{"schema": doctor.Schema, "checks": checks})
	} else {
		_, err = fmt.Fprint(e.out, draw.Checks(checks, e.look()))
	}
	if err == nil && doctor.Worst(checks) == doctor.Error {
		return &exit{code: 1}
	}
	return err
}
