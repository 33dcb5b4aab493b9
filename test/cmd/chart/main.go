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
  chart lint CHART                  say what is wrong with the chart; a warning is an error
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
	case len(args) == 2 && args[0] == "lint":
		if err := check(args[1]); err != nil {
			return err
		}
		return render(args[1])
	case len(args) == 4 && args[0] == "package":
		return archive(args[1], args[2], args[3])
	}
	return errors.New("wrong arguments: " + strings.TrimSpace(usage))
}

// check does what "helm lint --strict" does.
func check(dir string) error {
	var problems []error
	for _, m := range lint.RunAll(dir, map[string]any{}, "default").Messages {
		if m.Severity >= support.WarningSev {
			problems = append(problems, m)
		} else {
			fmt.Println(m)
		}
	}
	return errors.Join(problems...)
}

// render renders the chart with its defaults, and with what is off by default.
func render(dir string) error {
	r := chart.Release{Name: "headgate", Namespace: "headgate-system", KubeVersion: parts.Version(parts.APIServer)}
	_, err := chart.Render(context.Background(), dir, r)
	r.Set = map[string]string{"replicas": "1", "metrics.serviceMonitor.enabled": "true", "prometheus.address": "http://prometheus:9090"}
	_, full := chart.Render(context.Background(), dir, r)
	return errors.Join(err, full)
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
