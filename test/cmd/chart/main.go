// Command chart checks a Helm chart and packages it, with Helm's own packages.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/headgate/headgate/test/chart"
	"github.com/headgate/headgate/test/lab/parts"
)

const usage = `usage:
  chart lint CHART VALUES...        say what is wrong with the chart, with each of the files; a warning is an error
  chart package CHART VERSION DIR   write into DIR the archive of that version of chart and program
`

func main() {
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage) }
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 3 && args[0] == "lint":
		return checkAll(args[1], args[2:])
	case len(args) == 4 && args[0] == "package":
		return archive(args[1], args[2], args[3])
	}
	return errors.New("wrong arguments: " + strings.TrimSpace(usage))
}

// checkAll lints and renders the chart with each file of values.
func checkAll(dir string, files []string) error {
	told := map[string]bool{} // a hint about the chart is the same for all values
	for _, file := range files {
		values, err := chart.ReadValues(file)
		if err != nil {
			return err
		}
		r := chart.Release{
			Name: "headgate", Namespace: "headgate-system", KubeVersion: parts.Version(parts.APIServer), Values: values,
		}
		_, err = chart.Render(context.Background(), dir, r)
		if err := errors.Join(check(dir, r, told), err); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	fmt.Printf("rendered with %d files of values\n", len(files))
	return nil
}

// check does what "helm lint --strict" does.
func check(dir string, r chart.Release, told map[string]bool) error {
	var problems []error
	for _, m := range lint.RunAll(dir, r.Values, r.Namespace).Messages {
		switch {
		case m.Severity >= support.WarningSev:
			problems = append(problems, m)
		case !told[m.Error()]:
			fmt.Println(m)
			told[m.Error()] = true
		}
	}
	return errors.Join(problems...)
}

// archive does what "helm package" does.
func archive(dir, version, into string) error {
	c, err := loader.LoadDir(dir)
	if err != nil {
		return err
	}
	c.Metadata.Version, c.Metadata.AppVersion = version, version
	if err := c.Validate(); err != nil {
		return err
	}
	file, err := chartutil.Save(c, into)
	if err == nil {
		fmt.Println("wrote", file)
	}
	return err
}
