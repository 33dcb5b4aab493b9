package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/headgate/headgate/cmd/kubectl-headgate/convert"
)

// exitLost is the exit code of "convert" where something was not carried over.
const exitLost = 3

const convertLong = `Turn a Rollout of Argo Rollouts or a Canary of Flagger into a Deployment with the annotations
of Headgate. The input has everything that it refers to: AnalysisTemplates and
ClusterAnalysisTemplates, or the Deployment and MetricTemplates. Nothing is read from a
cluster or written to one.

The manifests are written to the standard output, with the remarks about them as comments.
The remarks are also written to the standard error, one sentence for each field, with its
place. It exits with
  0  everything was carried over
  3  something was not carried over
  1  an error: nothing was converted`

const convertExample = `  kubectl headgate convert -f rollout.yaml -f templates.yaml > deployment.yaml
  kustomize build . | kubectl headgate convert -f -
  kubectl headgate convert -f canary.yaml -o json | jq .remarks`

func (e *env) convert() *cobra.Command {
	var files []string
	var output string
	c := &cobra.Command{
		Use: "convert -f FILE", Short: "Turn a Rollout of Argo Rollouts or a Canary of Flagger into an annotated Deployment",
		Long: convertLong, Example: convertExample, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.runConvert(files, output) },
	}
	c.Flags().StringArrayVarP(&files, "filename", "f", nil, "a file of YAML or JSON, or - for the standard input; may be repeated")
	addOutput(c, &output, "json; without it YAML")
	return c
}

func (e *env) runConvert(files []string, output string) error {
	if len(files) == 0 {
		return errors.New("there is no input: name a file with -f, or the standard input with -f -")
	}
	var objects []*convert.Object
	for _, file := range files {
		found, err := e.readObjects(file)
		if err != nil {
			return err
		}
		objects = append(objects, found...)
	}
	r, err := convert.Convert(objects)
	if err != nil {
		return err
	}
	switch output {
	case "":
		err = r.WriteYAML(e.out)
	case "json":
		err = encode(e.out, output, r)
	default:
		err = fmt.Errorf("--output %q: want json, or nothing for YAML", output)
	}
	if err != nil {
		return err
	}
	for _, remark := range r.AllRemarks() {
		fmt.Fprintln(e.err, printableText(remark.String()))
	}
	if !r.Complete() {
		return &exit{code: exitLost}
	}
	return nil
}

func (e *env) readObjects(file string) ([]*convert.Object, error) {
	if file == "-" {
		text, err := io.ReadAll(e.in)
		if err != nil {
			return nil, fmt.Errorf("read the standard input: %w", err)
		}
		return convert.Read("-", text)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err // it names the file
	}
	return convert.Read(file, text)
}
