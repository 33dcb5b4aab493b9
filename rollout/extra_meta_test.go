package rollout_test

import (
	"strings"
	"testing"

	"github.com/headgate/headgate/rollout"
)

func TestCheckExtra(t *testing.T) {
	labels := rollout.CheckExtraLabels
	annotations := func(a map[string]string) error { return rollout.CheckExtraAnnotations(a, "nginx.test") }
	const meaning = "gives it a meaning"
	for name, tt := range map[string]struct {
		check      func(map[string]string) error
		key, value string
		want       string // in the error; "" for none
	}{
		"a label":                          {labels, "team", "platform", ""},
		"a label with a domain":            {labels, "example.com/team", "platform", ""},
		"a label of an application":        {labels, "app.kubernetes.io/part-of", "shop", ""},
		"an empty value":                   {labels, "team", "", ""},
		"a value that is none":             {labels, "team", "the platform", `value "the platform" of team`},
		"a key that is none":               {labels, "the team", "platform", `"the team"`},
		"the mark of Headgate":             {labels, "app.kubernetes.io/managed-by", "helm", meaning},
		"the rollout":                      {labels, "headgate.dev/rollout", "7", meaning},
		"a label of a Job":                 {labels, "batch.kubernetes.io/job-name", "x", meaning},
		"an annotation":                    {annotations, "example.com/why", "any text: {a, b}", ""},
		"an annotation's key that is":      {annotations, "why?", "x", `"why?"`},
		"the state":                        {annotations, "headgate.dev/state", "{}", meaning},
		"the class of an Ingress":          {annotations, "kubernetes.io/ingress.class", "x", meaning},
		"a weight":                         {annotations, "nginx.ingress.kubernetes.io/canary-weight", "50", meaning},
		"a weight by the prefix in use":    {annotations, "nginx.test/canary-weight", "50", "the ingress controller reads it"},
		"what external DNS reads":          {annotations, "external-dns.kubernetes.io/controller", "x", meaning},
		"what Argo CD reads":               {annotations, "argocd.argoproj.io/compare-options", "x", meaning},
		"a domain that only looks like it": {annotations, "myheadgate.dev/rollout", "7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.check(map[string]string{tt.key: tt.value})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
