package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// variables gives those of the dashboard the values that they have when it is opened.
var variables = strings.NewReplacer(
	"$namespace", ".*", "$deployment", ".*", "$lease", "headgate", "$__rate_interval", "1m", "$__range", "1h",
)

// Queries returns every PromQL query of the alerts and of the dashboard of the chart in dir, by
// what asks it: "alert HeadgateDown", "panel Weight A".
func Queries(dir string) (map[string]string, error) {
	queries := map[string]string{}
	var alerts struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := decodeFile(filepath.Join(dir, "files", "alerts.yaml"), &alerts); err != nil {
		return nil, err
	}
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			queries["alert "+rule.Alert] = rule.Expr
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := decodeFile(filepath.Join(dir, "files", "dashboard.json"), &dashboard); err != nil {
		return nil, err
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries["panel "+panel.Title+" "+target.RefID] = variables.Replace(target.Expr)
		}
	}
	return queries, nil
}

// decodeFile reads YAML or JSON.
func decodeFile(file string, into any) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}
